package tebratest

import (
	"strings"
	"testing"
)

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
