package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/zone"
)

// tenantTTL is how long a tenant's practices and their time zones are used before they are read
// again.
const tenantTTL = 30 * time.Second

// tenantLimit is how long the ledger may take to read a tenant again before the cached one is used.
const tenantLimit = 500 * time.Millisecond

// tenantCache caches tenants that were read from the ledger. It is safe for concurrent use.
type tenantCache struct {
	read  func(context.Context, tenant.ID) (ledger.Tenant, error)
	names func(tenant.ID) practice.Names

	mu      sync.Mutex
	entries map[tenant.ID]*tenantInfo
}

// tenantInfo is one tenant's practices. It is immutable.
type tenantInfo struct {
	practices []string
	zones     map[string]string  // the names of the practices' time zones by the practices' numbers
	byRef     map[phi.Ref]string // the practices' numbers by the refs that events have
	readAt    time.Time
}

var errTimeZone = errors.New("the practice's time zone is unknown to this program")

// get returns a tenant. If the ledger does not have it, get fails with codes.NotFound and caches
// nothing. If the ledger does not answer, get returns the cached tenant, however old.
func (ts *tenantCache) get(ctx context.Context, id tenant.ID) (*tenantInfo, error) {
	ts.mu.Lock()
	have := ts.entries[id]
	ts.mu.Unlock()
	if have != nil && time.Since(have.readAt) < tenantTTL {
		return have, nil
	}
	next, err := ts.refresh(ctx, id, have)
	if err != nil {
		return nil, err
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.entries == nil {
		ts.entries = map[tenant.ID]*tenantInfo{}
	}
	ts.entries[id] = next
	return next, nil
}

func (ts *tenantCache) refresh(ctx context.Context, id tenant.ID, have *tenantInfo) (*tenantInfo, error) {
	limited, cancel := ctx, context.CancelFunc(func() {})
	if have != nil {
		limited, cancel = context.WithTimeout(ctx, tenantLimit)
	}
	defer cancel()
	t, err := ts.read(limited, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, fail(codes.NotFound, "")
	case err != nil && have != nil:
		again := *have
		again.readAt = time.Now() // so that not every request waits for the ledger's timeout
		return &again, nil
	case err != nil:
		return nil, fmt.Errorf("read tenant: %w", err)
	}
	next := &tenantInfo{zones: map[string]string{}, byRef: map[phi.Ref]string{}, readAt: time.Now()}
	names := ts.names(id)
	for _, p := range t.Practices {
		next.practices = append(next.practices, p.ID)
		next.zones[p.ID] = t.ZoneOf(p)
		next.byRef[names.Practice(p.ID)] = p.ID
	}
	return next, nil
}

// practice returns the time zone of one of the caller's practices. It fails with codes.NotFound if
// the practice is not the caller's.
func (g *Gateway) practice(ctx context.Context, id string) (*time.Location, error) {
	c, err := g.tenants.get(ctx, callerOf(ctx).Tenant)
	if err != nil {
		return nil, err
	}
	name, ok := c.zones[id]
	if !ok {
		return nil, fail(codes.NotFound, "")
	}
	found, err := zone.Load(name)
	if err != nil {
		return nil, fail(codes.Internal, "").withCause(errTimeZone)
	}
	return found, nil
}
