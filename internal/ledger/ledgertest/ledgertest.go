// Package ledgertest opens ledgers for tests.
package ledgertest

import (
	"path/filepath"
	"testing"

	"github.com/workflow-bolt/rounds/internal/ledger"
)

// New returns an empty ledger in an SQLite file of its own.
func New(t testing.TB) *ledger.Ledger {
	t.Helper()
	return Open(t, "sqlite:"+filepath.Join(t.TempDir(), "ledger.db"))
}

// Open opens the ledger at a URL, creates its schema, and closes it when the test ends.
func Open(t testing.TB, url string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}
