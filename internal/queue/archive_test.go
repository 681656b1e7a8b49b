package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// graveyard is a ledger in memory.
type graveyard struct {
	open     map[string]bool
	recorded []ArchivedTask
	err      error
}

func (g *graveyard) archive(rdb redis.UniversalClient) *Archive {
	return &Archive{
		Redis: rdb, Logger: slog.New(slog.DiscardHandler),
		Recorded: func(_ context.Context, ids []string) (map[string]bool, error) {
			out := map[string]bool{}
			for _, id := range ids {
				if open, ok := g.open[id]; ok {
					out[id] = open
				}
			}
			return out, g.err
		},
		Record: func(_ context.Context, t ArchivedTask) error {
			if g.err == nil {
				g.recorded = append(g.recorded, t)
				g.open[t.ID] = true
			}
			return g.err
		},
	}
}

// buryMany puts n dead tasks into the archive of sync, the first one the oldest, and returns their
// IDs.
func buryMany(t *testing.T, rdb *redis.Client, n int, first time.Time) []string {
	t.Helper()
	model := enqueue(t, NewProducer(rdb), demand(Sync, "a"))
	msg := rdb.HGet(t.Context(), asynqTaskPrefix(Sync)+model.ID, "msg").Val()
	must(t, rdb.Del(t.Context(), asynqKey(Sync, suffixPending), asynqTaskPrefix(Sync)+model.ID).Err())
	ids := make([]string, n)
	pipe := rdb.Pipeline()
	for i := range ids {
		ids[i] = ID{Lane: Sync, Digest: strings.Repeat("a", digestLen), Generation: uint64(1_700_000_000_000_000 + i)}.String()
		pipe.HSet(t.Context(), asynqTaskPrefix(Sync)+ids[i], "msg", msg, "state", "archived")
		pipe.ZAdd(t.Context(), asynqKey(Sync, suffixArchived), redis.Z{Score: float64(first.Add(time.Duration(i) * time.Second).Unix()), Member: ids[i]})
	}
	_, err := pipe.Exec(t.Context())
	must(t, err)
	return ids
}

func archived(t *testing.T, rdb *redis.Client) []string {
	t.Helper()
	return rdb.ZRange(t.Context(), asynqKey(Sync, suffixArchived), 0, -1).Val()
}

// trim makes a pass even if the last one was a moment ago.
func trim(t *testing.T, rdb *redis.Client, a *Archive) error {
	t.Helper()
	must(t, rdb.Del(t.Context(), "q2:{sync}:trim").Err())
	return a.Trim(t.Context())
}

// An archive beyond its bound loses its oldest tasks, in pages. Each has a dead letter before it
// leaves.
func TestArchiveStaysBounded(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	ids := buryMany(t, rdb, 9000, time.Now().Add(-3*time.Hour))
	g := &graveyard{open: map[string]bool{}}
	for _, id := range ids[:8990] {
		g.open[id] = true
	}
	for _, id := range ids[:5] {
		delete(g.open, id)
	}
	a := g.archive(rdb)
	g.err = errors.New("the ledger is unreachable")
	if err := trim(t, rdb, a); err == nil || len(archived(t, rdb)) != 9000 {
		t.Errorf("without the ledger: %v, %d left", err, len(archived(t, rdb)))
	}
	g.err = nil
	must(t, trim(t, rdb, a))
	left := archived(t, rdb)
	if len(left) != archiveKeep || left[0] != ids[9000-archiveKeep] || len(g.recorded) != 5 {
		t.Errorf("%d left, %d recorded", len(left), len(g.recorded))
	}
	for _, r := range g.recorded {
		if r.Kind == "" || len(r.Payload) == 0 || r.Lane != Sync || r.Code == "" || time.Since(r.DiedAt) < time.Hour {
			t.Errorf("recorded %+v", r)
		}
	}
	if n := len(rdb.Keys(t.Context(), asynqTaskPrefix(Sync)+"*").Val()); n != archiveKeep {
		t.Errorf("%d records of tasks", n)
	}
	if must(t, a.Trim(t.Context())); rdb.TTL(t.Context(), "q2:{sync}:trim").Val() <= 0 {
		t.Error("a pass takes no turn")
	}
}

// Resolved dead letters and old ones leave the archive; open ones and those without a dead letter
// stay, and a damaged task stops nothing.
func TestArchiveLosesResolvedAndOldTasks(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	ids := buryMany(t, rdb, 8, time.Now().Add(-time.Hour))
	g := &graveyard{open: map[string]bool{ids[0]: true, ids[1]: false, ids[2]: true, ids[3]: true, ids[4]: true, ids[6]: false}}
	key := asynqKey(Sync, suffixArchived)
	rdb.ZAdd(t.Context(), key, redis.Z{Score: float64(time.Now().Add(-31 * 24 * time.Hour).Unix()), Member: ids[2]})
	for i, damage := range []func(task string){
		func(task string) { rdb.Del(t.Context(), task) },
		func(task string) { rdb.Del(t.Context(), task); rdb.Set(t.Context(), task, "x", 0) },
		func(task string) { rdb.HSet(t.Context(), task, "msg", "not a message") },
	} {
		id := fmt.Sprintf("damaged-%d", i)
		task := asynqTaskPrefix(Sync) + id
		rdb.HSet(t.Context(), task, "msg", "x", "state", "archived")
		damage(task)
		rdb.ZAdd(t.Context(), key, redis.Z{Score: float64(time.Now().Add(-40 * 24 * time.Hour).Unix()), Member: id})
	}
	must(t, trim(t, rdb, g.archive(rdb)))
	if got, want := archived(t, rdb), []string{ids[0], ids[3], ids[4], ids[5], ids[7]}; strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("left %v, want %v", got, want)
	}
	if len(g.recorded) != 3 {
		t.Errorf("recorded %+v", g.recorded)
	}
}

// asynq's own trim fails when it removes more tasks at once than its script can pass on, and then
// no task can be archived any more. Trim keeps the archive far below that.
func TestAsynqCannotTrimALargeArchive(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	g := &graveyard{open: map[string]bool{}}
	for _, id := range buryMany(t, rdb, 8200, time.Now().Add(-91*24*time.Hour)) {
		g.open[id] = true
	}
	die := func(char string) error {
		r := enqueue(t, NewProducer(rdb), demand(Sync, char))
		srv := asynq.NewServerFromRedisClient(rdb, asynq.Config{
			Concurrency: 1, Queues: map[string]int{Sync: 1}, TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel,
		})
		must(t, srv.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return asynq.SkipRetry })))
		defer srv.Shutdown()
		eventually(t, "the attempt ended", func() bool {
			return rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val() == 0 && rdb.LLen(t.Context(), asynqKey(Sync, suffixActive)).Val() == 0
		})
		if rdb.HGet(t.Context(), asynqTaskPrefix(Sync)+r.ID, "state").Val() != StateArchived {
			return fmt.Errorf("not archived: %v, %d archived", rdb.HGetAll(t.Context(), asynqTaskPrefix(Sync)+r.ID).Val()["state"], len(archived(t, rdb)))
		}
		return nil
	}
	if die("b") == nil {
		t.Error("asynq archived a task: it trims a large archive now")
	}
	must(t, trim(t, rdb, g.archive(rdb)))
	must(t, die("c"))
}
