package tebratest

import (
	"runtime"
	"strings"
	"testing"
)

// A text in many pieces costs what its bytes do, and not their square. Allocations are counted for the whole process, so that
// no other test may run meanwhile.
func TestTextInPieces(t *testing.T) { //nolint:paralleltest // see above
	const pieces = 100_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	root, err := parse(strings.NewReader("<a>" + strings.Repeat("x<!---->", pieces) + "</a>"))
	runtime.ReadMemStats(&after)
	if err != nil || root.text.Len() != pieces {
		t.Fatalf("%d bytes of text, %v", root.text.Len(), err)
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 100<<20 {
		t.Errorf("%d MB for a request of less than one", spent>>20)
	}
}

func TestRequestsThatAreTooMuch(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"deep":       strings.Repeat("<a>", 70) + strings.Repeat("</a>", 70),
		"wide":       "<a>" + strings.Repeat("<b/>", maxNodes) + "</a>",
		"long":       "<a>" + strings.Repeat("x", 4<<20) + "</a>",
		"two":        "<a/><b/>",
		"none":       "",
		"unfinished": "<a>",
	} {
		if _, err := parse(strings.NewReader(body)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzRequest reads what a stranger may post, as every operation.
func FuzzRequest(f *testing.F) {
	f.Add(`<k:request xmlns:k="http://www.kareo.com/api/schemas/"><k:RequestHeader><k:User>u</k:User></k:RequestHeader><k:Fields/><k:Filter/></k:request>`)
	f.Add(`<a><b xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/></a>`)
	f.Add(strings.Repeat("<a>", 80))
	f.Fuzz(func(t *testing.T, body string) {
		root, err := parse(strings.NewReader(body))
		if err != nil {
			return
		}
		for _, m := range contract.operations {
			got, err := bind(root, m.in)
			if err == nil && m.headed() && !got.has("RequestHeader") {
				t.Errorf("%s is read without its header", m.name)
			}
			if len(got) > len(m.in.members) {
				t.Errorf("%s has %d members", m.name, len(got))
			}
		}
	})
}
