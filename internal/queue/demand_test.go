package queue

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// stateOf returns the set that a task is in.
func stateOf(t *testing.T, rdb redis.UniversalClient, id ID) string {
	t.Helper()
	return rdb.HGet(t.Context(), asynqTaskPrefix(id.Lane)+id.String(), "state").Val()
}

// TestEqualTaskWaitsForTheEndOfTheRun checks that a task is parked while an equal one runs, and is
// the next of its lane when that run has ended, however it ended.
func TestEqualTaskWaitsForTheEndOfTheRun(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		for char, end := range map[string]string{"b": "done", "c": StateArchived} {
			p, runs := NewProducer(rdb), NewRuns(rdb)
			first := parse(t, enqueue(t, p, demand(Sync, char)).ID)
			pop(t, rdb, Sync)
			must(t, runs.Start(t.Context(), first))
			second := parse(t, enqueue(t, p, demand(Sync, char)).ID)
			other := parse(t, enqueue(t, p, demand(Sync, "z")).ID)
			if got, ok := pop(t, rdb, Sync); !ok || got != other {
				t.Fatalf("while %s runs, %s was popped", first, got)
			}
			finish(t, rdb, other, "done")
			enqueue(t, p, demand(Sync, "y")) // in line before the second is released
			if stateOf(t, rdb, second) != StateScheduled {
				t.Errorf("the second task is %s", stateOf(t, rdb, second))
			}
			if r := enqueue(t, p, demand(Sync, char)); r.ID != second.String() || !r.Joined {
				t.Errorf("a demand beside a parked task: %+v", r)
			}
			finish(t, rdb, first, end)
			if got, ok := pop(t, rdb, Sync); !ok || got != second {
				t.Errorf("%s was followed by %s, want %s", end, got, second)
			}
			finish(t, rdb, second, "done")
			last, _ := pop(t, rdb, Sync)
			finish(t, rdb, last, "done")
		}
	})
}

// TestParkedTaskIsTriedAgain checks that a parked task does not wait forever for a run whose end
// was never seen.
func TestParkedTaskIsTriedAgain(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, runs := NewProducer(rdb), NewRuns(rdb)
	first := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
	pop(t, rdb, Sync)
	must(t, runs.Start(t.Context(), first))
	second := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
	pop(t, rdb, Sync)
	rdb.Del(t.Context(), asynqTaskPrefix(Sync)+first.String()) // as an operator would
	if score := rdb.ZScore(t.Context(), asynqKey(Sync, suffixSchedule), second.String()).Val(); time.Until(time.Unix(int64(score), 0)) > parkLife+time.Second {
		t.Errorf("parked until %v", time.Unix(int64(score), 0))
	}
	forwardUntil(t, rdb, Sync, suffixSchedule, time.Now().Add(time.Minute))
	if got, ok := pop(t, rdb, Sync); !ok || got != second {
		t.Errorf("popped %v, %v", got, ok)
	}
}

// TestSuccessorInheritsFailures checks that the task that takes over has the failures, the reason
// and the wait of the run that failed.
func TestSuccessorInheritsFailures(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		again := time.Now().Add(time.Minute).Truncate(time.Second)
		for char, place := range map[string]string{"b": "pending", "c": "parked", "d": "scheduled"} {
			first := parse(t, enqueue(t, p, demand(Sync, char)).ID)
			pop(t, rdb, Sync)
			must(t, runs.Start(t.Context(), first))
			d := demand(Sync, char)
			if place == "scheduled" {
				d.At = time.Now().Add(5 * time.Second)
			}
			second := parse(t, enqueue(t, p, d).ID)
			if place == "parked" {
				pop(t, rdb, Sync)
			}
			superseded, err := runs.Requeue(t.Context(), first, Again{At: again, Failures: 3, Code: "denied"})
			if err != nil || !superseded {
				t.Fatalf("%s: superseded %v, %v", place, superseded, err)
			}
			finish(t, rdb, first, "done")
			info, err := find(t.Context(), rdb, second)
			if err != nil || info.State != asynq.TaskStateRetry || info.Retried != 3 || info.LastErr != "denied" || !info.NextProcessAt.Equal(again) {
				t.Errorf("%s: the successor is %+v, %v", place, info, err)
			}
			if string(info.Payload) != "sealed for "+second.String() || time.Since(info.LastFailedAt) > time.Minute {
				t.Errorf("%s: payload %q, failed at %v", place, info.Payload, info.LastFailedAt)
			}
			if got, ok := pop(t, rdb, Sync); ok {
				t.Errorf("%s: %s can run before its time", place, got)
			}
		}
	})
}

