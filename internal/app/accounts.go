package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
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

var (
	// errKeyset keeps a process with another deployment's keyset from sealing with it what everybody else could not open.
	errKeyset = errors.New("the keyset opens nothing of what the ledger holds: use the one with which this ledger was begun")
)

// sealedTenants are the sealed credentials of the tenants in the ledger.
type sealedTenants map[tenant.ID][]byte

// knownTenants reads the tenants of the ledger and refuses a keyset that opens none of them. One that does not open among
// others is damaged: its tasks fail until its credentials are given anew.
func (f *foundation) knownTenants(ctx context.Context) (sealedTenants, error) {
	all, err := f.ledger.Tenants(ctx)
	if err != nil {
		return nil, lifecycle.Unreachable("ledger", err)
	}
	known := make(sealedTenants, len(all))
	closed := 0
	for _, t := range all {
		known[t.ID] = t.Credentials
		if _, err := f.keys.For(t.ID.String()).Open(t.Credentials, credentialsAD); err != nil {
			closed++
			f.log.ErrorContext(ctx, "credentials of a tenant do not open", "tenant", t.ID.String())
		}
	}
	if closed > 0 && closed == len(all) {
		return nil, fmt.Errorf("ROUNDS_KEYS: %w", errKeyset)
	}
	return known, nil
}

// applyTenants writes the tenants of the configuration into the ledger. Unchanged credentials keep their sealed bytes,
// because sealing the same twice gives different bytes, which would look like a change.
func (f *foundation) applyTenants(ctx context.Context, in []config.Tenant, known sealedTenants) error {
	if len(in) == 0 {
		return nil
	}
	out := make([]ledger.Tenant, 0, len(in))
	for _, t := range in {
		id, err := tenant.Parse(t.ID)
		if err != nil {
			return fmt.Errorf("ROUNDS_TENANTS: %w", err)
		}
		row := ledger.Tenant{ID: id, TimeZone: t.TimeZone, Hours: t.Hours}
		if row.Credentials, err = sealCredentials(f.keys.For(t.ID), t.Credentials, known[id]); err != nil {
			return fmt.Errorf("seal credentials of %s: %w", id, err)
		}
		for _, p := range t.Practices {
			row.Practices = append(row.Practices, ledger.Practice{ID: p.ID, Name: p.Name})
		}
		out = append(out, row)
	}
	changed, err := f.ledger.ApplyTenants(ctx, out)
	switch {
	case errors.Is(err, ledger.ErrInvalid):
		return fmt.Errorf("ROUNDS_TENANTS: %w", err)
	case err != nil:
		return lifecycle.Unreachable("ledger", err)
	case changed > 0:
		f.log.InfoContext(ctx, "tenants applied", "changed", changed)
	}
	return nil
}

// sealCredentials returns was when it holds the same.
func sealCredentials(seal *phi.Sealer, c config.Credentials, was []byte) ([]byte, error) {
	plain, err := phi.Marshal(credentials{
		CustomerKey: phi.Text(c.CustomerKey.Reveal()), User: phi.Text(c.User.Reveal()), Password: phi.Text(c.Password.Reveal()),
	})
	if err != nil {
		return nil, err
	}
	if old, err := seal.Open(was, credentialsAD); err == nil && bytes.Equal(old, plain) {
		return was, nil
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

// account is one tenant's, never changed once known.
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
	next, err := a.renew(ctx, id, have)
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

func (a *accounts) renew(ctx context.Context, id tenant.ID, have *account) (*account, error) {
	t, err := a.ledger.Tenant(ctx, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, tasks.Permanent(codes.UnknownTenant)
	case err != nil && have != nil:
		// Better an old password than no work while the ledger restarts; and not every task has to wait for its silence.
		again := *have
		again.read = time.Now()
		return &again, nil
	case err != nil:
		return nil, fmt.Errorf("read tenant: %w", err)
	}
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil {
		return nil, codes.UnknownZone // an operator can fix it, so the task is tried again
	}
	next := &account{Account: work.Account{Zone: zone, Practices: t.Practices}, sealed: t.Credentials, read: time.Now()}
	if have != nil && bytes.Equal(have.sealed, t.Credentials) {
		next.Vendor = have.Vendor
		return next, nil
	}
	next.Vendor, err = a.open(t)
	return next, err
}

func (a *accounts) open(t ledger.Tenant) (*tebra.Client, error) {
	var c credentials
	plain, err := a.keys.For(t.ID.String()).Open(t.Credentials, credentialsAD)
	if err != nil || phi.Unmarshal(plain, &c) != nil {
		return nil, codes.CredentialsDoNotOpen // an operator can fix it, so the task is tried again
	}
	vendor, err := tebra.New(tebra.Options{
		Endpoint: a.endpoint, Insecure: a.insecure, Account: t.ID.String(), Gate: a.gate,
		Credentials: tebra.Credentials{CustomerKey: c.CustomerKey, User: c.User, Password: c.Password},
		Trace:       trace, Observe: observe,
	})
	if err != nil {
		return nil, fmt.Errorf("open account: %w", err)
	}
	return vendor, nil
}

// trace makes a call of the vendor a span.
func trace(ctx context.Context, operation string) (context.Context, func(tebra.Code)) {
	ctx, span := telemetry.Start(ctx, telemetry.SpanVendor, telemetry.Operation(operation))
	return ctx, func(code tebra.Code) { span.End(string(code)) }
}

// observe counts the calls that the vendor may have seen.
func observe(ctx context.Context, o tebra.Observation) {
	if !o.Sent {
		return
	}
	telemetry.VendorCalled(ctx, o.Operation, string(o.Code), o.Latency)
	if o.Code == tebra.Throttled {
		telemetry.VendorThrottled(ctx, o.Operation)
	}
}
