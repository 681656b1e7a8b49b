package account

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/zone"
	"github.com/workflow-bolt/rounds/tasks"
)

// Account is what a tenant's tasks work with.
type Account struct {
	Vendor    *tebra.Client
	Login     string // a name of the version of the credentials
	TimeZone  string // of practices without their own
	Practices []ledger.Practice
}

// ZoneOf returns the time zone of a practice. The error codes.UnknownZone is not permanent: an
// operator can correct the zone.
func (a *Account) ZoneOf(p ledger.Practice) (*time.Location, error) {
	found, err := zone.Load(cmp.Or(p.TimeZone, a.TimeZone))
	if err != nil {
		return nil, codes.UnknownZone
	}
	return found, nil
}

// ttl is how long an account is used before the ledger is read again: a changed password takes
// effect within it.
const ttl = 30 * time.Second

// Options say what accounts are made of. Ledger and Keys are required.
type Options struct {
	Ledger *ledger.Ledger
	Keys   *phi.Keys
	Gate   tebra.Gate // asked before each call; nil allows every call
	// Weigh is called with a tenant's weight whenever the tenant was read from the ledger, before
	// its first call. Defaults to nothing.
	Weigh    func(tenant.ID, int)
	Endpoint string // where the vendor's service answers
	Insecure bool   // allows plain http, for a simulator
}

// Accounts returns the account of each tenant. It is safe for concurrent use.
type Accounts struct {
	o Options

	mu    sync.Mutex
	known map[tenant.ID]*entry
}

// entry is one tenant's account as it was last read. It is not changed once it is in the map.
type entry struct {
	Account
	sealed []byte // the credentials that Vendor was made with
	read   time.Time
}

// New returns Accounts that have read nothing yet.
func New(o Options) *Accounts { return &Accounts{o: o, known: map[tenant.ID]*entry{}} }

// Account returns the tenant's account. A tenant that is not in the ledger is a permanent error; an
// unreachable ledger is not.
func (a *Accounts) Account(ctx context.Context, id tenant.ID) (*Account, error) {
	a.mu.Lock()
	current := a.known[id]
	a.mu.Unlock()
	if current != nil && time.Since(current.read) < ttl {
		return &current.Account, nil
	}
	return a.read(ctx, id, current)
}

// Reload is Account for callers that know that the ledger has changed: it reads the ledger, if that
// answers.
func (a *Accounts) Reload(ctx context.Context, id tenant.ID) (*Account, error) {
	a.mu.Lock()
	current := a.known[id]
	a.mu.Unlock()
	return a.read(ctx, id, current)
}

func (a *Accounts) read(ctx context.Context, id tenant.ID, current *entry) (*Account, error) {
	next, err := a.renew(ctx, id, current)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[id] = next
	return &next.Account, nil
}

func (a *Accounts) renew(ctx context.Context, id tenant.ID, current *entry) (*entry, error) {
	t, err := a.o.Ledger.Tenant(ctx, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, tasks.Permanent(codes.UnknownTenant)
	case err != nil && current != nil:
		// While the ledger restarts, a possibly outdated password is better than no work, and it is
		// kept for another ttl so that not every task waits for the ledger.
		again := *current
		again.read = time.Now()
		return &again, nil
	case err != nil:
		return nil, fmt.Errorf("read tenant: %w", err)
	}
	if a.o.Weigh != nil {
		a.o.Weigh(id, t.Weight)
	}
	next := &entry{Account: Account{Login: loginOf(t.Credentials), TimeZone: t.TimeZone, Practices: t.Practices}, sealed: t.Credentials, read: time.Now()}
	if current != nil && bytes.Equal(current.sealed, t.Credentials) {
		next.Vendor = current.Vendor
		return next, nil
	}
	next.Vendor, err = a.open(t)
	return next, err
}

// open returns a client with the tenant's credentials.
func (a *Accounts) open(t ledger.Tenant) (*tebra.Client, error) {
	var c credentials
	plain, err := a.o.Keys.For(t.ID.String()).Open(t.Credentials, credentialsAD)
	if errors.Is(err, phi.ErrUnknownKey) {
		return nil, codes.UnknownKey // another process has a newer keyset
	}
	if err != nil || phi.Unmarshal(plain, &c) != nil {
		return nil, codes.CredentialsDoNotOpen // retried: an operator can correct it
	}
	vendor, err := tebra.New(tebra.Options{
		Endpoint: a.o.Endpoint, Insecure: a.o.Insecure, Account: t.ID.String(), Gate: a.o.Gate,
		Login: loginOf(t.Credentials), Credentials: tebra.Credentials{CustomerKey: c.CustomerKey, User: c.User, Password: c.Password},
		Trace: trace, Observe: observe,
	})
	if err != nil {
		return nil, fmt.Errorf("open account: %w", err)
	}
	return vendor, nil
}

// loginOf names a version of credentials. They are sealed again whenever they change, with a new
// nonce, so the name says nothing about them.
func loginOf(sealed []byte) string {
	sum := sha256.Sum256(sealed)
	return hex.EncodeToString(sum[:8])
}

// trace records a vendor call as a span.
func trace(ctx context.Context, operation string) (context.Context, func(tebra.Code)) {
	ctx, span := telemetry.Start(ctx, telemetry.SpanVendor, telemetry.Operation(operation))
	return ctx, func(code tebra.Code) { span.End(string(code)) }
}

// observe counts the calls that the vendor may have received, and what could not be read of its
// responses.
func observe(ctx context.Context, o tebra.Observation) {
	if !o.Sent {
		return
	}
	telemetry.VendorCalled(ctx, o.Operation, string(o.Code), o.Latency)
	if o.Code == tebra.Throttled {
		telemetry.VendorThrottled(ctx, o.Operation)
	}
	for code, parts := range map[codes.Code]int{
		codes.RowUnreadable: o.SetAside, codes.RowField: o.Unread, codes.TextReplaced: o.Repaired,
	} {
		if parts > 0 {
			telemetry.VendorUnreadable(ctx, o.Operation, string(code), parts)
		}
	}
}
