package account

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// DataKeys returns the key that seals a tenant's cached values. The ledger holds it wrapped;
// whichever process needs it first generates it. The cache keeps a key for a while and then asks
// again, so that a key that was deleted soon stops working everywhere. DataKeys is safe for
// concurrent use.
type DataKeys struct {
	ledger *ledger.Ledger
	keys   *phi.Keys

	mu   sync.Mutex
	last map[tenant.ID]*phi.DataKey // used while the ledger is unreachable
}

// NewDataKeys returns DataKeys that have read nothing yet.
func NewDataKeys(l *ledger.Ledger, keys *phi.Keys) *DataKeys {
	return &DataKeys{ledger: l, keys: keys, last: map[tenant.ID]*phi.DataKey{}}
}

// Key returns the tenant's key. While the ledger is unreachable it returns the last key it read, so
// that boards can be read during a restart of the ledger.
func (d *DataKeys) Key(ctx context.Context, id tenant.ID) (*phi.DataKey, error) {
	sealer := d.keys.For(id.String())
	wrapped, err := d.ledger.DataKey(ctx, id, func() ([]byte, error) {
		fresh, err := phi.NewDataKey()
		if err != nil {
			return nil, err
		}
		return sealer.Wrap(fresh)
	})
	if err != nil {
		if key := d.lastKey(id); key != nil && !errors.Is(err, ledger.ErrNotFound) {
			return key, nil
		}
		return nil, fmt.Errorf("read data key: %w", err)
	}
	key, err := sealer.Unwrap(wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrap data key: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last[id] = key
	return key, nil
}

func (d *DataKeys) lastKey(id tenant.ID) *phi.DataKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last[id]
}
