package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/work"
	"github.com/workflow-bolt/rounds/tasks"
)

// credentials is what lies sealed in the ledger for each tenant.
type credentials struct {
	CustomerKey phi.Text `json:"customer_key"`
	User        phi.Text `json:"user"`
	Password    phi.Text `json:"password"`
}

const credentialsAD = "tebra-credentials"

// applyTenants writes the tenants of the configuration into the ledger. Unchanged credentials keep their sealed bytes,
// because sealing the same twice gives different bytes, which would look like a change.
func (f *foundation) applyTenants(ctx context.Context, in []config.Tenant) error {
	if len(in) == 0 {
		return nil
	}
	out := make([]ledger.Tenant, 0, len(in))
	for _, t := range in {
		id, err := tenant.Parse(t.ID)
		if err != nil {
			return fmt.Errorf("ROUNDS_TENANTS: %w", err)
		}
		c := credentials{
			CustomerKey: phi.Text(t.Credentials.CustomerKey.Reveal()), User: phi.Text(t.Credentials.User.Reveal()),
			Password: phi.Text(t.Credentials.Password.Reveal()),
		}
		row := ledger.Tenant{ID: id, TimeZone: t.TimeZone, Hours: t.Hours}
		if row.Credentials, err = f.sealCredentials(ctx, id, c); err != nil {
			return err
		}
		for _, p := range t.Practices {
			row.Practices = append(row.Practices, ledger.Practice{ID: p.ID, Name: p.Name})
		}
		out = append(out, row)
	}
	changed, err := f.ledger.ApplyTenants(ctx, out)
	if err != nil {
		return dependency("ledger", err)
	}
	if changed > 0 {
		f.log.InfoContext(ctx, "tenants applied", "changed", changed)
	}
	return nil
}

func (f *foundation) sealCredentials(ctx context.Context, id tenant.ID, c credentials) ([]byte, error) {
	seal := f.keys.For(id.String())
	plain, err := phi.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: credentials: %w", id, err)
	}
	switch known, err := f.ledger.Tenant(ctx, id); {
	case err == nil:
		if was, err := seal.Open(known.Credentials, credentialsAD); err == nil && bytes.Equal(was, plain) {
			return known.Credentials, nil
		}
	case !errors.Is(err, ledger.ErrNotFound):
		return nil, dependency("ledger", err)
	}
	return seal.Seal(plain, credentialsAD)
}

// accountTTL is how long an account is used before the ledger is asked again: a changed password takes effect within it.
const accountTTL = 30 * time.Second

// accounts gives each tenant its client of the vendor. It is safe for concurrent use.
type accounts struct {
	ledger   *ledger.Ledger
	keys     *phi.Keys
	gate     tebra.Gate
	endpoint string
	insecure bool

	mu    sync.Mutex
	known map[tenant.ID]*account
}

type account struct {
	work.Account
	sealed []byte
	read   time.Time
}

// account returns the tenant's account. A tenant that the ledger does not know is a permanent error; a ledger that does
// not answer is not.
func (a *accounts) account(ctx context.Context, id tenant.ID) (*work.Account, error) {
	a.mu.Lock()
	have := a.known[id]
	a.mu.Unlock()
	if have != nil && time.Since(have.read) < accountTTL {
		return &have.Account, nil
	}
	t, err := a.ledger.Tenant(ctx, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, tasks.Permanent(errors.New("unknown_tenant"))
	case err != nil && have != nil:
		return &have.Account, nil // better an old password than no work while the ledger restarts
	case err != nil:
		return nil, fmt.Errorf("read tenant: %w", err)
	}
	next, err := a.open(t, have)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known = map[tenant.ID]*account{}
	}
	a.known[id] = next
	return &next.Account, nil
}

func (a *accounts) open(t ledger.Tenant, have *account) (*account, error) {
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil {
		return nil, tasks.Permanent(errors.New("unknown_zone"))
	}
	next := &account{Account: work.Account{Zone: zone, Practices: t.Practices}, sealed: t.Credentials, read: time.Now()}
	if have != nil && bytes.Equal(have.sealed, t.Credentials) {
		next.Vendor = have.Vendor
		return next, nil
	}
	plain, err := a.keys.For(t.ID.String()).Open(t.Credentials, credentialsAD)
	if err != nil {
		return nil, fmt.Errorf("open credentials: %w", err)
	}
	var c credentials
	if err := phi.Unmarshal(plain, &c); err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	next.Vendor, err = tebra.New(tebra.Options{
		Endpoint: a.endpoint, Insecure: a.insecure, Account: t.ID.String(), Gate: a.gate,
		Credentials: tebra.Credentials{CustomerKey: c.CustomerKey, User: c.User, Password: c.Password},
		Trace: func(ctx context.Context, operation string) (context.Context, func(tebra.Code)) {
			ctx, span := telemetry.Start(ctx, telemetry.SpanVendor, telemetry.Operation(operation))
			return ctx, func(code tebra.Code) { span.End(string(code)) }
		},
		Observe: func(ctx context.Context, o tebra.Observation) {
			telemetry.VendorCalled(ctx, o.Operation, string(o.Code), o.Latency)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open account: %w", err)
	}
	return next, nil
}
