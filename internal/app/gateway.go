package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/gateway"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/plan"
	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// answerGrace is how long requests under way may take once the process was told to stop; what is closed after them needs
// the rest of grace.
const answerGrace = 7 * time.Second

// GatewayOptions say what a gateway runs with. Config is required.
type GatewayOptions struct {
	Config    config.Gateway
	Version   string
	Logger    *slog.Logger        // defaults to none
	Getenv    func(string) string // for the OTEL variables; defaults to none set
	Collector string              // base URL to send spans to, instead of what the OTEL variables say
	Clock     plan.Clock          // the calendar; real time unless a demo speeds it up
	Limits    gateway.Limits      // what callers may use; defaults to the gateway's
}

// Gateway is the process that answers the API. Any number may run.
type Gateway struct {
	base   *foundation
	api    *gateway.Gateway
	health *lifecycle.Health
	config config.Gateway
}

// NewGateway checks every dependency and wires the gateway. It answers nothing before Run.
func NewGateway(ctx context.Context, o GatewayOptions) (_ *Gateway, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	base, err := lay(ctx, process{name: "rounds-gateway", version: o.Version, log: o.Logger, getenv: o.Getenv, collector: o.Collector}, settings{
		mode: o.Config.Mode, redis: o.Config.Redis, ledger: o.Config.LedgerURL, keyset: o.Config.Keyset, tenants: o.Config.Tenants,
		wait: o.Config.StartWait,
	})
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	defer base.stack.Rollback(context.WithoutCancel(ctx), &err)

	api, err := gateway.New(gateway.Options{
		Store: base.store, Tasks: base.tasks, Events: base.cacheRdb, Keys: base.keys, Tenant: base.ledger.Tenant,
		Callers: o.Config.Keys, Now: o.Clock.Now, Logger: o.Logger, Limits: o.Limits,
	})
	if err != nil {
		return nil, err
	}
	return &Gateway{base: base, api: api, health: &lifecycle.Health{}, config: o.Config}, nil
}

// Run answers until ctx ends, drains, and closes everything. It can be called once.
func (g *Gateway) Run(ctx context.Context) error { return g.base.run(ctx, g.start) }

func (g *Gateway) start(ctx context.Context) error {
	if err := g.base.serve(ctx, g.config.Health, g.health); err != nil {
		return err
	}
	server, err := lifecycle.ServeHTTP(ctx, g.config.Addr, &http.Server{
		Handler: g.api, MaxHeaderBytes: gateway.MaxHeader,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context {
			return telemetry.With(context.WithoutCancel(ctx), g.base.telemetry)
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // it would quote what strangers send
	})
	if err != nil {
		return errors.Join(errors.New("ROUNDS_GATEWAY_ADDR cannot be listened on"), err)
	}
	g.base.stack.Push("requests", g.api.Wait)
	g.base.stack.Push("http server", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, answerGrace)
		defer cancel()
		return server.Stop(ctx)
	})
	g.base.stack.Push("readiness", func(context.Context) error { g.health.Drain(); g.api.Drain(); return nil })
	if err := g.base.watch("http server", server); err != nil {
		return err
	}
	g.health.Started()
	g.base.log.InfoContext(ctx, "gateway answers", "addr", server.Addr())
	return nil
}
