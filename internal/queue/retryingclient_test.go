package queue

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// TestLostAckIsRepaired loses one or three replies to the ack of a task, which must not run again.
func TestLostAckIsRepaired(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]struct{ before, after int }{
		"never sent":            {before: 3},
		"done, reply lost":      {after: 1},
		"lost, then never sent": {after: 1, before: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.New(t)
			left := faults
			broken := &flaky{
				UniversalClient: rdb,
				before: func(keys []string) error {
					if shapeOf(keys) == shapeAck && left.after == 0 && left.before > 0 {
						left.before--
						return errLost
					}
					return nil
				},
				after: func(keys []string) error {
					if shapeOf(keys) == shapeAck && left.after > 0 {
						left.after--
						return errLost
					}
					return nil
				},
			}
			var runs atomic.Int64
			s := serve(t, ServerOptions{Redis: broken, Handler: handler{process: func(context.Context, *asynq.Task) error {
				runs.Add(1)
				return nil
			}}})
			id := enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID
			eventually(t, "the task is gone", func() bool {
				return runs.Load() == 1 && rdb.Exists(t.Context(), asynqTaskPrefix(Sync)+id, asynqKey(Sync, suffixLease)).Val() == 0
			})
			must(t, s.Stop(t.Context()))
			if left.before+left.after != 0 || runs.Load() != 1 {
				t.Errorf("faults left %+v, %d runs", left, runs.Load())
			}
			if n := rdb.Get(t.Context(), "asynq:{sync}:processed").Val(); n != "1" {
				t.Errorf("counted as processed %s times", n)
			}
		})
	}
}

// ackKeys are the keys of an ack in the lane sync.
var ackKeys = []string{asynqKey(Sync, suffixActive), asynqKey(Sync, suffixLease), asynqTaskPrefix(Sync) + "x"}

// client returns a client of an asynq server with one run, which has its task.
func client(t *testing.T, rdb *redis.Client, outer redis.UniversalClient) (*retryingClient, *run) {
	t.Helper()
	r := &run{id: "x", lane: Sync, token: "7"}
	w := &worker{
		log: slog.New(slog.DiscardHandler), hurry: t.Context(), cut: t.Context(), leases: newLeases(time.Minute), running: &atomic.Int64{}, solo: &sync.Mutex{},
	}
	w.leases.add(r, time.Now())
	must(t, rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+"x", "run", r.token).Err())
	must(t, rdb.ZAdd(t.Context(), asynqKey(Sync, suffixLease), redis.Z{Score: float64(time.Now().Unix()), Member: "x"}).Err())
	return &retryingClient{UniversalClient: outer, worker: w}, r
}

// ack sends an ack as asynq does: first the hash of its script, then the text.
func ack(ctx context.Context, l *retryingClient, text string) error {
	return redis.NewScript(text).Run(ctx, l, ackKeys, "x").Err()
}

// TestAckRestoresCanceledContext checks acks that asynq repeats with a context that it has
// canceled.
func TestAckRestoresCanceledContext(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithTimeout(t.Context(), time.Minute)
	cancel()
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for name, row := range map[string]struct {
		ctx  context.Context
		want string
	}{
		"with the lease still running": {canceled, "1"},
		"after the lease":              {over, ""},
		"without a lease":              {t.Context(), "1"},
	} {
		rdb := redistest.New(t)
		l, _ := client(t, rdb, rdb)
		err := ack(row.ctx, l, "return redis.call('SET', 'acked', 1)")
		if got := rdb.Get(t.Context(), "acked").Val(); got != row.want || (err == nil) != (row.want == "1") {
			t.Errorf("%s: acked %q, %v", name, got, err)
		}
	}
}

// TestAckAfterLostReply checks that an ack which finds its task gone after a lost reply is a
// success, and that nothing is logged.
func TestAckAfterLostReply(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	calls := 0
	broken := &flaky{UniversalClient: rdb, after: func([]string) error {
		if calls++; calls == 1 {
			return errLost
		}
		return nil
	}}
	l, _ := client(t, rdb, broken)
	var log strings.Builder
	l.log = slog.New(slog.NewTextHandler(&log, nil))
	if err := ack(t.Context(), l, "redis.call('ZREM', KEYS[2], ARGV[1])\nreturn redis.status_reply('OK')"); err != nil || calls != 2 || log.Len() > 0 {
		t.Errorf("%v after %d calls; logged %q", err, calls, log.String())
	}
}

