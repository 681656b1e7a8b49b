package queue

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// begin enqueues, pops and starts a task.
func begin(t *testing.T, rdb redis.UniversalClient, char string) ID {
	t.Helper()
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, char)).ID)
	if got, ok := pop(t, rdb, Sync); !ok || got != id {
		t.Fatalf("popped %v, want %s", got, id)
	}
	must(t, NewRuns(rdb).Start(t.Context(), id))
	return id
}

// expire ends a run whose work was not needed.
func expire(t *testing.T, rdb redis.UniversalClient, id ID) {
	t.Helper()
	must(t, NewRuns(rdb).Finish(t.Context(), id, Outcome{State: expired, Code: "day_over"}))
	finish(t, rdb, id, "done")
}

// setDemand sets the time for which a task was demanded last.
func setDemand(t *testing.T, rdb redis.UniversalClient, id ID, at time.Time) {
	t.Helper()
	must(t, rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+id.String(), "demanded", at.UnixMicro()).Err())
}

// demandOf returns the time for which a task was demanded last, in microseconds, and whether it was
// replayed.
func demandOf(t *testing.T, rdb redis.UniversalClient, id ID) (micros string, replayed bool) {
	t.Helper()
	f := rdb.HGetAll(t.Context(), asynqTaskPrefix(Sync)+id.String()).Val()
	return f["demanded"], f["replayed"] != ""
}

// TestReplayRunsAfterExpiredRun checks that a dead task runs again although a later one of its
// digest has begun, if that one expired, and only then.
func TestReplayRunsAfterExpiredRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(t *testing.T, rdb *redis.Client)
		want    ReplayResult
	}{
		"expired": {func(t *testing.T, rdb *redis.Client) { expire(t, rdb, begin(t, rdb, "a")) }, ReplayQueued},
		"expired twice": {func(t *testing.T, rdb *redis.Client) {
			expire(t, rdb, begin(t, rdb, "a"))
			expire(t, rdb, begin(t, rdb, "a"))
		}, ReplayQueued},
		"done before": {func(t *testing.T, rdb *redis.Client) {
			finish(t, rdb, begin(t, rdb, "a"), "done")
			expire(t, rdb, begin(t, rdb, "a"))
		}, ReplaySuperseded},
		"done since": {func(t *testing.T, rdb *redis.Client) {
			expire(t, rdb, begin(t, rdb, "a"))
			finish(t, rdb, begin(t, rdb, "a"), "done")
		}, ReplaySuperseded},
		"expired after a failure":             {expireAgain, ReplayQueued},
		"its heir expired":                    {func(t *testing.T, rdb *redis.Client) { expire(t, rdb, heir(t, rdb)) }, ReplayQueued},
		"its heir is done":                    {func(t *testing.T, rdb *redis.Client) { finish(t, rdb, heir(t, rdb), "done") }, ReplaySuperseded},
		"the outcome is kept without success": {func(t *testing.T, rdb *redis.Client) { lostEnd(t, rdb) }, ReplaySuperseded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(t *testing.T, rdb *redis.Client) {
				_, dead := kill(t, rdb, "a")
				c.happens(t, rdb)
				if r := replay(t, rdb, dead); r != c.want {
					t.Errorf("result is %q", r)
				}
			})
		})
	}
}

// expireAgain lets a run fail, and the next one of its task expire.
func expireAgain(t *testing.T, rdb *redis.Client) {
	t.Helper()
	id := begin(t, rdb, "a")
	again := time.Now().Add(time.Minute)
	_, err := NewRuns(rdb).Requeue(t.Context(), id, Again{At: again, Failures: 1})
	must(t, err)
	finishAt(t, rdb, id, StateRetry, again)
	forwardUntil(t, rdb, Sync, suffixRetry, again.Add(time.Second))
	pop(t, rdb, Sync)
	must(t, NewRuns(rdb).Start(t.Context(), id))
	expire(t, rdb, id)
}

// heir lets a run fail beside an equal task that takes over, and starts that one.
func heir(t *testing.T, rdb *redis.Client) ID {
	t.Helper()
	id := begin(t, rdb, "a")
	next := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	again := time.Now().Add(time.Minute)
	if superseded, err := NewRuns(rdb).Requeue(t.Context(), id, Again{At: again}); err != nil || !superseded {
		t.Fatalf("superseded %v, %v", superseded, err)
	}
	finish(t, rdb, id, "done")
	forwardUntil(t, rdb, Sync, suffixRetry, again.Add(time.Second))
	if got, ok := pop(t, rdb, Sync); !ok || got != next {
		t.Fatalf("popped %v", got)
	}
	must(t, NewRuns(rdb).Start(t.Context(), next))
	return next
}

