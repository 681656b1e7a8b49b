package config

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func hashOf(key string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(key))) }

func TestGateway(t *testing.T) {
	t.Parallel()
	env := production(t)
	env["ROUNDS_API_KEYS"] = write(t, "apikeys", "# desks\n\n  front-desk clinic-a "+hashOf("one")+"  \nbilling\tclinic-b "+strings.ToUpper(hashOf("two"))+"\r\n")
	g, err := LoadGateway(getenv(env))
	if err != nil {
		t.Fatal(err)
	}
	want := []APIKey{
		{Name: "front-desk", Tenant: "clinic-a", Hash: sha256.Sum256([]byte("one"))},
		{Name: "billing", Tenant: "clinic-b", Hash: sha256.Sum256([]byte("two"))},
	}
	if diff := cmp.Diff(want, g.Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if g.Addr != ":8080" || g.Health != ":8083" || g.Mode != Production || g.Keyset == "" || len(g.Tenants) != 1 {
		t.Errorf("%+v", g)
	}
	env["ROUNDS_GATEWAY_ADDR"], env["ROUNDS_HEALTH_ADDR"] = "127.0.0.1:0", "off"
	if g, err = LoadGateway(getenv(env)); err != nil || g.Addr != "127.0.0.1:0" || g.Health != "" {
		t.Errorf("%+v, %v", g, err)
	}
	env["ROUNDS_GATEWAY_ADDR"] = "8080"
	if _, err := LoadGateway(getenv(env)); len(problemsOf(t, err)["ROUNDS_GATEWAY_ADDR"]) != 1 {
		t.Errorf("an address without a colon: %v", err)
	}
}

func TestAPIKeysThatAreNone(t *testing.T) {
	t.Parallel()
	good := "desk clinic-a " + hashOf("one") + "\n"
	for name, c := range map[string]struct{ file, says string }{
		"nothing":              {"", "lists no key"},
		"remarks alone":        {"# " + leak + "\n\n", "lists no key"},
		"the key itself":       {"desk clinic-a " + leak + "\n", "line 1 has no SHA-256"},
		"a hash cut short":     {"desk clinic-a " + hashOf("one")[:63] + "\n", "line 1 has no SHA-256"},
		"the hash of nothing":  {"desk clinic-a " + hashOf("") + "\n", "line 1 has the SHA-256 of nothing"},
		"two words":            {good + leak + " clinic-a\n", "line 2 is not a name, a tenant and a hash"},
		"four words":           {"desk clinic-a " + hashOf("one") + " " + leak + "\n", "line 1 is not a name"},
		"a name in capitals":   {"Desk clinic-a " + hashOf("one") + "\n", "line 1 has no usable name"},
		"a tenant with a dot":  {"desk clinic.a " + hashOf("one") + "\n", "line 1 has no usable tenant"},
		"a name twice":         {good + "desk clinic-a " + hashOf("two") + "\n", "line 2 has the name of an earlier one"},
		"a key twice":          {good + "other clinic-b " + hashOf("one") + "\n", "line 2 has the key of an earlier one"},
		"a file of other sort": {strings.Repeat(leak+"\n", 5000), "line 20 is not"},
	} {
		env := production(t)
		env["ROUNDS_API_KEYS"] = write(t, "apikeys", c.file)
		_, err := LoadGateway(getenv(env))
		found := problemsOf(t, err)["ROUNDS_API_KEYS"]
		if n := len(found); n == 0 || n > maxFaults || !strings.Contains(strings.Join(found, "\n"), c.says) {
			t.Errorf("%s: %q", name, found)
		}
	}
	var many strings.Builder
	for i := range maxAPIKeys + 1 {
		fmt.Fprintf(&many, "desk-%d clinic-a %s\n", i, hashOf(fmt.Sprint(i)))
	}
	if _, ps := ParseAPIKeys(many.String()); len(ps) != 1 || !strings.Contains(ps[0].Wrong, "more than") {
		t.Errorf("%d keys: %v", maxAPIKeys+1, ps)
	}
	env := production(t)
	if _, err := LoadGateway(getenv(env)); len(problemsOf(t, err)["ROUNDS_API_KEYS"]) != 1 {
		t.Errorf("no file: %v", err)
	}
	env["ROUNDS_API_KEYS"] = t.TempDir()
	if _, err := LoadGateway(getenv(env)); len(problemsOf(t, err)["ROUNDS_API_KEYS"]) != 1 {
		t.Errorf("a folder: %v", err)
	}
}

func TestNewAPIKey(t *testing.T) {
	t.Parallel()
	k, key, err := NewAPIKey("desk", "clinic-a")
	if err != nil {
		t.Fatal(err)
	}
	keys, ps := ParseAPIKeys(k.Line())
	if len(ps) > 0 || len(keys) != 1 || keys[0] != k || k.Hash != sha256.Sum256([]byte(key.Reveal())) || strings.Contains(k.Line(), key.Reveal()) {
		t.Errorf("%v from %q: %v", keys, k.Line(), ps)
	}
	if _, other, _ := NewAPIKey("desk", "clinic-a"); other == key {
		t.Error("the same key twice")
	}
	for _, bad := range [][2]string{{"", "clinic-a"}, {"desk", ""}, {"a desk", "clinic-a"}, {"desk", "Clinic"}} {
		if _, _, err := NewAPIKey(bad[0], bad[1]); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func FuzzParseAPIKeys(f *testing.F) {
	f.Add("desk clinic-a " + hashOf("one"))
	f.Add("# \n\n a b c")
	f.Add("\x00\xff desk")
	f.Fuzz(func(t *testing.T, data string) {
		keys, ps := ParseAPIKeys(data)
		if (len(keys) == 0) == (len(ps) == 0) {
			t.Fatalf("%d keys and %d problems", len(keys), len(ps))
		}
		for _, k := range keys {
			again, ps := ParseAPIKeys(k.Line())
			if len(ps) > 0 || again[0] != k {
				t.Fatalf("%q does not come back", k.Line())
			}
		}
	})
}