func TestAckStopsAfterRefusal(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	calls := 0
	l, _ := client(t, rdb, &flaky{UniversalClient: rdb, after: func([]string) error { calls++; return nil }})
	if err := ack(t.Context(), l, "return redis.error_reply('NOT FOUND')"); err == nil || calls != 1 {
		t.Errorf("a task that is not active: %v after %d calls", err, calls)
	}
}

// TestAckWithoutTheTaskHasNoEffect checks that the reply to asynq is a success, but its script does
// not run, when the run has lost its task.
func TestAckWithoutTheTaskHasNoEffect(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(rdb *redis.Client, l *retryingClient, r *run){
		"a later run": func(rdb *redis.Client, _ *retryingClient, _ *run) {
			rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+"x", "run", "8")
		},
		"no lease":        func(rdb *redis.Client, _ *retryingClient, _ *run) { rdb.Del(t.Context(), asynqKey(Sync, suffixLease)) },
		"no task":         func(rdb *redis.Client, _ *retryingClient, _ *run) { rdb.Del(t.Context(), asynqTaskPrefix(Sync)+"x") },
		"already noticed": func(_ *redis.Client, l *retryingClient, r *run) { l.leases.lapse(r.renewed.Add(time.Minute)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.New(t)
			l, r := client(t, rdb, rdb)
			lose(rdb, l, r)
			err := ack(t.Context(), l, "return redis.call('SET', 'acked', 1)")
			if n := rdb.Exists(t.Context(), "acked").Val(); err != nil || n != 0 || l.leases.count() != 0 {
				t.Errorf("acked %d, %d runs, %v", n, l.leases.count(), err)
			}
		})
	}
}

// TestFailingDequeueIsDelayed checks that a dequeue that fails immediately is not repeated
// thousands of times a second.
func TestFailingDequeueIsDelayed(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	var asked atomic.Int64
	down := atomic.Bool{}
	down.Store(true)
	broken := &flaky{UniversalClient: rdb, before: func(keys []string) error {
		if isPop(keys) && strings.Contains(keys[0], Interactive) {
			asked.Add(1)
			if down.Load() {
				return errLost
			}
		}
		return nil
	}}
	ran := make(chan struct{}, 1)
	serve(t, ServerOptions{Redis: broken, Handler: handler{process: func(context.Context, *asynq.Task) error {
		ran <- struct{}{}
		return nil
	}}})
	eventually(t, "two dequeues", func() bool { return asked.Load() >= 2 })
	start, before := time.Now(), asked.Load()
	eventually(t, "a second passes", func() bool { return time.Since(start) > time.Second })
	if n := asked.Load() - before; n > 12 {
		t.Errorf("%d dequeues in a second of failures", n)
	}
	down.Store(false)
	enqueue(t, NewProducer(rdb), demand(Interactive, "a"))
	receive(t, ran)
}

// isPop reports whether the keys are those of the pop script.
func isPop(keys []string) bool {
	return len(keys) >= 2 && strings.HasSuffix(keys[0], suffixPending) && strings.HasSuffix(keys[1], suffixPaused)
}

// TestEmptyLaneIsNotAskedAgainAtOnce checks that a pool asks an empty lane rarely, and its other
// lanes as before.
func TestEmptyLaneIsNotAskedAgainAtOnce(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	s := idleServer(t, rdb)
	l := &retryingClient{UniversalClient: rdb, worker: s.worker, recheck: time.Hour, empty: map[string]time.Time{}}
	asks := func(lane string, finds bool) {
		t.Helper()
		if err := l.dequeue(t.Context(), lane).Err(); finds && err != nil || !finds && !errors.Is(err, redis.Nil) {
			t.Errorf("%s: %v", lane, err)
		}
	}
	asks(Sync, false)
	for _, lane := range []string{Sync, Warm} {
		for _, char := range []string{"a", "b"} {
			enqueue(t, NewProducer(rdb), demand(lane, char))
		}
	}
	asks(Sync, false)
	asks(Warm, true)
	asks(Warm, true)
	l.recheck = time.Nanosecond
	asks(Sync, true)
}
