package diagnose

import (
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// site is a healthy development environment.
type site struct {
	vars   map[string]string
	vendor *tebratest.Server
	ledger *ledger.Ledger
	keys   *phi.Keys
	dir    string
}

// newSite starts Redis, a ledger with one tenant, a keyset and a vendor.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir()}
	account := tebratest.Account{
		CustomerKey: "sim-customer-key", User: "sim@example.test", Password: "sim-password",
		Practices: []tebratest.Practice{{ID: 1, Name: "Example Practice", Zone: "America/Chicago", Patients: 30, VisitsPerDay: 6}},
	}
	var err error
	if s.vendor, err = tebratest.New(tebratest.Config{Seed: 1, Accounts: []tebratest.Account{account}}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.vendor)
	t.Cleanup(srv.Close)
	if s.keys, err = phi.Generate(); err != nil {
		t.Fatal(err)
	}
	keyset, err := s.keys.JSON()
	if err != nil {
		t.Fatal(err)
	}
	s.vars = map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": redistest.URL(t), "ROUNDS_CACHE_REDIS": redistest.URL(t),
		"ROUNDS_LEDGER": "sqlite:" + filepath.Join(s.dir, "ledger.db"), "ROUNDS_TEBRA_ENDPOINT": srv.URL + tebratest.Path,
		"ROUNDS_KEYS": s.file(t, "rounds.keys", string(keyset)),
		"ROUNDS_TENANTS": s.file(t, "tenants.yaml", `tenants:
  - id: clinic-a
    timezone: America/Chicago
    opening_hours: {mon: "08:00-17:30"}
    tebra: {customer_key: sim-customer-key, user: sim@example.test, password: sim-password}
    practices: [{id: "1", name: Example Practice}]
`),
	}
	s.ledger = ledgertest.Open(t, s.vars["ROUNDS_LEDGER"])
	s.applyTenant(t, config.Tenant{
		ID: "clinic-a", TimeZone: "America/Chicago", Practices: []config.Practice{{ID: "1", Name: "Example Practice"}},
	})
	return s
}

// file writes a file that only its owner may read, and returns its path.
func (s *site) file(t *testing.T, name, contents string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// applyTenant writes a tenant without credentials.
func (s *site) applyTenant(t *testing.T, row config.Tenant) {
	t.Helper()
	if err := account.Apply(t.Context(), s.ledger, s.keys, []config.Tenant{row}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

// storeDataKey stores a data key of clinic-a, sealed with the given keyset.
func (s *site) storeDataKey(t *testing.T, keys *phi.Keys) {
	t.Helper()
	if _, err := account.NewDataKeys(s.ledger, keys).Key(t.Context(), "clinic-a"); err != nil {
		t.Fatal(err)
	}
}

// with returns the environment with one variable changed. An empty value removes it.
func (s *site) with(name, value string) map[string]string {
	vars := maps.Clone(s.vars)
	vars[name] = value
	return vars
}

// run runs all checks in the given environment.
func run(t *testing.T, vars map[string]string, callVendor bool) *Report {
	t.Helper()
	return Run(t.Context(), Options{Getenv: func(name string) string { return vars[name] }, CallVendor: callVendor})
}
