package access

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// leaked stands for a key or password pasted into the wrong field, which no fault may quote.
const leaked = "hunter2-do-not-print"

func digestOf(key string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(key))) }

func TestParseKeys(t *testing.T) {
	t.Parallel()
	keys, faults := ParseKeys("# desks\n\n  front-desk clinic-a " + digestOf("one") + "  \nbilling\tclinic-b " + strings.ToUpper(digestOf("two")) + "\r\n")
	want := []Key{
		{Name: "front-desk", Tenant: "clinic-a", Digest: sha256.Sum256([]byte("one"))},
		{Name: "billing", Tenant: "clinic-b", Digest: sha256.Sum256([]byte("two"))},
	}
	if diff := cmp.Diff(want, keys); diff != "" || len(faults) > 0 {
		t.Errorf("faults %v, keys (-want +got):\n%s", faults, diff)
	}
}

func TestParseKeysReportsFaults(t *testing.T) {
	t.Parallel()
	good := "desk clinic-a " + digestOf("one") + "\n"
	for name, c := range map[string]struct{ file, want string }{
		"empty":               {"", "lists no key"},
		"only comments":       {"# " + leaked + "\n\n", "lists no key"},
		"the key itself":      {"desk clinic-a " + leaked + "\n", "line 1 has no SHA-256"},
		"digest cut short":    {"desk clinic-a " + digestOf("one")[:63] + "\n", "line 1 has no SHA-256"},
		"digest of nothing":   {"desk clinic-a " + digestOf("") + "\n", "line 1 has the SHA-256 of nothing"},
		"two fields":          {good + leaked + " clinic-a\n", "line 2 is not a name, a tenant and a hash"},
		"four fields":         {"desk clinic-a " + digestOf("one") + " " + leaked + "\n", "line 1 is not a name"},
		"capitals in a name":  {"Desk clinic-a " + digestOf("one") + "\n", "line 1 has no usable name"},
		"dot in a tenant":     {"desk clinic.a " + digestOf("one") + "\n", "line 1 has no usable tenant"},
		"repeated name":       {good + "desk clinic-a " + digestOf("two") + "\n", "line 2 has the name of an earlier one"},
		"repeated key":        {good + "other clinic-b " + digestOf("one") + "\n", "line 2 has the key of an earlier one"},
		"a file of something": {strings.Repeat(leaked+"\n", 5000), "line 20 is not"},
	} {
		keys, faults := ParseKeys(c.file)
		text := fmt.Sprint(faults)
		if n := len(faults); n == 0 || n > maxFaults || !strings.Contains(text, c.want) || len(keys) > 0 {
			t.Errorf("%s: %d keys, faults %s, want %q", name, len(keys), text, c.want)
		}
		if strings.Contains(text, leaked) {
			t.Errorf("%s: a fault quotes the line: %s", name, text)
		}
	}
	var many strings.Builder
	for i := range maxKeys + 1 {
		fmt.Fprintf(&many, "desk-%d clinic-a %s\n", i, digestOf(fmt.Sprint(i)))
	}
	if _, faults := ParseKeys(many.String()); len(faults) != 1 || !strings.Contains(faults[0].Wrong, "more than") {
		t.Errorf("%d keys: %v", maxKeys+1, faults)
	}
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	k, key, err := NewKey("desk", "clinic-a")
	if err != nil {
		t.Fatal(err)
	}
	keys, faults := ParseKeys(k.Line())
	if len(faults) > 0 || len(keys) != 1 || keys[0] != k || strings.Contains(k.Line(), key.Reveal()) {
		t.Errorf("%v from %q: %v", keys, k.Line(), faults)
	}
	_, other, err := NewKey("desk", "clinic-a")
	if err != nil || other == key {
		t.Errorf("a second key is the same, or %v", err)
	}
	if !k.Matches(DigestOf(key.Reveal())) || k.Matches(DigestOf(other.Reveal())) {
		t.Error("the entry does not match its key alone")
	}
	for _, bad := range [][2]string{{"", "clinic-a"}, {"desk", ""}, {"a desk", "clinic-a"}, {"desk", "Clinic"}} {
		if _, _, err := NewKey(bad[0], bad[1]); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add("desk clinic-a " + digestOf("one"))
	f.Add("# \n\n a b c")
	f.Add("\x00\xff desk")
	f.Fuzz(func(t *testing.T, text string) {
		keys, faults := ParseKeys(text)
		if (len(keys) == 0) == (len(faults) == 0) {
			t.Fatalf("%d keys and %d faults", len(keys), len(faults))
		}
		for _, k := range keys {
			again, faults := ParseKeys(k.Line())
			if len(faults) > 0 || again[0] != k {
				t.Fatalf("%q does not parse as its own key", k.Line())
			}
		}
	})
}
