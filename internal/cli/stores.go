package cli

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/secret"
)

// stores are what commands without a keyset need. A store that the command did not request is nil.
type stores struct {
	queue, cache redis.UniversalClient
	ledger       *ledger.Ledger
}

// withStores opens the stores that a command needs, and closes them afterwards. It does not check,
// create or migrate anything, because these commands must work when something is broken.
func (e *env) withStores(ctx context.Context, need config.Need, use func(*stores) error) error {
	c, err := config.LoadStores(e.getenv, need)
	if err != nil {
		return err
	}
	s := &stores{}
	defer s.close()
	if need&config.NeedQueue != 0 {
		if s.queue, err = dialRole(c.Redis.Queue, redisconn.RoleQueue, "ROUNDS_QUEUE_REDIS"); err != nil {
			return err
		}
	}
	if need&config.NeedCache != 0 {
		if s.cache, err = dialRole(c.Redis.Cache, redisconn.RoleCache, "ROUNDS_CACHE_REDIS"); err != nil {
			return err
		}
	}
	if need&config.NeedLedger != 0 {
		if s.ledger, err = openLedger(ctx, c.LedgerURL); err != nil {
			return noLedger(err)
		}
	}
	return use(s)
}

func dialRole(url secret.Value, role redisconn.Role, variable string) (redis.UniversalClient, error) {
	rdb, err := redisconn.Dial(url.Reveal(), redisconn.Options{Role: role})
	if err == nil {
		return rdb, nil
	}
	return nil, &failure{
		Exit: exitUsage, Code: "CONFIG", What: "the configuration is not usable", cause: err,
		Found: []string{variable + ": " + err.Error()}, Means: "nothing was started or changed", Try: []string{"rounds config validate worker"},
	}
}

// ledgerLimit bounds opening the ledger, so that an unreachable one is reported within five
// seconds.
const ledgerLimit = 4 * time.Second

func openLedger(ctx context.Context, url secret.Value) (*ledger.Ledger, error) {
	ctx, cancel := context.WithTimeout(ctx, ledgerLimit)
	defer cancel()
	return ledger.OpenExisting(ctx, url.Reveal())
}

func noLedger(err error) *failure {
	f := &failure{Exit: exitDependency, Code: "DEPENDENCY", What: err.Error(), cause: err, Means: "the ledger cannot be read", Try: []string{"rounds doctor"}}
	switch {
	case errors.Is(err, ledger.ErrNoFile):
		f.Try = []string{"start a worker or scheduler once, which creates it, or correct ROUNDS_LEDGER"}
	case errors.Is(err, ledger.ErrURL):
		f.Exit, f.Code, f.What = exitUsage, "CONFIG", "ROUNDS_LEDGER: "+err.Error()
	}
	return f
}

func (s *stores) close() {
	if s.queue != nil {
		_ = s.queue.Close()
	}
	if s.cache != nil {
		_ = s.cache.Close()
	}
	if s.ledger != nil {
		_ = s.ledger.Close()
	}
}
