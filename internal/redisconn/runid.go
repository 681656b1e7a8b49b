package redisconn

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// embeddedRunID is the run id of servers that have none.
const embeddedRunID = "embedded"

// RunID returns the run id of the server, which changes when it restarts. For a cluster it returns
// the ids of all masters. An embedded server without a run id gives a constant.
func RunID(ctx context.Context, rdb redis.UniversalClient) (string, error) {
	infos, err := readInfo(ctx, rdb)
	if err != nil {
		return "", fmt.Errorf("read run id: %w", Clean(err))
	}
	ids := make([]string, 0, len(infos))
	for _, info := range infos {
		if id := info["run_id"]; id != "" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return embeddedRunID, nil
	}
	slices.Sort(ids)
	return strings.Join(ids, ","), nil
}

const (
	// runIDInterval is how long a failover may go unnoticed. The cache notices the loss of the
	// server's data at once by other means: the tenant's epoch is lost with it.
	runIDInterval = time.Second
	runIDLimit    = 4 * time.Second
)

// RunIDWatch keeps the run id of a server current. It is safe for concurrent use.
type RunIDWatch struct {
	rdb       redis.UniversalClient
	log       *slog.Logger
	component string
	id        atomic.Pointer[string]
}

// NewRunIDWatch returns a watch that has read nothing yet. The component names the server in the
// log.
func NewRunIDWatch(rdb redis.UniversalClient, log *slog.Logger, component string) *RunIDWatch {
	return &RunIDWatch{rdb: rdb, log: log, component: component}
}

// Current returns the run id that was read last, or "" before the first.
func (w *RunIDWatch) Current() string {
	if id := w.id.Load(); id != nil {
		return *id
	}
	return ""
}

// Read reads the run id once.
func (w *RunIDWatch) Read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, runIDLimit)
	defer cancel()
	id, err := RunID(ctx, w.rdb)
	if err == nil {
		w.id.Store(&id)
	}
	return err
}

// Run reads the run id every second until ctx ends. While the server is unreachable the last id
// stays current; the log has one line when it becomes unreachable and one when it answers again.
func (w *RunIDWatch) Run(ctx context.Context) error {
	tick := time.NewTicker(runIDInterval)
	defer tick.Stop()
	for unreachable := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := w.Read(ctx)
		switch {
		case err != nil && !unreachable && ctx.Err() == nil:
			w.log.WarnContext(ctx, "redis does not answer", "component", w.component, "error", err)
		case err == nil && unreachable:
			w.log.InfoContext(ctx, "redis is reachable again", "component", w.component)
		}
		unreachable = err != nil
	}
}
