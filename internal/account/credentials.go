package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// credentials is what the ledger holds sealed for each tenant.
type credentials struct {
	CustomerKey phi.Text `json:"customer_key"`
	User        phi.Text `json:"user"`
	Password    phi.Text `json:"password"`
}

const credentialsAD = "tebra-credentials"

// ErrKeyset is returned by Apply for a keyset that opens no tenant's credentials. It keeps a
// process with another deployment's keyset from sealing credentials that no other process could
// open.
var ErrKeyset = errors.New("the keyset opens nothing of what the ledger holds: use the one with which this ledger was begun")

// Apply checks that the keyset belongs to the ledger and writes the configured tenants into it,
// with their credentials sealed. Without configured tenants it changes nothing.
//
// A tenant whose credentials do not open although others do is damaged. It is logged, and its tasks
// fail until its credentials are configured again.
func Apply(ctx context.Context, l *ledger.Ledger, keys *phi.Keys, tenants []config.Tenant, log *slog.Logger) error {
	sealed, err := readSealed(ctx, l, keys, log)
	if err != nil || len(tenants) == 0 {
		return err
	}
	rows := make([]ledger.Tenant, 0, len(tenants))
	for _, t := range tenants {
		id, err := tenant.Parse(t.ID)
		if err != nil {
			return fmt.Errorf("ROUNDS_TENANTS: %w", err)
		}
		row := ledger.Tenant{ID: id, TimeZone: t.TimeZone, Hours: t.Hours, Weight: t.Weight}
		if row.Credentials, err = seal(keys.For(t.ID), t.Credentials, sealed[id]); err != nil {
			return fmt.Errorf("seal credentials of %s: %w", id, err)
		}
		for _, p := range t.Practices {
			row.Practices = append(row.Practices, ledger.Practice{ID: p.ID, Name: p.Name, TimeZone: p.TimeZone})
		}
		rows = append(rows, row)
	}
	changed, err := l.ApplyTenants(ctx, rows)
	switch {
	case errors.Is(err, ledger.ErrInvalid):
		return fmt.Errorf("ROUNDS_TENANTS: %w", err)
	case err != nil:
		return lifecycle.Unreachable("ledger", err)
	case changed > 0:
		log.InfoContext(ctx, "tenants applied", "changed", changed)
	}
	return nil
}

// readSealed returns the sealed credentials of every tenant in the ledger, or ErrKeyset.
func readSealed(ctx context.Context, l *ledger.Ledger, keys *phi.Keys, log *slog.Logger) (map[tenant.ID][]byte, error) {
	all, err := l.Tenants(ctx)
	if err != nil {
		return nil, lifecycle.Unreachable("ledger", err)
	}
	sealed := make(map[tenant.ID][]byte, len(all))
	closed := 0
	for _, t := range all {
		sealed[t.ID] = t.Credentials
		if _, err := keys.For(t.ID.String()).Open(t.Credentials, credentialsAD); err != nil {
			closed++
			log.ErrorContext(ctx, "credentials of a tenant do not open", "tenant", t.ID.String())
		}
	}
	if closed > 0 && closed == len(all) {
		return nil, fmt.Errorf("ROUNDS_KEYS: %w", ErrKeyset)
	}
	return sealed, nil
}

// seal returns the sealed credentials. It returns the stored bytes when they hold the same, because
// sealing is randomized and new bytes would look like a change.
func seal(sealer *phi.Sealer, c config.Credentials, stored []byte) ([]byte, error) {
	plain, err := phi.Marshal(credentials{
		CustomerKey: phi.Text(c.CustomerKey.Reveal()), User: phi.Text(c.User.Reveal()), Password: phi.Text(c.Password.Reveal()),
	})
	if err != nil {
		return nil, err
	}
	if old, err := sealer.Open(stored, credentialsAD); err == nil && bytes.Equal(old, plain) {
		return stored, nil
	}
	return sealer.Seal(plain, credentialsAD)
}
