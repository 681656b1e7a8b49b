package sweep

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func TestSweepCoversEveryTenant(t *testing.T) {
	t.Parallel()
	l := ledgertest.New(t)
	tenants := []tenant.ID{"clinic-a", "clinic-b"}
	var rows []ledger.Tenant
	for _, id := range tenants {
		rows = append(rows, ledger.Tenant{ID: id, TimeZone: "UTC", Credentials: []byte("sealed"), Practices: []ledger.Practice{{ID: "1", Name: "One"}}})
	}
	if _, err := l.ApplyTenants(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	rdb := redistest.New(t)
	c, err := cache.New(cache.Options{Redis: rdb, Sealer: keys.For, Key: func(context.Context, tenant.ID) (*phi.DataKey, error) { return phi.NewDataKey() }})
	if err != nil {
		t.Fatal(err)
	}
	const unused = "old-0001"
	for _, id := range tenants {
		if err := rdb.HSet(t.Context(), id.Key("c1", "m"), unused, 1).Err(); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	newest := ledger.Tick{Tenant: tenants[0], Schedule: "test", At: now.Add(-2 * keepTicks)}
	older := newest
	older.At = newest.At.Add(-time.Hour)
	if _, err := l.AddDue(t.Context(), []ledger.Tick{older, newest}); err != nil {
		t.Fatal(err)
	}
	if err := l.MarkSent(t.Context(), older, now); err != nil {
		t.Fatal(err)
	}
	day := civil.DateOf(now)
	for code, at := range map[codes.Code]time.Time{"old": now.Add(-2 * keepAlerts), "new": now} {
		scope := ledger.AlertScope{Tenant: tenants[0], Practice: "1", From: day, To: day, Codes: []codes.Code{code}}
		if _, err := l.SetAlerts(t.Context(), scope, []ledger.Alert{{Day: day, Code: code}}, at); err != nil {
			t.Fatal(err)
		}
	}

	s := &Sweeper{Ledger: l, Cache: c, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler)}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.MarkSent(t.Context(), older, now); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a tick that was sent two weeks ago is left: %v", err)
	}
	if err := l.MarkSent(t.Context(), newest, now); err != nil {
		t.Errorf("the newest tick is gone: %v", err)
	}
	for _, id := range tenants {
		if left, err := rdb.HExists(t.Context(), id.Key("c1", "m"), unused).Result(); err != nil || left {
			t.Errorf("%s: an unused version is left: %v, %v", id, left, err)
		}
	}
	if left, err := l.Alerts(t.Context(), ledger.AlertFilter{}); err != nil || len(left) != 1 || left[0].Code != "new" {
		t.Errorf("alerts that are left: %v, %v", left, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err == nil {
		t.Error("a closed ledger was swept")
	}
}
