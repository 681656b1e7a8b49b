package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func position(t *testing.T, rdb redis.UniversalClient, id string) Position {
	t.Helper()
	p, err := FindPosition(t.Context(), rdb, parse(t, id))
	must(t, err)
	return p
}

// TestPositionOfWaitingTasks checks where tasks wait that no worker has taken.
func TestPositionOfWaitingTasks(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		at := time.Now().Add(-time.Hour).UTC()
		first, second := enqueue(t, p, since(Sync, "a", at)).ID, enqueue(t, p, demand(Sync, "b")).ID
		got := position(t, rdb, first)
		if got.State != StatePending || got.Before != 0 || !got.Waits() || !got.Unserved || !got.EnqueuedAt.Equal(at) || got.Kind != "test.run" || got.ID != first {
			t.Errorf("the first: %+v", got)
		}
		if got := position(t, rdb, second); got.Before != 1 || got.Tenant != "clinic-a" || !got.PausedAt.IsZero() || got.Lane != Sync {
			t.Errorf("the second: %+v", got)
		}
		_, err := Pause(t.Context(), rdb, Sync, PausedBy{By: "ann", Why: "ops-1234"})
		must(t, err)
		if got := position(t, rdb, second); time.Since(got.PausedAt) > time.Minute || got.PausedBy != (PausedBy{By: "ann", Why: "ops-1234"}) {
			t.Errorf("in a paused lane: %+v", got)
		}
		// Another program resumes the lane and pauses it again.
		must(t, rdb.Set(t.Context(), asynqKey(Sync, suffixPaused), "1", 0).Err())
		if got := position(t, rdb, second); got.PausedAt.Unix() != 1 || got.PausedBy != (PausedBy{}) {
			t.Errorf("in a lane that another program has paused: %+v", got)
		}
		later := demand(Warm, "c")
		later.At = time.Now().Add(time.Hour).Truncate(time.Second)
		if got := position(t, rdb, enqueue(t, p, later).ID); got.State != StateScheduled || !got.NextAt.Equal(later.At) || !got.DemandedFor.Equal(later.At) || got.Booked {
			t.Errorf("for later: %+v", got)
		}
		id := enqueue(t, p, booked(Warm, "d", 90500*time.Millisecond)).ID
		if got := position(t, rdb, id); !got.Booked || got.Code != codes.Booked || !got.DemandedFor.IsZero() || !near(got.NextAt.Sub(got.Now), 90500*time.Millisecond) {
			t.Errorf("booked: %+v", got)
		}
		both := booked(Warm, "e", 2*time.Hour)
		both.At = later.At
		if got := position(t, rdb, enqueue(t, p, both).ID); !got.Booked || !got.DemandedFor.Equal(later.At) || !got.NextAt.After(later.At) {
			t.Errorf("booked for later: %+v", got)
		}
		if _, err := FindPosition(t.Context(), rdb, ID{Lane: Sync, Digest: digest("z"), Generation: 1}); !errors.Is(err, ErrNoTask) {
			t.Errorf("of no task: %v", err)
		}
	})
}

// TestPositionAgreesWithAsynq checks that the parts of a message, and what servers publish, are
// read as asynq reads them: of a task that failed, of one that runs, and of one behind it.
func TestPositionAgreesWithAsynq(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	failed := enqueue(t, p, since(Sync, "a", time.Now().Add(-time.Minute))).ID
	release, running := make(chan struct{}), make(chan struct{})
	serve(t, ServerOptions{Redis: rdb, Background: 3, Handler: handler{process: func(ctx context.Context, task *asynq.Task) error {
		if task.Type() == "test.long" {
			id, _ := asynq.GetTaskID(ctx)
			must(t, NewRuns(rdb).Start(ctx, parse(t, id)))
			close(running)
			<-release
			return nil
		}
		return errFailed
	}}})
	defer close(release)
	eventually(t, "the task has failed", func() bool { return rdb.ZCard(t.Context(), asynqKey(Sync, suffixRetry)).Val() == 1 })
	got := position(t, rdb, failed)
	want, err := Find(t.Context(), rdb, parse(t, failed))
	must(t, err)
	if !got.NextAt.Truncate(time.Second).Equal(want.NextAt) || got.NextAt.IsZero() {
		t.Errorf("due at %v, and by the inspector at %v", got.NextAt, want.NextAt)
	}
	if got.Task.NextAt = want.NextAt; got.Task != want || want.Attempts != 1 || want.Code != "failed" || want.Bytes == 0 {
		t.Errorf("%+v, and by the inspector %+v", got.Task, want)
	}
	eventually(t, "the slots that serve the lane are known", func() bool { return position(t, rdb, failed).Slots == 3 })
	if position(t, rdb, failed).Unserved {
		t.Error("the lane is not served")
	}
	long := demand(Sync, "b")
	long.Kind = "test.long"
	runs := enqueue(t, p, long).ID
	<-running
	if got := position(t, rdb, runs); got.Waits() || got.State != StateActive {
		t.Errorf("the task that runs: %+v", got)
	}
	behind := enqueue(t, p, long).ID
	eventually(t, "an equal task is parked", func() bool { return position(t, rdb, behind).Parked })
	if got := position(t, rdb, behind); got.Behind != runs || !got.NextAt.IsZero() || !got.Waits() {
		t.Errorf("the equal task: %+v", got)
	}
}

