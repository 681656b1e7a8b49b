package queue

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

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

// TestAckRestoresCanceledContext checks acks that asynq repeats with a context that it has
// canceled.
func TestAckRestoresCanceledContext(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	l := &retryingClient{UniversalClient: rdb, hurry: t.Context(), cut: t.Context()}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cancel()
	keys := []string{asynqKey(Sync, suffixActive), asynqKey(Sync, suffixLease)}
	if got, err := l.Eval(ctx, "return 'replied'", keys).Text(); got != "replied" || err != nil {
		t.Errorf("with the lease still running: %q, %v", got, err)
	}
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if got, err := l.Eval(over, "return 'replied'", keys).Text(); err == nil {
		t.Errorf("after the lease: %q", got)
	}
	if got, err := l.Eval(t.Context(), "return 'replied'", keys).Text(); got != "replied" || err != nil {
		t.Errorf("without a lease: %q, %v", got, err)
	}
}

// TestAckAfterLostReply checks that "not found" after a lost reply counts as success; otherwise
// asynq would retry for the rest of the lease.
func TestAckAfterLostReply(t *testing.T) {
	t.Parallel()
	calls := 0
	broken := &flaky{UniversalClient: redistest.New(t), after: func([]string) error {
		if calls++; calls == 1 {
			return errLost
		}
		return nil
	}}
	l := &retryingClient{UniversalClient: broken, hurry: t.Context(), cut: t.Context()}
	keys := []string{asynqKey(Sync, suffixActive), asynqKey(Sync, suffixLease)}
	if err := l.Eval(t.Context(), "return redis.error_reply('NOT FOUND')", keys).Err(); err != nil || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestAckStopsAfterRefusal(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	l := &retryingClient{UniversalClient: rdb, hurry: t.Context(), cut: t.Context()}
	calls := 0
	keys := []string{asynqKey(Sync, suffixActive), asynqKey(Sync, suffixLease)}
	broken := &flaky{UniversalClient: rdb, after: func([]string) error { calls++; return nil }}
	l.UniversalClient = broken
	if err := l.Eval(t.Context(), "return redis.error_reply('NOT FOUND')", keys).Err(); err == nil || calls != 1 {
		t.Errorf("a task that is not active: %v after %d calls", err, calls)
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
		if shapeOf(keys) == shapeDequeue && strings.Contains(keys[0], Interactive) {
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
