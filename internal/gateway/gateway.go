package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// Options configure a Gateway. All fields but Unavailable, Now, Logger and Limits are required.
type Options struct {
	Store  *practice.Store
	Tasks  *tasks.Client
	Events redis.UniversalClient // the cache's Redis, which holds the event log
	Keys   *phi.Keys             // for the keyed digests in ETags
	// Tenant reads a tenant's practices and time zone.
	Tenant  func(ctx context.Context, id tenant.ID) (ledger.Tenant, error)
	Callers []access.Key // at least one
	// Unavailable is called after a change was queued because the cache did not take it, with the
	// code of the outage. From its return until the change is applied, Store is to call the views
	// of the tenant stale. Defaults to nothing.
	Unavailable func(context.Context, codes.Code)
	Now         func() time.Time // decides which day is "today"; defaults to real time
	Logger      *slog.Logger     // defaults to discarding
	Limits      Limits
}

// Limits bound what callers may use. A zero field means the default that its comment gives.
type Limits struct {
	Rate            float64       // requests a second of one key; default 50
	Burst           int           // requests of one key in a burst; default 100
	Concurrent      int           // concurrent requests of one key; default 64
	Streams         int           // streams of one key; default 100
	TotalStreams    int           // streams of all keys; default 1000
	Unauthenticated float64       // requests a second without a known key, all clients together; default 20
	BodyTimeout     time.Duration // for reading a body; default 5 s
	ColdWait        time.Duration // for a view that is not cached; default 2 s
	Heartbeat       time.Duration // between heartbeats on a stream; default 15 s
	WriteTimeout    time.Duration // for each write to a stream; default 10 s
}

func (l *Limits) setDefaults() {
	l.Rate, l.Burst = cmp.Or(l.Rate, 50), cmp.Or(l.Burst, 100)
	l.Concurrent, l.Streams, l.TotalStreams = cmp.Or(l.Concurrent, 64), cmp.Or(l.Streams, 100), cmp.Or(l.TotalStreams, 1000)
	l.Unauthenticated = cmp.Or(l.Unauthenticated, 20)
	l.BodyTimeout, l.ColdWait = cmp.Or(l.BodyTimeout, 5*time.Second), cmp.Or(l.ColdWait, 2*time.Second)
	l.Heartbeat, l.WriteTimeout = cmp.Or(l.Heartbeat, 15*time.Second), cmp.Or(l.WriteTimeout, 10*time.Second)
}

// Gateway serves the API's requests. It is safe for concurrent use.
type Gateway struct {
	Options
	api             huma.API
	mux             *http.ServeMux
	routes          map[string]route // by pattern
	document        []byte
	callers         []*caller
	unauthenticated *rate.Limiter
	tenants         tenantCache

	mu       sync.Mutex
	running  sync.WaitGroup
	streams  int
	drained  chan struct{} // closed when Drain begins
	draining bool
}

// New returns a Gateway that is ready to serve. It fails if a required option is missing or a key
// names an invalid tenant.
func New(o Options) (*Gateway, error) {
	if o.Store == nil || o.Tasks == nil || o.Events == nil || o.Keys == nil || o.Tenant == nil || len(o.Callers) == 0 {
		return nil, errors.New("gateway: every dependency and at least one key are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Unavailable == nil {
		o.Unavailable = func(context.Context, codes.Code) {}
	}
	o.Limits.setDefaults()
	g := &Gateway{
		Options: o, routes: map[string]route{}, drained: make(chan struct{}),
		unauthenticated: rate.NewLimiter(rate.Limit(o.Limits.Unauthenticated), int(o.Limits.Unauthenticated)+1),
		tenants:         tenantCache{read: o.Tenant, names: o.Store.Names},
	}
	for _, k := range o.Callers {
		if _, err := tenant.Parse(k.Tenant.String()); err != nil {
			return nil, fmt.Errorf("gateway: key %s: %w", k.Name, err)
		}
		g.callers = append(g.callers, &caller{
			Key: k, requests: rate.NewLimiter(rate.Limit(o.Limits.Rate), o.Limits.Burst), demands: rate.NewLimiter(demandRate, demandBurst),
		})
	}
	return g, g.register()
}

// Drain makes the gateway refuse new requests and end its streams, each with a retry delay for the
// client. Other requests in progress continue.
func (g *Gateway) Drain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.draining {
		g.draining = true
		close(g.drained)
	}
}

// Wait returns when no request is in progress, or an error when ctx ends first. Call it after
// Drain.
func (g *Gateway) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		g.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("gateway: requests are still in progress: %w", context.Cause(ctx))
	}
}

// beginRequest counts a new request, or returns false if the gateway is draining.
func (g *Gateway) beginRequest() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining {
		return false
	}
	g.running.Add(1)
	return true
}