// TestPositionInQuarantine checks that a task is found in the quarantine lane of its lane.
func TestPositionInQuarantine(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID
	must(t, rdb.Rename(t.Context(), asynqTaskPrefix(Sync)+id, asynqTaskPrefix(Quarantine)+id).Err())
	must(t, rdb.Rename(t.Context(), asynqKey(Sync, suffixPending), asynqKey(Quarantine, suffixPending)).Err())
	if got := position(t, rdb, id); got.Lane != Quarantine || got.Before != 0 || got.State != StatePending {
		t.Errorf("%+v", got)
	}
}

// TestPositionOfDamage checks that damaged records are no tasks, and an unreachable Redis is an
// error.
func TestPositionOfDamage(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID
	key := asynqTaskPrefix(Sync) + id
	must(t, rdb.HSet(t.Context(), key, "msg", "\x00damaged").Err())
	if got := position(t, rdb, id); got.Kind != "" || got.Tenant != "" || got.ID != id {
		t.Errorf("of a damaged message: %+v", got)
	}
	must(t, rdb.Set(t.Context(), asynqKey(Sync, suffixPending), "damaged", 0).Err())
	if got := position(t, rdb, id); got.Before != -1 {
		t.Errorf("in a damaged lane: %+v", got)
	}
	must(t, rdb.ZAdd(t.Context(), asynqServers, redis.Z{Score: float64(time.Now().Add(time.Hour).Unix()), Member: key}).Err())
	if got := position(t, rdb, id); !got.Unserved {
		t.Errorf("with a server that published nothing: %+v", got)
	}
	must(t, rdb.Set(t.Context(), key, "damaged", 0).Err())
	if _, err := FindPosition(t.Context(), rdb, parse(t, id)); !errors.Is(err, ErrNoTask) {
		t.Errorf("of a damaged record: %v", err)
	}
	_ = rdb.Close()
	if _, err := FindPosition(t.Context(), rdb, parse(t, id)); !errors.Is(err, redisconn.ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}

// TestClosedLane checks that a report of a worker shows with its first time, and ends.
func TestClosedLane(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID
	must(t, ReportClosed(t.Context(), rdb, nil))
	must(t, ReportClosed(t.Context(), rdb, map[string]codes.Code{Sync: codes.CacheUnavailable, Warm: codes.CacheUnavailable}))
	first := position(t, rdb, id)
	must(t, ReportClosed(t.Context(), rdb, map[string]codes.Code{Sync: codes.CacheFull}))
	second := position(t, rdb, id)
	if first.Closed != codes.CacheUnavailable || time.Since(first.ClosedSince).Abs() > time.Minute {
		t.Errorf("the first report: %+v", first)
	}
	if second.Closed != codes.CacheFull || !second.ClosedSince.Equal(first.ClosedSince) {
		t.Errorf("the second report: %+v", second)
	}
	if life := rdb.PTTL(t.Context(), closedKey(Sync)).Val(); life <= 0 || life > closedLife {
		t.Errorf("a report lasts for %v", life)
	}
	must(t, rdb.HSet(t.Context(), closedKey(Sync), "code", "a text of another program").Err())
	if got := position(t, rdb, id); got.Closed != codes.Hidden {
		t.Errorf("a text is shown as %q", got.Closed)
	}
	_ = rdb.Close()
	if ReportClosed(t.Context(), rdb, map[string]codes.Code{Sync: codes.CacheFull}) == nil {
		t.Error("reported without Redis")
	}
}
