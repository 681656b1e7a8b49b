package phi

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestTextMasksItselfEverywhere(t *testing.T) {
	t.Parallel()
	type person struct {
		Name Text
		Ptr  *Text
		Map  map[string]Text
	}
	n := Text(secret)
	p := person{Name: n, Ptr: &n, Map: map[string]Text{"k": n}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%T"} {
		fmt.Fprintf(&out, verb+"\n", n)
		fmt.Fprintf(&out, verb+"\n", p)
	}
	fmt.Fprintln(&out, n, map[Text]int{n: 1}, []Text{n}, fmt.Errorf("for %v", n))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "name", n, "person", p, slog.Any("list", []Text{n}))
	}
	j, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	type element struct{ Name Text }
	x, err := xml.Marshal(element{n})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(x)
	if s := out.String(); strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
		t.Fatalf("the value is visible in:\n%s", s)
	}
	if got, want := n.String()+n.GoString(), Mask+Mask; got != want {
		t.Errorf("String and GoString return %q", got)
	}
	if n.Reveal() != secret {
		t.Error("Reveal does not return the value")
	}
}
