package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// ToolsOptions say what an operator's command runs with. Config is required.
type ToolsOptions struct {
	Config  config.Scheduler
	Version string
	Logger  *slog.Logger // defaults to none
}

// Tools is what an operator's command works with.
type Tools struct {
	Tasks  *tasks.Client
	Store  *practice.Store
	Ledger *ledger.Ledger
	Keys   *phi.Keys
	Queue  redis.UniversalClient
	Cache  redis.UniversalClient

	base *foundation
}

// OpenTools checks every dependency and opens it. The caller closes the result.
func OpenTools(ctx context.Context, o ToolsOptions) (*Tools, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	base, err := lay(ctx, process{name: "rounds", version: o.Version, log: o.Logger}, settings{
		mode: o.Config.Mode, redis: o.Config.Redis, ledger: o.Config.LedgerURL, keyset: o.Config.Keyset, tenants: o.Config.Tenants,
	})
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return &Tools{
		Tasks: base.tasks, Store: base.store, Ledger: base.ledger, Keys: base.keys, Queue: base.queue, Cache: base.cacheRdb,
		base: base,
	}, nil
}

// Close closes everything that OpenTools opened.
func (t *Tools) Close(ctx context.Context) error { return t.base.stack.Close(ctx) }
