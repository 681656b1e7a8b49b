package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

const maxWrappedKey = 4 << 10 // bytes; a wrapped AES key takes about a hundred

// DataKey returns the tenant's wrapped data key, and stores the one that create makes when there is none. Of callers that
// create at the same time, in any process, the first to store wins and all get its key. create runs outside any
// transaction, at most once, and may be slow; its error is returned as it is. An unknown tenant is ErrNotFound, and
// create is not asked.
//
// A caller keeps what it got: the key of a tenant never changes while its row lives.
func (l *Ledger) DataKey(ctx context.Context, id tenant.ID, create func() ([]byte, error)) ([]byte, error) {
	if err := checkTenant(id); err != nil {
		return nil, err
	}
	wrapped, known, err := l.dataKey(ctx, id)
	if err != nil || wrapped != nil {
		return wrapped, err
	}
	if !known {
		return nil, fmt.Errorf("data key: tenant: %w", ErrNotFound)
	}
	fresh, err := create()
	if err != nil {
		return nil, err
	}
	if len(fresh) == 0 {
		return nil, invalid("data key is empty")
	}
	if err := checkBytes("data key", fresh, maxWrappedKey); err != nil {
		return nil, err
	}
	if err := l.offerDataKey(ctx, id, fresh); err != nil {
		return nil, err
	}
	wrapped, _, err = l.dataKey(ctx, id)
	if err == nil && wrapped == nil { // shredded between the two statements
		return nil, fmt.Errorf("data key: %w", ErrNotFound)
	}
	return wrapped, err
}

// dataKey returns the stored key, nil when there is none, and whether the tenant is known.
func (l *Ledger) dataKey(ctx context.Context, id tenant.ID) (wrapped []byte, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	row := l.db.QueryRowContext(ctx, `SELECT k.wrapped FROM tenants t LEFT JOIN data_keys k ON k.tenant_id = t.id
		WHERE t.id = $1`, string(id))
	err = row.Scan(&wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return wrapped, err == nil, fault("read data key", err)
}

func (l *Ledger) offerDataKey(ctx context.Context, id tenant.ID, wrapped []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := l.db.ExecContext(ctx, `INSERT INTO data_keys (tenant_id, wrapped) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		string(id), wrapped)
	return fault("store data key", err)
}
