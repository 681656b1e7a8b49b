package account

import (
	"errors"
	"testing"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
)

func TestDataKeysAreSharedThroughTheLedger(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.apply(t)
	one, two := NewDataKeys(f.ledger, f.keys), NewDataKeys(f.ledger, f.keys)
	key, err := one.Key(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal([]byte("value"), []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	same, err := two.Key(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := same.Open(sealed, []byte("key")); err != nil || string(plain) != "value" {
		t.Errorf("two processes have two keys: %v", err)
	}
	if _, err := one.Key(t.Context(), "clinic-z"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("an unknown tenant: %v", err)
	}
	foreign, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewDataKeys(f.ledger, foreign).Key(t.Context(), clinicA); !errors.Is(err, phi.ErrOpen) {
		t.Errorf("a foreign keyset: %v", err)
	}
	if err := f.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := one.Key(t.Context(), clinicA); err != nil || again.ID() != key.ID() {
		t.Errorf("while the ledger is unreachable: %v", err)
	}
	if _, err := NewDataKeys(f.ledger, f.keys).Key(t.Context(), clinicA); err == nil {
		t.Error("a process that never read the key has one")
	}
}
