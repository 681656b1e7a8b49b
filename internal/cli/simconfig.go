package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/access"
)

const writtenBy = "# Written by \"rounds sim --write-config\", which overwrites it.\n"

// writeSimConfig writes what worker, scheduler and gateway need to run against the simulator at
// endpoint, and an API key of the first tenant. It returns the paths of the files, the environment
// first. An existing keyset is kept, because the ledger in the same folder can be opened only with
// it.
func writeSimConfig(dir, endpoint string, accounts []tebratest.Account, getenv func(string) string) ([]string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("write config: %w", err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	if _, err := writeKeyset(in("rounds.keys")); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	caller, key, err := access.NewKey("local", clinicID(0))
	if err != nil {
		return nil, err
	}
	for _, file := range []struct{ name, text string }{
		{"tenants.yaml", tenantsYAML(accounts)},
		{"apikeys", caller.Line() + "\n"},
		{"rounds.env", exports(dir, endpoint, key.Reveal(), getenv)},
	} {
		if err := os.WriteFile(in(file.name), []byte(writtenBy+file.text), 0o600); err != nil {
			return nil, fmt.Errorf("write config: %w", err)
		}
	}
	return []string{in("rounds.env"), in("tenants.yaml"), in("rounds.keys"), in("apikeys")}, nil
}

// exports returns an environment file for a shell.
func exports(dir, endpoint, key string, getenv func(string) string) string {
	gateway := cmp.Or(getenv("ROUNDS_GATEWAY_ADDR"), "127.0.0.1:8080")
	var b strings.Builder
	for _, e := range [][2]string{
		{"ROUNDS_ENV", "dev"},
		{"ROUNDS_QUEUE_REDIS", cmp.Or(getenv("ROUNDS_QUEUE_REDIS"), "redis://127.0.0.1:6379/0")},
		{"ROUNDS_CACHE_REDIS", cmp.Or(getenv("ROUNDS_CACHE_REDIS"), "redis://127.0.0.1:6379/1")},
		{"ROUNDS_LEDGER", "sqlite:" + filepath.Join(dir, "ledger.db")},
		{"ROUNDS_KEYS", filepath.Join(dir, "rounds.keys")},
		{"ROUNDS_TEBRA_ENDPOINT", endpoint},
		{"ROUNDS_TENANTS", filepath.Join(dir, "tenants.yaml")},
		{"ROUNDS_GATEWAY_ADDR", gateway},
		{"ROUNDS_API_KEYS", filepath.Join(dir, "apikeys")},
		// For clients of the gateway. The processes do not read these.
		{"ROUNDS_URL", "http://" + gateway},
		{"ROUNDS_API_KEY", key},
	} {
		fmt.Fprintf(&b, "export %s=%s\n", e[0], shellQuote(e[1]))
	}
	return b.String()
}

// tenantsYAML describes the simulated accounts as tenants. They are always open, so that boards are
// fresh at any hour. Their credentials work only with the simulator and are not secret.
func tenantsYAML(accounts []tebratest.Account) string {
	var b strings.Builder
	b.WriteString("tenants:\n")
	for i, a := range accounts {
		fmt.Fprintf(&b, "  - id: %s\n    timezone: %s\n    opening_hours:\n", clinicID(i), a.Practices[0].Zone)
		for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
			fmt.Fprintf(&b, "      %s: \"00:00-24:00\"\n", day)
		}
		fmt.Fprintf(&b, "    tebra:\n      customer_key: %q\n      user: %q\n      password: %q\n", a.CustomerKey, a.User, a.Password)
		b.WriteString("    practices:\n")
		for _, p := range a.Practices {
			fmt.Fprintf(&b, "      - id: \"%d\"\n        name: %q\n", p.ID, p.Name)
			if p.Zone != a.Practices[0].Zone {
				fmt.Fprintf(&b, "        timezone: %s\n", p.Zone)
			}
		}
	}
	return b.String()
}

// clinicID returns the ID of the i-th tenant: clinic-a to clinic-z, then clinic-27 and so on.
func clinicID(i int) string {
	if i < 26 {
		return "clinic-" + string(rune('a'+i))
	}
	return fmt.Sprintf("clinic-%d", i+1)
}

// shellQuote quotes s as one word of a shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