// lostEnd records that a run expired whose end is lost, so that the task runs again, and is done.
func lostEnd(t *testing.T, rdb *redis.Client) {
	t.Helper()
	id := begin(t, rdb, "a")
	must(t, NewRuns(rdb).Finish(t.Context(), id, Outcome{State: expired}))
	must(t, NewRuns(rdb).Start(t.Context(), id))
	finish(t, rdb, id, "done")
}

// TestReplayMarksTheTaskThatDoesTheWork checks that an equal task that waits when a dead one is
// replayed counts as replayed and as demanded then, so that its work is not taken as unneeded.
func TestReplayMarksTheTaskThatDoesTheWork(t *testing.T) {
	t.Parallel()
	for _, popped := range []bool{false, true} {
		everywhere(t, func(t *testing.T, rdb *redis.Client) {
			_, dead := kill(t, rdb, "a")
			id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
			setDemand(t, rdb, id, time.Now().Add(-time.Hour))
			if popped {
				pop(t, rdb, Sync)
			}
			before := rdb.Time(t.Context()).Val().UnixMicro()
			if r := replay(t, rdb, dead); r != ReplaySuperseded {
				t.Fatalf("result is %q", r)
			}
			at, replayed := demandOf(t, rdb, id)
			if n, err := strconv.ParseInt(at, 10, 64); err != nil || n < before || !replayed {
				t.Errorf("popped %v: demanded at %s, %d before the replay; replayed %v", popped, at, before, replayed)
			}
		})
	}
}

// TestReplayMarksATaskThatWaitsAnyway checks the same of a task whose dead letter was written but
// whose run did not end.
func TestReplayMarksATaskThatWaitsAnyway(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	r := replay(t, rdb, Dead{ID: id.String(), Kind: "test.run", Payload: []byte("x")})
	if _, replayed := demandOf(t, rdb, id); r != ReplayWaiting || !replayed {
		t.Errorf("%q, replayed %v", r, replayed)
	}
}

// TestHeirKeepsTheLaterDemand checks that a task that takes over was demanded when the later of the
// two was, and that it is not known when if that is so for either.
func TestHeirKeepsTheLaterDemand(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Microsecond)
	early, late := now.Add(-2*time.Hour), now.Add(-time.Hour)
	for name, c := range map[string]struct{ run, heir, want time.Time }{
		"the heir's":       {early, late, late},
		"the run's":        {late, early, late},
		"the run's lacks":  {time.Time{}, late, time.Time{}},
		"the heir's lacks": {late, time.Time{}, time.Time{}},
	} {
		everywhere(t, func(t *testing.T, rdb *redis.Client) {
			run := begin(t, rdb, "a")
			next := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
			for id, at := range map[ID]time.Time{run: c.run, next: c.heir} {
				setDemand(t, rdb, id, at)
				if at.IsZero() {
					must(t, rdb.HDel(t.Context(), asynqTaskPrefix(Sync)+id.String(), "demanded").Err())
				}
			}
			superseded, err := NewRuns(rdb).Requeue(t.Context(), run, Again{At: time.Now().Add(5 * time.Minute)})
			if err != nil || !superseded {
				t.Fatalf("superseded %v, %v", superseded, err)
			}
			want := strconv.FormatInt(c.want.UnixMicro(), 10)
			if c.want.IsZero() {
				want = ""
			}
			if at, _ := demandOf(t, rdb, next); at != want {
				t.Errorf("%s: demanded at %q, want %q", name, at, want)
			}
		})
	}
}

// TestDemandOfAnUnknownTimeStaysUnknown checks that a task that an earlier release added has no
// time of its latest demand even after another demand has joined it.
func TestDemandOfAnUnknownTimeStaysUnknown(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	must(t, rdb.HDel(t.Context(), asynqTaskPrefix(Sync)+id.String(), "demanded").Err())
	if r := enqueue(t, NewProducer(rdb), demand(Sync, "a")); !r.Joined {
		t.Fatalf("%+v", r)
	}
	if at, _ := demandOf(t, rdb, id); at != "" {
		t.Errorf("demanded at %s", at)
	}
}
