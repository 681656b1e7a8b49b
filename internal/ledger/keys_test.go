package ledger

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
)

func TestConcurrentDataKeysHaveOneWinner(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		const callers = 32
		var made atomic.Int64
		got := make([]string, callers)
		// All callers make a key before any of them stores one, so without a common winner the keys
		// would differ.
		allMade := make(chan struct{})
		var all errgroup.Group
		for n := range callers {
			all.Go(func() error {
				key, err := l.DataKey(t.Context(), "clinic-a", func() ([]byte, error) {
					if made.Add(1) == callers {
						close(allMade)
					}
					<-allMade
					return fmt.Appendf(nil, "key-%d", n), nil
				})
				got[n] = string(key)
				return err
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		storedKey := string(must[[]byte](t)(l.DataKey(t.Context(), "clinic-a", func() ([]byte, error) {
			return nil, errors.New("create was called although a key exists")
		})))
		for n, key := range got {
			if key != storedKey || key == "" {
				t.Errorf("caller %d got %q, stored is %q", n, key, storedKey)
			}
		}
	})
}

func TestDataKeyBelongsToItsTenant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a", "clinic-b")
		a := must[[]byte](t)(l.DataKey(t.Context(), "clinic-a", func() ([]byte, error) { return []byte{0, 'a'}, nil }))
		b := must[[]byte](t)(l.DataKey(t.Context(), "clinic-b", func() ([]byte, error) { return []byte{0, 'b'}, nil }))
		equal(t, "keys", [][]byte{a, b}, [][]byte{{0, 'a'}, {0, 'b'}})
		if _, err := l.db.ExecContext(t.Context(), "DELETE FROM tenants WHERE id = 'clinic-a'"); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := l.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM data_keys").Scan(&left); err != nil || left != 1 {
			t.Errorf("%d keys are left after one of two tenants was removed (%v)", left, err)
		}
	})
}

func TestDataKeyErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		unexpected := func() ([]byte, error) { t.Error("create was called"); return nil, nil } //nolint:nilnil // never called
		if _, err := l.DataKey(t.Context(), "clinic-x", unexpected); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown tenant: %v", err)
		}
		if _, err := l.DataKey(t.Context(), "Clinic X", unexpected); !errors.Is(err, ErrInvalid) {
			t.Errorf("invalid tenant: %v", err)
		}
		broken := errors.New("no entropy")
		if _, err := l.DataKey(t.Context(), "clinic-a", func() ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
			t.Errorf("create's error: %v", err)
		}
		for _, key := range [][]byte{nil, {}, make([]byte, maxWrappedKey+1)} {
			if _, err := l.DataKey(t.Context(), "clinic-a", func() ([]byte, error) { return key, nil }); !errors.Is(err, ErrInvalid) {
				t.Errorf("a key of %d bytes: %v", len(key), err)
			}
		}
		// A tenant that is removed while its key is created gets none.
		_, err := l.DataKey(t.Context(), "clinic-a", func() ([]byte, error) {
			_, err := l.db.ExecContext(t.Context(), "DELETE FROM tenants")
			return []byte("late"), err
		})
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("tenant removed during create: %v", err)
		}
	})
}
