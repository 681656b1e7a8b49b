package tebra_test

import (
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

var update = flag.Bool("update", false, "rewrite the golden requests")

// The vendor requires the order of members, their namespaces and their escaping.
func TestRequestsAreGolden(t *testing.T) {
	t.Parallel()
	for name, call := range examples {
		var got []byte
		c := newClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
			got, _ = io.ReadAll(r.Body)
			op, _, _ := strings.Cut(name, ".")
			if want := `"http://www.kareo.com/api/schemas/KareoServices/` + op + `"`; r.Header.Get("SOAPAction") != want {
				t.Errorf("%s: SOAPAction is %s, want %s", name, r.Header.Get("SOAPAction"), want)
			}
			if r.Header.Get("Content-Type") != xmlType || r.Method != http.MethodPost {
				t.Errorf("%s: %s of %s", name, r.Method, r.Header.Get("Content-Type"))
			}
			return respond(503, "", http.NoBody), nil
		}), nil)
		if err := call(t.Context(), c); !errors.Is(err, &tebra.Error{Code: tebra.Unavailable}) {
			t.Errorf("%s: %v", name, err)
		}
		file := filepath.Join("testdata", name+".request.xml")
		if *update {
			if err := os.WriteFile(file, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s differs from its golden request (-want +got):\n%s", name, diff)
		}
	}
}
