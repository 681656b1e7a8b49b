package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ErrNoFile means that the file of a sqlite: address does not exist.
var ErrNoFile = errors.New("the SQLite file does not exist")

// OpenExisting is Open for callers that must not create anything: a missing SQLite file is
// ErrNoFile.
func OpenExisting(ctx context.Context, address string) (*Ledger, error) {
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		if _, err := os.Stat(path); err != nil {
			return nil, ErrNoFile
		}
	}
	return Open(ctx, address)
}

// StoredDataKey returns the tenant's wrapped data key. It returns ErrNotFound for a tenant without
// a key and for an unknown tenant.
func (l *Ledger) StoredDataKey(ctx context.Context, id tenant.ID) ([]byte, error) {
	if err := checkTenant(id); err != nil {
		return nil, err
	}
	wrapped, _, err := l.dataKey(ctx, id)
	if err == nil && wrapped == nil {
		return nil, fmt.Errorf("data key: %w", ErrNotFound)
	}
	return wrapped, err
}