// TestFailedRunKeepsItsWaitBeforeALaterDemand checks that a task that is demanded for later
// inherits nothing: the failed run is repeated first.
func TestFailedRunKeepsItsWaitBeforeALaterDemand(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, runs := NewProducer(rdb), NewRuns(rdb)
	first := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
	pop(t, rdb, Sync)
	must(t, runs.Start(t.Context(), first))
	later := demand(Sync, "a")
	later.At = time.Now().Add(time.Hour)
	second := parse(t, enqueue(t, p, later).ID)
	if superseded, err := runs.Requeue(t.Context(), first, Again{At: time.Now().Add(time.Minute)}); err != nil || superseded {
		t.Errorf("superseded %v, %v", superseded, err)
	}
	finishAt(t, rdb, first, StateRetry, time.Now().Add(time.Minute))
	if s := stateOf(t, rdb, second); s != StateScheduled {
		t.Errorf("the later task is %s", s)
	}
	if r := enqueue(t, p, demand(Sync, "a")); r != (Receipt{ID: first.String(), Joined: true}) {
		t.Errorf("a demand for now: %+v", r)
	}
}

// TestLaterDemandRunsNoEarlier checks that a demand for a later time than what waits has a run at
// that time or after it.
func TestLaterDemandRunsNoEarlier(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]time.Duration{"scheduled": time.Second, "waiting": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.New(t)
			soon, late := demand(Sync, "a"), demand(Sync, "a")
			start := time.Now()
			if first > 0 {
				soon.At = start.Add(first)
			}
			late.At = start.Add(3 * time.Second)
			enqueue(t, NewProducer(rdb), soon)
			if r := enqueue(t, NewProducer(rdb), late); r.Joined {
				t.Errorf("the later demand joined: %+v", r)
			}
			if r := enqueue(t, NewProducer(rdb), late); !r.Joined {
				t.Errorf("an equal one did not join it: %+v", r)
			}
			ran := make(chan time.Duration, 9)
			serve(t, ServerOptions{Redis: rdb, Handler: handler{process: func(context.Context, *asynq.Task) error { ran <- time.Since(start); return nil }}})
			if early := receive(t, ran); early >= 3*time.Second {
				t.Errorf("the first ran after %v", early)
			}
			if last := receive(t, ran); last < 3*time.Second {
				t.Errorf("the second ran after %v", last)
			}
		})
	}
}

// TestWaitingTasksOfADigestAreBounded checks that a demand beyond the bound delays a task, and
// never brings one forward.
func TestWaitingTasksOfADigestAreBounded(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	var last Receipt
	for n := range maxWaiting {
		last = enqueue(t, p, inHours(n+1))
	}
	if r := enqueue(t, p, inHours(100)); r != (Receipt{ID: last.ID, Joined: true}) {
		t.Errorf("one more demand: %+v", r)
	}
	if n := rdb.ZCard(t.Context(), asynqKey(Sync, suffixSchedule)).Val(); n != maxWaiting {
		t.Errorf("%d tasks wait", n)
	}
	runsInHours(t, rdb, last.ID, 100)
}

// inHours is a demand for a later time.
func inHours(n int) Demand {
	d := demand(Sync, "a")
	d.At = time.Now().Add(time.Duration(n) * time.Hour)
	return d
}

// runsInHours checks when a scheduled task runs.
func runsInHours(t *testing.T, rdb redis.UniversalClient, id string, n int) {
	t.Helper()
	score, err := rdb.ZScore(t.Context(), asynqKey(Sync, suffixSchedule), id).Result()
	must(t, err)
	if off := time.Until(time.Unix(int64(score), 0)) - time.Duration(n)*time.Hour; off.Abs() > time.Minute {
		t.Errorf("%s runs %v away from its demand", id, off)
	}
}

