package account

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// apply writes the tenants into the ledger, as each process does at its start.
func (f *fixture) apply(t *testing.T) {
	t.Helper()
	if err := Apply(t.Context(), f.ledger, f.keys, f.tenants, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) sealed(t *testing.T) []byte {
	t.Helper()
	row, err := f.ledger.Tenant(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	return row.Credentials
}

func TestUnchangedCredentialsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.apply(t)
	before := f.sealed(t)
	f.apply(t)
	if !bytes.Equal(before, f.sealed(t)) {
		t.Error("the same credentials were sealed again")
	}
	if bytes.Contains(before, []byte(f.tenants[0].Credentials.Password.Reveal())) {
		t.Error("the ledger holds a password")
	}
}

func TestForeignKeysetChangesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.apply(t)
	before := f.sealed(t)
	foreign, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	err = Apply(t.Context(), f.ledger, foreign, f.tenants, slog.New(slog.NewTextHandler(&log, nil)))
	if !errors.Is(err, ErrKeyset) {
		t.Errorf("a foreign keyset: %v", err)
	}
	if !strings.Contains(log.String(), "tenant=clinic-a") {
		t.Errorf("the log does not name the tenant: %s", log.String())
	}
	if !bytes.Equal(before, f.sealed(t)) {
		t.Error("the credentials were sealed with a foreign keyset")
	}
}
