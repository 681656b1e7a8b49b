package monitor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// Options configure a Monitor.
type Options struct {
	QueueURL  string         // the queue's Redis. Required.
	LedgerURL string         // Required.
	Logins    []access.Login // who may log in. Required.
	// Production refuses a Redis that loses tasks, and restricts cookies to TLS, which a proxy
	// terminates.
	Production bool
	Logger     *slog.Logger // defaults to none
}

// Monitor is the operators' site, made by Open. It is safe for concurrent use.
type Monitor struct {
	log      *slog.Logger
	secure   bool
	queue    redis.UniversalClient
	ledger   *ledger.Ledger
	logins   *access.Authenticator
	sessions sessions
	console  *console
	pages    *pages
	sampler  *sampler
	streams  chan struct{} // one element for each open stream

	drainOnce sync.Once
	draining  chan struct{}
}

// Open connects to both stores, which must answer before ctx ends, and returns the site. Close
// closes the connections.
func Open(ctx context.Context, o Options) (_ *Monitor, err error) {
	m := &Monitor{
		log: o.Logger, secure: o.Production, streams: make(chan struct{}, maxStreams), draining: make(chan struct{}),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("monitor: %w", err), m.Close())
		}
	}()
	if m.logins, err = access.NewAuthenticator(o.Logins); err != nil {
		return nil, err
	}
	if err = m.openRedis(ctx, o); err != nil {
		return nil, err
	}
	m.ledger, err = ledger.Open(ctx, o.LedgerURL)
	switch {
	case errors.Is(err, ledger.ErrURL):
		return nil, fmt.Errorf("ROUNDS_LEDGER: %w", err)
	case err != nil:
		return nil, lifecycle.Unreachable("ledger", err)
	}
	m.sessions = sessions{rdb: m.queue}
	m.sampler = &sampler{rdb: m.queue, ledger: m.ledger}
	if m.pages, err = newPages(); err != nil {
		return nil, err
	}
	m.console, err = newConsole(m.queue, m.ledger, m.sampler)
	return m, err
}

func (m *Monitor) openRedis(ctx context.Context, o Options) (err error) {
	m.queue, err = redisconn.Dial(o.QueueURL, redisconn.Options{Role: redisconn.RoleQueue})
	if err != nil {
		return fmt.Errorf("ROUNDS_QUEUE_REDIS: %w", err)
	}
	found, err := redisconn.Check(ctx, m.queue, redisconn.RoleQueue, o.Production)
	if err != nil {
		return lifecycle.Unreachable("queue redis", err)
	}
	return redisconn.Enforce(ctx, m.log, "queue-redis", found)
}

// Drain ends open streams and refuses new ones, so that a server can stop. It may be called more
// than once.
func (m *Monitor) Drain() { m.drainOnce.Do(func() { close(m.draining) }) }

// Close closes the connections. No request may be in progress.
func (m *Monitor) Close() error {
	m.Drain()
	var errs []error
	if m.ledger != nil {
		errs = append(errs, m.ledger.Close())
	}
	if m.queue != nil {
		errs = append(errs, m.queue.Close())
	}
	return errors.Join(errs...)
}

// Handler returns the site:
//
//	/now              what is wrong, if anything        /now/events   its changes, as server-sent events
//	/asynqmon/        asynqmon                          /static/      style and script of our pages
//	/login /logout
func (m *Monitor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", m.pages.static())
	mux.HandleFunc("GET /login", m.loginPage)
	mux.HandleFunc("POST /login", m.login)
	mux.Handle("GET /{$}", http.RedirectHandler("/now", http.StatusSeeOther))
	mux.Handle("POST /logout", m.requireSession(m.logout))
	mux.Handle("GET /now", m.requireSession(m.nowPage))
	mux.Handle("GET /now/events", m.requireSession(m.nowEvents))
	mux.Handle(consolePath+"/", m.requireSession(m.console.serve))
	guard := http.NewCrossOriginProtection()
	return m.withAuditLog(m.withSecurityHeaders(guard.Handler(mux)))
}
