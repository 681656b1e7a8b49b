package gateway

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

const golden = "../../docs/openapi.json"

// The document is public: a change to it changes the API and needs an entry in the changelog.
func TestGoldenDocument(t *testing.T) {
	t.Parallel()
	o, _ := dependencies(t)
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := g.Document()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/openapi.json (-committed +built), `make golden` rewrites it:\n%s", diff)
	}
}

// The gateway serves the document. All its references resolve, every schema is used, and every
// route that needs a key is in it.
func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.do(b.request(http.MethodGet, "/openapi.json", "", ""))
	if r.StatusCode != http.StatusOK || !bytes.Equal(r.body, b.document) {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	var doc struct {
		Paths      map[string]map[string]any
		Components struct{ Schemas map[string]any }
	}
	r.json(t, &doc)
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllSubmatch(r.body, -1) {
		used[string(m[1])] = true
		if doc.Components.Schemas[string(m[1])] == nil {
			t.Errorf("the schema %s is referenced and missing", m[1])
		}
	}
	for pattern, rt := range b.routes {
		method, path, _ := strings.Cut(pattern, " ")
		if _, ok := doc.Paths[path][strings.ToLower(method)]; !ok && !rt.public {
			t.Errorf("%s is not in the document", pattern)
		}
	}
	for name := range doc.Components.Schemas {
		if !used[name] {
			t.Errorf("the schema %s is unused", name)
		}
	}
}