// TestDemandBeyondTheBoundDelaysATaskThatIsDue checks that the bound holds no demand to a task that
// runs before its time, if all tasks of the digest are due.
func TestDemandBeyondTheBoundDelaysATaskThatIsDue(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	for n := range maxWaiting {
		enqueue(t, p, inHours(n+1))
	}
	forwardUntil(t, rdb, Sync, suffixSchedule, time.Now().Add(24*time.Hour))
	taken, ok := pop(t, rdb, Sync)
	if !ok {
		t.Fatal("no task is due")
	}
	r := enqueue(t, p, inHours(100))
	if !r.Joined || r.ID == taken.String() {
		t.Errorf("one more demand: %+v, and %s is taken", r, taken)
	}
	runsInHours(t, rdb, r.ID, 100)
	if n := rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(); n != maxWaiting-2 {
		t.Errorf("%d tasks are due", n)
	}
}

// TestUrgentDemandEndsABackoff checks that a demand for which a user waits brings its twin forward,
// once in the task's life and without resetting its failures.
func TestUrgentDemandEndsABackoff(t *testing.T) {
	t.Parallel()
	for name, lane := range map[string]string{"in its own lane": Interactive, "in another lane": Sync, "in a lane of a service": "lab.sync"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.New(t)
			p, runs := NewProducer(rdb), NewRuns(rdb)
			urgent := demand(InteractiveOf(lane), "a")
			urgent.Twin = lane
			id := parse(t, enqueue(t, p, demand(lane, "a")).ID)
			fail := func(failures int) {
				if got, ok := pop(t, rdb, lane); !ok || got != id {
					t.Fatalf("popped %v, %v", got, ok)
				}
				must(t, runs.Start(t.Context(), id))
				again := time.Now().Add(10 * time.Minute)
				if superseded, err := runs.Requeue(t.Context(), id, Again{At: again, Failures: failures, Code: "error"}); superseded || err != nil {
					t.Fatalf("superseded %v, %v", superseded, err)
				}
				finishAt(t, rdb, id, StateRetry, again)
			}
			fail(1)
			if r := enqueue(t, p, demand(lane, "a")); lane != Interactive && (r.ID != id.String() || stateOf(t, rdb, id) != StateRetry) {
				t.Errorf("a demand without a waiting user: %+v, %s", r, stateOf(t, rdb, id))
			}
			eventually(t, "the task is brought forward", func() bool {
				enqueue(t, p, urgent)
				return stateOf(t, rdb, id) == StatePending
			})
			fail(2)
			for range 3 {
				enqueue(t, p, urgent)
			}
			if s := stateOf(t, rdb, id); s != StateRetry {
				t.Errorf("brought forward twice: %s", s)
			}
		})
	}
}

// TestUrgentDemandPassesTheLine checks that a twin that waits in another lane becomes the next.
func TestUrgentDemandPassesTheLine(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	must(t, urgeScript.Load(t.Context(), rdb).Err())
	for _, char := range []string{"b", "c", "a"} {
		enqueue(t, p, demand(Sync, char))
	}
	urgent := demand(Interactive, "a")
	urgent.Twin = Sync
	enqueue(t, p, urgent)
	if got, _ := pop(t, rdb, Sync); got.Digest != digest("a") {
		t.Errorf("%s is next", got)
	}
}

// TestSteadyUrgentDemandLeavesBackoff checks that successors inherit that their task was brought
// forward: otherwise demands would replace the back-off.
func TestSteadyUrgentDemandLeavesBackoff(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, runs := NewProducer(rdb), NewRuns(rdb)
	var ran atomic.Int64
	serve(t, ServerOptions{Redis: rdb, Handler: handler{delay: 10 * time.Minute, process: func(ctx context.Context, _ *asynq.Task) error {
		ran.Add(1)
		raw, _ := asynq.GetTaskID(ctx)
		id, err := ParseID(raw)
		if err != nil {
			return err
		}
		if err := runs.Start(ctx, id); err != nil {
			return err
		}
		if _, err := p.Enqueue(ctx, []Demand{demand(Interactive, "a")}); err != nil { // a demand during the run
			return err
		}
		superseded, err := runs.Requeue(ctx, id, Again{At: time.Now().Add(10 * time.Minute), Failures: int(ran.Load()), Code: "error"})
		if superseded {
			return asynq.RevokeTask
		}
		return err
	}}})
	for start := time.Now(); time.Since(start) < 2*time.Second; {
		enqueue(t, p, demand(Interactive, "a"))
	}
	if n := ran.Load(); n != 2 {
		t.Errorf("ran %d times, want the run and one that was brought forward", n)
	}
}
