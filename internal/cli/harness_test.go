package cli

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

// harness is a healthy development environment.
type harness struct {
	vars   map[string]string
	vendor *tebratest.Server
	ledger *ledger.Ledger
	keys   *phi.Keys
	dir    string
}

// newHarness starts Redis, a ledger with one tenant, a keyset and a simulated vendor.
func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{dir: t.TempDir()}
	c, err := simFlags{seed: 1, accounts: 1, practices: 2, patients: 30, visits: 6, latency: "none"}.config()
	if err != nil {
		t.Fatal(err)
	}
	if h.vendor, err = tebratest.New(c); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h.vendor)
	t.Cleanup(srv.Close)
	redisURLs := map[string]string{"ROUNDS_QUEUE_REDIS": redistest.URL(t), "ROUNDS_CACHE_REDIS": redistest.URL(t)}
	if _, err := writeSimConfig(h.dir, srv.URL+tebratest.Path, c.Accounts, getenv(redisURLs)); err != nil {
		t.Fatal(err)
	}
	h.vars = environment(t, filepath.Join(h.dir, "rounds.env"))
	data, err := os.ReadFile(filepath.Join(h.dir, "rounds.keys"))
	if err != nil {
		t.Fatal(err)
	}
	if h.keys, err = phi.Parse(data); err != nil {
		t.Fatal(err)
	}
	h.ledger = ledgertest.Open(t, h.vars["ROUNDS_LEDGER"])
	h.applyTenant(t, config.Tenant{
		ID: "clinic-a", TimeZone: "America/Chicago",
		Practices: []config.Practice{{ID: "1", Name: "Example Practice 1"}, {ID: "2", Name: "Example Practice 2"}},
	})
	return h
}

// applyTenant writes a tenant without credentials.
func (h *harness) applyTenant(t *testing.T, row config.Tenant) {
	t.Helper()
	if err := account.Apply(t.Context(), h.ledger, h.keys, []config.Tenant{row}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

// storeDataKey stores a data key of clinic-a, sealed with the given keyset.
func (h *harness) storeDataKey(t *testing.T, keys *phi.Keys) {
	t.Helper()
	if _, err := account.NewDataKeys(h.ledger, keys).Key(t.Context(), "clinic-a"); err != nil {
		t.Fatal(err)
	}
}

// with returns the environment with some variables changed. An empty value removes a variable.
func (h *harness) with(changes map[string]string) map[string]string {
	vars := maps.Clone(h.vars)
	maps.Copy(vars, changes)
	return vars
}
