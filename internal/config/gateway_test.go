package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/access"
)

func TestGateway(t *testing.T) {
	t.Parallel()
	env := production(t)
	want := []access.Key{{Name: "front-desk", Tenant: "clinic-a", Digest: access.DigestOf("one")}}
	env["ROUNDS_API_KEYS"] = write(t, "apikeys", want[0].Line()+"\n")
	g, err := LoadGateway(getenv(env))
	if err != nil {
		t.Fatal(err)
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

func TestBadAPIKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ value, wrong string }{
		"not set":  {"", "is not set"},
		"a folder": {t.TempDir(), "names something that is not a regular file"},
		"empty":    {write(t, "f", ""), "lists no key"},
		"a fault":  {write(t, "f", "desk clinic-a "+leak), "line 1 has no SHA-256"},
		"too long": {write(t, "f", strings.Repeat("#", maxAPIKeysFile+1)), "names a file that is too large"},
	} {
		env := production(t)
		env["ROUNDS_API_KEYS"] = c.value
		_, err := LoadGateway(getenv(env))
		if diff := cmp.Diff(map[string][]string{"ROUNDS_API_KEYS": {c.wrong}}, problemsOf(t, err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
