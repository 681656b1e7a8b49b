package app

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// dataKeys gives each tenant the key of its cached values: the wrapped key in the ledger, made at the first use of the
// tenant by whichever process comes first. The cache keeps what it gets for a while and then asks again, so that a key
// that was deleted is soon gone everywhere. It is safe for concurrent use.
type dataKeys struct {
	ledger *ledger.Ledger
	keys   *phi.Keys

	mu   sync.Mutex
	last map[tenant.ID]*phi.DataKey // for the time in which the ledger does not answer
}

func (d *dataKeys) key(ctx context.Context, id tenant.ID) (*phi.DataKey, error) {
	seal := d.keys.For(id.String())
	wrapped, err := d.ledger.DataKey(ctx, id, func() ([]byte, error) {
		fresh, err := phi.NewDataKey()
		if err != nil {
			return nil, err
		}
		return seal.Wrap(fresh)
	})
	if err != nil {
		if key := d.known(id); key != nil && !errors.Is(err, ledger.ErrNotFound) {
			return key, nil // boards are read while the ledger restarts
		}
		return nil, fmt.Errorf("read data key: %w", err)
	}
	key, err := seal.Unwrap(wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrap data key: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		d.last = map[tenant.ID]*phi.DataKey{}
	}
	d.last[id] = key
	return key, nil
}

func (d *dataKeys) known(id tenant.ID) *phi.DataKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last[id]
}
