package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

const maxWrappedKey = 4 << 10 // bytes; a wrapped AES key takes about a hundred

// DataKey returns the tenant's wrapped data key. If there is none, it stores the key that create
// returns. When several callers create at the same time, in any process, the first key stored wins
// and all of them receive it. create runs outside any transaction, at most once, and may be slow;
// its error is returned unchanged. An unknown tenant is ErrNotFound, without a call of create.
//
// A caller may cache the key: a tenant's key never changes while its row exists.
func (l *Ledger) DataKey(ctx context.Context, id tenant.ID, create func() ([]byte, error)) ([]byte, error) {
	if err := checkTenant(id); err != nil {
		return nil, err
	}
	wrapped, found, err := l.dataKey(ctx, id)
	if err != nil || wrapped != nil {
		return wrapped, err
	}
	if !found {
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
	if err := l.insertDataKey(ctx, id, fresh); err != nil {
		return nil, err
	}
	wrapped, _, err = l.dataKey(ctx, id)
	if err == nil && wrapped == nil { // deleted between the two statements
		return nil, fmt.Errorf("data key: %w", ErrNotFound)
	}
	return wrapped, err
}

// dataKey returns the stored key, nil if there is none, and whether the tenant exists.
func (l *Ledger) dataKey(ctx context.Context, id tenant.ID) (wrapped []byte, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	row := l.db.QueryRowContext(ctx, `SELECT k.wrapped FROM tenants t LEFT JOIN data_keys k ON k.tenant_id = t.id
		WHERE t.id = $1`, string(id))
	err = row.Scan(&wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return wrapped, err == nil, dbError("read data key", err)
}

func (l *Ledger) insertDataKey(ctx context.Context, id tenant.ID, wrapped []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := l.db.ExecContext(ctx, `INSERT INTO data_keys (tenant_id, wrapped) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		string(id), wrapped)
	return dbError("store data key", err)
}
