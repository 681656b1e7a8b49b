package app

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// Tools is what an operator's command works with.
type Tools struct {
	Tasks  *tasks.Client
	Store  *practice.Store
	Ledger *ledger.Ledger
	Keys   *phi.Keys
	Queue  redis.UniversalClient
	Cache  redis.UniversalClient

	base *base
}

// OpenTools checks every dependency and opens it. The caller closes the result.
func OpenTools(ctx context.Context, p Process, c config.Base) (*Tools, error) {
	b, err := openBase(ctx, "rounds", "open", p, c)
	if err != nil {
		return nil, err
	}
	return &Tools{
		Tasks: b.tasks, Store: b.store, Ledger: b.ledger, Keys: b.keys, Queue: b.queue, Cache: b.cacheRdb,
		base: b,
	}, nil
}

// Close closes everything that OpenTools opened.
func (t *Tools) Close(ctx context.Context) error { return t.base.Close(ctx) }
