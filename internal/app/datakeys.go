package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// dataKeyTTL bounds how long a process goes on reading a tenant's cached values after the tenant's key was deleted.
const dataKeyTTL = 5 * time.Minute

// dataKeys gives each tenant the key of its cached values: the wrapped key in the ledger, made at the first use of the
// tenant by whichever process comes first. It is safe for concurrent use.
type dataKeys struct {
	ledger *ledger.Ledger
	keys   *phi.Keys

	mu    sync.Mutex
	known map[tenant.ID]dataKey
}

type dataKey struct {
	key  *phi.DataKey
	read time.Time
}

func (d *dataKeys) key(ctx context.Context, id tenant.ID) (*phi.DataKey, error) {
	d.mu.Lock()
	have, ok := d.known[id]
	d.mu.Unlock()
	if ok && time.Since(have.read) < dataKeyTTL {
		return have.key, nil
	}
	seal := d.keys.For(id.String())
	wrapped, err := d.ledger.DataKey(ctx, id, func() ([]byte, error) {
		fresh, err := phi.NewDataKey()
		if err != nil {
			return nil, err
		}
		return seal.Wrap(fresh)
	})
	if err != nil {
		return nil, fmt.Errorf("read data key: %w", err)
	}
	key, err := seal.Unwrap(wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrap data key: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[tenant.ID]dataKey{}
	}
	d.known[id] = dataKey{key: key, read: time.Now()}
	return key, nil
}
