package ledger

import (
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/pgtest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == buryUntilKilled {
		buryForever(os.Args[2])
	}
	pgtest.Main(m)
}

var dialects = []string{SQLite, Postgres}

// noon is an instant with microseconds.
var noon = time.Date(2026, time.March, 2, 12, 0, 0, 123456000, time.UTC)

// each runs a test on a new, migrated ledger of each dialect.
func each(t *testing.T, test func(t *testing.T, l *Ledger)) {
	t.Helper()
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			test(t, migrated(t, dialect))
		})
	}
}

// migrated returns a new ledger that is ready for use.
func migrated(t *testing.T, dialect string) *Ledger {
	t.Helper()
	l := open(t, address(t, dialect))
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// address returns the address of a new, empty database.
func address(t *testing.T, dialect string) string {
	t.Helper()
	if dialect == Postgres {
		return pgtest.URL(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
}

func open(t *testing.T, address string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// apply adds tenants with default settings.
func apply(t *testing.T, l *Ledger, ids ...tenant.ID) {
	t.Helper()
	var tenants []Tenant
	for _, id := range ids {
		tenants = append(tenants, Tenant{ID: id, TimeZone: "UTC"})
	}
	if _, err := l.ApplyTenants(t.Context(), tenants); err != nil {
		t.Fatal(err)
	}
}

// must fails the test on an error and returns the value.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// concurrently writes the same rows from several callers at once, half of them in reverse order,
// and returns the sum of their counts.
func concurrently[T any](t *testing.T, rows []T, write func(own []T) (int, error)) int {
	t.Helper()
	var sum atomic.Int64
	var all errgroup.Group
	for n := range 8 {
		own := slices.Clone(rows)
		if n%2 == 0 {
			slices.Reverse(own)
		}
		all.Go(func() error {
			count, err := write(own)
			sum.Add(int64(count))
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	return int(sum.Load())
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(civil.Date{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
