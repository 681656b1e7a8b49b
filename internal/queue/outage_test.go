package queue

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// starting returns a handler that marks each run, reports its lane, and runs until its context ends
// and hang is closed, if there is one.
func starting(rdb redis.UniversalClient, hang chan struct{}) (Handler, chan string) {
	started, runs := make(chan string, 64), NewRuns(rdb)
	return handler{excused: true, delay: time.Millisecond, process: func(ctx context.Context, _ *asynq.Task) error {
		raw, _ := asynq.GetTaskID(ctx)
		lane, _ := asynq.GetQueueName(ctx)
		id, _ := ParseID(raw)
		if err := runs.Start(ctx, id); err != nil {
			return err
		}
		started <- lane
		<-ctx.Done()
		if hang != nil {
			<-hang
		}
		return ctx.Err()
	}}, started
}

// TestFrozenRedisIsNoCrash freezes Redis for longer than a lease. No worker has died: a task that
// has crashed before runs again in its lane.
func TestFrozenRedisIsNoCrash(t *testing.T) {
	t.Parallel()
	p := redistest.NewPrivate(t)
	p.Start(t)
	rdb := dialPrivate(t, p)
	haste := tempo{lease: 2 * time.Second, renew: 500 * time.Millisecond, lapse: 50 * time.Millisecond, reap: 100 * time.Millisecond, thaw: time.Second}
	h, started := starting(rdb, nil)
	s := serve(t, ServerOptions{Redis: rdb, tempo: haste, Handler: h})
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	receive(t, started)
	key := asynqTaskPrefix(Sync) + id.String()
	must(t, rdb.HSet(t.Context(), key, "crashes", 1).Err())
	p.Freeze(t)
	eventually(t, "the run is lost", func() bool { return s.leases.count() == 0 })
	p.Thaw(t)
	if lane := receive(t, started); lane != Sync {
		t.Errorf("it runs in %s", lane)
	}
	if n := rdb.HGet(t.Context(), key, "crashes").Val(); n != "1" {
		t.Errorf("%s crashes", n)
	}
}

// TestReapWaitsAfterAGap checks that no task is returned right after a time without a reap, that
// the wait ends, and that reaps which are always late return tasks too.
func TestReapWaitsAfterAGap(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := popped(t, rdb, "a")
	abandon(t, rdb, id, Sync, false)
	reap := func(ago, resume time.Duration) bool {
		t.Helper()
		now := rdb.Time(t.Context()).Val()
		must(t, rdb.Set(t.Context(), reapKey(Sync), seconds(time.Duration(now.Add(-ago).UnixNano()))+" "+seconds(time.Duration(now.Add(resume).UnixNano())), 0).Err())
		must(t, idleServer(t, rdb).reapLane(t.Context(), Sync))
		return stateOf(t, rdb, id) == StatePending
	}
	if reap(10*time.Second, -time.Hour) {
		t.Error("returned at once after a gap")
	}
	if reap(time.Second, time.Second) {
		t.Error("returned during the wait")
	}
	if !reap(10*time.Second, -time.Second) {
		t.Error("a late reap that has waited returns nothing")
	}
}

// TestOldCrashesDoNotCount checks that a crash is forgotten after a day.
func TestOldCrashesDoNotCount(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		age  time.Duration
		want string
	}{"recent": {time.Hour, Quarantine}, "old": {crashLife + time.Hour, Sync}} {
		rdb := redistest.New(t)
		id := popped(t, rdb, "a")
		rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+id.String(), "crashes", 1, "crashed_at", time.Now().Add(-row.age).Unix())
		abandon(t, rdb, id, Sync, true)
		must(t, idleServer(t, rdb).reapLane(t.Context(), Sync))
		if n := rdb.LLen(t.Context(), asynqKey(row.want, suffixPending)).Val(); n != 1 {
			t.Errorf("%s: it is not in %s", name, row.want)
		}
	}
}

// TestMarksEndAlthoughRedisHangsAtFirst stops a worker whose Redis hangs at first and whose
// handler does not end. The end of its process counts as no crash.
func TestMarksEndAlthoughRedisHangsAtFirst(t *testing.T) {
	t.Parallel()
	p := redistest.NewPrivate(t)
	p.Start(t)
	rdb := dialPrivate(t, p)
	hang := make(chan struct{})
	defer close(hang)
	h, started := starting(rdb, hang)
	s := serve(t, ServerOptions{Redis: rdb, Handler: h, Drain: Drain{Soft: 4 * time.Second, Hard: 5 * time.Second, Limit: 6 * time.Second}})
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	receive(t, started)
	p.Freeze(t)
	time.AfterFunc(2500*time.Millisecond, func() { p.Thaw(t) })
	if err := s.Stop(context.Background()); err == nil {
		t.Error("the handler ended")
	}
	if rdb.HExists(t.Context(), asynqTaskPrefix(Sync)+id.String(), "mark").Val() {
		t.Error("the mark remains")
	}
}

// TestMarksOfLostRunsEnd stops a worker right after it has lost a run.
func TestMarksOfLostRunsEnd(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	s := idleServer(t, rdb)
	id := popped(t, rdb, "a")
	key := asynqTaskPrefix(Sync) + id.String()
	r := &run{id: id.String(), lane: Sync, token: rdb.HGet(t.Context(), key, "run").Val()}
	rdb.HSet(t.Context(), key, "mark", r.token)
	s.leases.add(r, time.Now())
	s.leases.lapse(time.Now().Add(time.Hour))
	must(t, s.Stop(context.Background()))
	if rdb.HExists(t.Context(), key, "mark").Val() {
		t.Error("the mark remains")
	}
}

