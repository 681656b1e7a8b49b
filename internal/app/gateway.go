package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/gateway"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// requestGrace is how long open requests may take once the process stops. The rest of grace is for
// what is closed after them.
const requestGrace = 7 * time.Second

// GatewayOptions say what a gateway runs with. Config is required.
type GatewayOptions struct {
	Process
	Config config.Gateway
	Limits gateway.Limits // what callers may use; defaults to the gateway's
}

// Gateway is the process that serves the API. Any number may run.
type Gateway struct {
	*base
	api  *gateway.Gateway
	addr string
}

// NewGateway checks every dependency and wires the gateway. It serves nothing before Run.
func NewGateway(ctx context.Context, o GatewayOptions) (_ *Gateway, err error) {
	b, err := openBase(ctx, "rounds-gateway", "gateway", o.Process, o.Config.Base)
	if err != nil {
		return nil, err
	}
	defer b.rollback(ctx, &err)

	watched, err := b.watchStores()
	if err != nil {
		return nil, err
	}
	recovery, err := b.newRecovery(watched, false)
	if err != nil {
		return nil, err
	}
	b.store.DoubtedBy(recovery.doubt, watched.cache.Report)
	api, err := gateway.New(gateway.Options{
		Store: b.store, Tasks: b.tasks, Events: b.cacheRdb, Keys: b.keys, Tenant: b.ledger.Tenant,
		Callers: o.Config.Keys, Unavailable: watched.cache.Report, Now: b.now, Logger: b.log, Limits: o.Limits,
	})
	if err != nil {
		return nil, err
	}
	return &Gateway{base: b, api: api, addr: o.Config.Addr}, nil
}

// Run serves until ctx ends, drains, and closes everything. It can be called once.
func (g *Gateway) Run(ctx context.Context) error { return g.run(ctx, g.start) }

func (g *Gateway) start(ctx context.Context) error {
	if err := g.serveHealth(ctx); err != nil {
		return err
	}
	server, err := lifecycle.ServeHTTP(ctx, g.addr, &http.Server{
		Handler: g.api, MaxHeaderBytes: gateway.MaxHeader,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context {
			return telemetry.With(context.WithoutCancel(ctx), g.telemetry)
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // it would quote what clients send
	})
	if err != nil {
		return errors.Join(errors.New("ROUNDS_GATEWAY_ADDR cannot be listened on"), err)
	}
	g.stack.Push("requests", g.api.Wait)
	g.stack.Push("http server", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, requestGrace)
		defer cancel()
		return server.Stop(ctx)
	})
	g.stack.Push("readiness", func(context.Context) error { g.health.Drain(); g.api.Drain(); return nil })
	if err := server.Watch(g.group, "http server"); err != nil {
		return err
	}
	g.health.Started()
	g.log.InfoContext(ctx, "gateway ready", "addr", server.Addr())
	return nil
}