// TestDamagedRecordLosesNoTask pops a task whose digest has a damaged record.
func TestDamagedRecordLosesNoTask(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		for _, char := range []string{"a", "b"} {
			id := enqueue(t, NewProducer(rdb), demand(Sync, char)).ID
			rdb.Del(t.Context(), recordPrefix(Sync)+digest(char))
			rdb.Set(t.Context(), recordPrefix(Sync)+digest(char), "damaged", 0)
			if char == "b" {
				enqueue(t, NewProducer(rdb), demand(Sync, char))
			}
			if got, ok := pop(t, rdb, Sync); !ok || got.String() != id {
				t.Errorf("popped %v, %v", got, ok)
			}
		}
	})
}

// TestDemandDuringARunOfAnEarlierWorker demands a task of an earlier release that one of its
// workers has started.
func TestDemandDuringARunOfAnEarlierWorker(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	former := ID{Lane: Sync, Digest: digest("a"), Generation: 5, former: true}
	key := asynqTaskPrefix(Sync) + former.String()
	rdb.Set(t.Context(), former.formerKey(), "5", 0)
	rdb.HSet(t.Context(), key, "msg", "m", "state", "pending")
	rdb.LPush(t.Context(), asynqKey(Sync, suffixPending), former.String())
	p := NewProducer(rdb)
	if r := enqueue(t, p, demand(Sync, "a")); r.ID != former.String() {
		t.Fatalf("while it waits: %+v", r)
	}
	rdb.LMove(t.Context(), asynqKey(Sync, suffixPending), asynqKey(Sync, suffixActive), "RIGHT", "LEFT")
	rdb.HSet(t.Context(), key, "state", "active")
	rdb.ZAdd(t.Context(), asynqKey(Sync, suffixLease), redis.Z{Score: float64(time.Now().Add(30 * time.Second).Unix()), Member: former.String()})
	rdb.Incr(t.Context(), former.formerKey())
	if r := enqueue(t, p, demand(Sync, "a")); r.Joined {
		t.Errorf("during its run: %+v", r)
	}
}

// TestReplayBesideALaterDemand replays a dead task beside an equal one that is due tomorrow.
func TestReplayBesideALaterDemand(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		id, dead := kill(t, rdb, "a")
		tomorrow := demand(Sync, "a")
		tomorrow.At = time.Now().Add(24 * time.Hour)
		later := enqueue(t, NewProducer(rdb), tomorrow)
		if r := replay(t, rdb, dead); r != ReplayQueued {
			t.Errorf("result is %q, and nothing runs before tomorrow", r)
		}
		if got, ok := pop(t, rdb, Sync); !ok || got != id {
			t.Errorf("popped %v", got)
		}
		finish(t, rdb, id, "done")
		if next := enqueue(t, NewProducer(rdb), tomorrow); next.ID != later.ID {
			t.Errorf("a demand for tomorrow: %+v", next)
		}
	})
}

// TestHeirInheritsNoCrash lets a task take over from one whose earlier run was counted as a crash
// while its worker was only frozen.
func TestHeirInheritsNoCrash(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		runs := NewRuns(rdb)
		id := popped(t, rdb, "a")
		rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+id.String(), "crashes", 1)
		must(t, runs.Start(t.Context(), id))
		heir := enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID
		if superseded, err := runs.Requeue(t.Context(), id, Again{At: time.Now().Add(time.Minute), Failures: 1}); err != nil || !superseded {
			t.Fatal(superseded, err)
		}
		if n := rdb.HGet(t.Context(), asynqTaskPrefix(Sync)+heir, "crashes").Val(); n != "" {
			t.Errorf("%s crashes", n)
		}
	})
}

// TestDrainedTaskIsNextInItsLane stops a worker while a task runs and others wait.
func TestDrainedTaskIsNextInItsLane(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	started := make(chan struct{}, 4)
	h := handler{excused: true, delay: time.Millisecond, process: func(ctx context.Context, _ *asynq.Task) error {
		started <- struct{}{}
		<-ctx.Done()
		return ErrDraining
	}}
	s := serve(t, ServerOptions{Redis: rdb, Handler: h, Pools: []Pool{{Slots: 1, Lanes: map[string]int{Sync: 1}}}})
	id := enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID
	receive(t, started)
	for _, char := range []string{"b", "c", "d"} {
		enqueue(t, NewProducer(rdb), demand(Sync, char))
	}
	must(t, s.Stop(context.Background()))
	if next, ok := pop(t, rdb, Sync); !ok || next.String() != id {
		t.Errorf("next is %v, want %s", next, id)
	}
}

// TestJoinNeedsNoMemory checks that a Redis that is full takes a demand which joins a waiting task.
func TestJoinNeedsNoMemory(t *testing.T) {
	t.Parallel()
	p := redistest.NewPrivate(t)
	p.Start(t)
	rdb := dialPrivate(t, p)
	first := enqueue(t, NewProducer(rdb), demand(Sync, "a"))
	fill(t, rdb)
	receipts, err := NewProducer(rdb).Enqueue(t.Context(), []Demand{demand(Sync, "a")})
	if err != nil || receipts[0] != (Receipt{ID: first.ID, Joined: true}) {
		t.Errorf("%+v, %v", receipts, err)
	}
}
