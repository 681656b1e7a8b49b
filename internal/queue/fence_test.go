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

// TestEndOfALostRunEndsNoOther lets a run lose its task while its handler continues. The worker
// does not take the task again before that handler has ended, and its end touches no later run:
// asynq's acks name only the task.
func TestEndOfALostRunEndsNoOther(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	var running, overlaps atomic.Int64
	started, first, second := make(chan struct{}, 4), make(chan struct{}), make(chan error, 1)
	release := make(chan struct{})
	var n atomic.Int64
	s := serve(t, ServerOptions{Redis: rdb, Handler: handler{excused: true, delay: time.Millisecond, process: func(ctx context.Context, _ *asynq.Task) error {
		if running.Add(1) > 1 {
			overlaps.Add(1)
		}
		defer running.Add(-1)
		started <- struct{}{}
		if n.Add(1) == 1 {
			<-first // a call that ignores its context
			return ErrLeaseLost
		}
		<-release
		second <- Held(ctx)
		return nil
	}}})
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	receive(t, started)
	s.leases.lapse(time.Now().Add(time.Hour)) // no renewal has succeeded
	must(t, rdb.ZAdd(t.Context(), asynqKey(Sync, suffixLease), redis.Z{Score: 1, Member: id.String()}).Err())
	eventually(t, "the task waits", func() bool { return stateOf(t, rdb, id) == StateScheduled })
	if r := enqueue(t, NewProducer(rdb), demand(Sync, "a")); r.ID != id.String() || !r.Joined {
		t.Errorf("a demand meanwhile: %+v", r)
	}
	close(first)
	receive(t, started)
	eventually(t, "the end of the first run has arrived", func() bool {
		s.leases.mu.Lock()
		defer s.leases.mu.Unlock()
		return len(s.leases.former) == 0 && len(s.leases.runs) == 1
	})
	close(release)
	if err := receive(t, second); err != nil {
		t.Errorf("the second run: %v", err)
	}
	eventually(t, "the task is gone", func() bool { return rdb.Exists(t.Context(), asynqTaskPrefix(Sync)+id.String()).Val() == 0 })
	if n.Load() != 2 || overlaps.Load() != 0 {
		t.Errorf("%d runs, %d of them beside another", n.Load(), overlaps.Load())
	}
}

// fill makes a Redis of its own refuse commands that need memory.
func fill(t *testing.T, rdb redis.UniversalClient) {
	t.Helper()
	must(t, rdb.Do(t.Context(), "CONFIG", "SET", "maxmemory-policy", "noeviction").Err())
	must(t, rdb.Do(t.Context(), "CONFIG", "SET", "maxmemory", "1mb").Err())
	if err := rdb.Set(t.Context(), "x", "x", 0).Err(); !redis.HasErrorPrefix(err, "OOM") {
		t.Fatalf("a full Redis replies %v", err)
	}
}

// TestFullRedisTakesNoRunAway checks that runs start, keep their leases and end while Redis is
// full, so that a queue can drain.
func TestFullRedisTakesNoRunAway(t *testing.T) {
	t.Parallel()
	server := redistest.NewPrivate(t)
	server.Start(t)
	rdb := dialPrivate(t, server)
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	s := idleServer(t, rdb)
	l := &retryingClient{UniversalClient: rdb, worker: s.worker}
	fill(t, rdb)
	must(t, l.dequeue(t.Context(), Sync).Err())
	r := l.leases.get(id.String())
	ctx := context.WithValue(t.Context(), runKey{}, held{l.leases, r})
	must(t, NewRuns(rdb).Start(ctx, id))
	sent := time.Now()
	s.renewLane(t.Context(), Sync, []*run{r})
	if r.renewed.Before(sent) {
		t.Error("the lease is not renewed")
	}
	if _, err := NewRuns(rdb).Requeue(ctx, id, Again{At: time.Now()}); err != nil {
		t.Errorf("requeue: %v", err)
	}
	for _, mode := range []string{"take", "renew"} {
		if _, err := askTurn(t.Context(), rdb, Quarantine, "w", time.Minute, mode); err != nil {
			t.Errorf("%s the turn: %v", mode, err)
		}
	}
}

// TestFailuresNeverGoBack lets a task take over that has failed more often than the one whose run
// fails.
func TestFailuresNeverGoBack(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		first := popped(t, rdb, "a")
		must(t, runs.Start(t.Context(), first))
		if superseded, err := runs.Requeue(t.Context(), first, Again{At: time.Now().Add(time.Minute), Failures: 4, Code: "denied"}); err != nil || superseded {
			t.Fatal(superseded, err)
		}
		key := asynqTaskPrefix(Sync) + first.String()
		failed := string(appendInt(nil, fieldRetried, 4)) // as asynq writes it with the ack
		rdb.HSet(t.Context(), key, "msg", rdb.HGet(t.Context(), key, "msg").Val()+failed)
		finishAt(t, rdb, first, StateRetry, time.Now().Add(time.Minute))
		later := demand(Sync, "a")
		later.At = time.Now().Add(2 * time.Minute)
		second := parse(t, enqueue(t, p, later).ID)
		// After an outage both are due, and asynq forwards scheduled tasks first.
		forwardUntil(t, rdb, Sync, suffixSchedule, time.Now().Add(time.Hour))
		forwardUntil(t, rdb, Sync, suffixRetry, time.Now().Add(time.Hour))
		if got, _ := pop(t, rdb, Sync); got != second {
			t.Fatalf("popped %v", got)
		}
		must(t, runs.Start(t.Context(), second))
		for _, failures := range []int{1, 6} {
			if superseded, err := runs.Requeue(t.Context(), second, Again{At: time.Now().Add(time.Second), Failures: failures, Code: "refused"}); err != nil || !superseded {
				t.Fatal(superseded, err)
			}
			info, err := find(t.Context(), rdb, first)
			if want := max(4, failures); err != nil || info.Retried != want || info.LastErr != "refused" {
				t.Errorf("after %d failures: %d, %s, %v; want %d", failures, info.Retried, info.LastErr, err, want)
			}
		}
	})
}

// moving returns a task that the reaper is about to move to quarantine, and the token of the run
// that crashed.
func moving(t *testing.T, rdb redis.UniversalClient) (id ID, c crashed, token string) {
	t.Helper()
	id = popped(t, rdb, "a")
	key := asynqTaskPrefix(Sync) + id.String()
	token = rdb.HGet(t.Context(), key, "run").Val()
	rdb.HSet(t.Context(), key, "crashes", crashLimit-1)
	abandon(t, rdb, id, Sync, true)
	reply, err := reapScript.on(t.Context(), rdb, Sync, []string{reapKey(Sync)}, reapBatch, 12, crashLimit, 30, 3, 4, 86400).Slice()
	must(t, err)
	_, _, move, ok := readReaped(reply)
	if !ok || len(move) != 1 || move[0].last != token {
		t.Fatalf("to be moved: %+v", move)
	}
	return id, move[0], token
}

// half does the first half of a move to quarantine.
func half(t *testing.T, rdb redis.UniversalClient, c crashed) {
	t.Helper()
	message := appendText([]byte(c.message), fieldQueue, Quarantine)
	must(t, confineScript.on(t.Context(), rdb, Quarantine, nil, c.id, message, c.token, c.crashes, c.last).Err())
}

// TestCrashedRunHasNoTaskDuringTheMove checks that a worker which was only frozen keeps nothing of
// a task that moves to quarantine, and can take its crash back.
func TestCrashedRunHasNoTaskDuringTheMove(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		s := idleServer(t, rdb)
		id, c, token := moving(t, rdb)
		half(t, rdb, c)
		lost, err := renewScript.on(t.Context(), rdb, Sync, nil, "12", id.String(), token).StringSlice()
		if err != nil || len(lost) != 1 {
			t.Errorf("the frozen run renews its lease: %v, %v", lost, err)
		}
		s.unmark(t.Context(), []*run{{id: id.String(), lane: Sync, token: token}})
		if n := rdb.HGet(t.Context(), asynqTaskPrefix(Quarantine)+id.String(), "crashes").Val(); n != "1" {
			t.Errorf("%s crashes after one was taken back", n)
		}
	})
}

// TestRunsWhoseLeaseIsOverAreNotRenewed checks the process' own clock: after a freeze a renewal may
// be sent before the run is given up.
func TestRunsWhoseLeaseIsOverAreNotRenewed(t *testing.T) {
	t.Parallel()
	l := newLeases(time.Minute)
	l.add(&run{id: "x", lane: Sync}, time.Now())
	if n := len(l.byLane(time.Now())); n != 1 {
		t.Errorf("%d lanes", n)
	}
	if n := len(l.byLane(time.Now().Add(time.Minute))); n != 0 {
		t.Error("a lease that is over is renewed")
	}
}

// TestInterruptedMoveOfATaskThatIsDone interrupts a move to quarantine, where the task then
// succeeds. The next reap does not run it again.
func TestInterruptedMoveOfATaskThatIsDone(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		s := idleServer(t, rdb)
		id, c, _ := moving(t, rdb)
		half(t, rdb, c)
		rdb.Del(t.Context(), asynqKey(Quarantine, suffixPending), asynqTaskPrefix(Quarantine)+id.String())
		must(t, NewRuns(rdb).Finish(t.Context(), id, Outcome{State: "done"}))
		abandon(t, rdb, id, Sync, false)
		must(t, s.reapLane(t.Context(), Sync))
		if n := rdb.LLen(t.Context(), asynqKey(Quarantine, suffixPending)).Val(); n != 0 {
			t.Error("a task that is done runs again")
		}
		if n := rdb.Exists(t.Context(), asynqTaskPrefix(Sync)+id.String()).Val(); n != 0 {
			t.Error("it remains in its lane")
		}
		if next := enqueue(t, NewProducer(rdb), demand(Sync, "a")); next.Joined {
			t.Errorf("a demand joined it: %+v", next)
		}
		if _, ok := pop(t, rdb, Sync); !ok {
			t.Error("the next demand waits")
		}
	})
}

// TestMoveReplacesARemainderInQuarantine moves a task to quarantine whose dead predecessor, from
// before it was replayed, is still archived there.
func TestMoveReplacesARemainderInQuarantine(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		s := idleServer(t, rdb)
		id := popped(t, rdb, "a")
		rdb.HSet(t.Context(), asynqTaskPrefix(Quarantine)+id.String(), "msg", "former", "state", "archived", "run", "5")
		rdb.ZAdd(t.Context(), asynqKey(Quarantine, suffixArchived), redis.Z{Score: 1, Member: id.String()})
		rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+id.String(), "crashes", 1)
		abandon(t, rdb, id, Sync, true)
		must(t, s.reapLane(t.Context(), Sync))
		if n := rdb.LLen(t.Context(), asynqKey(Quarantine, suffixPending)).Val(); n != 1 {
			t.Errorf("%d wait in quarantine", n)
		}
		if n := rdb.ZCard(t.Context(), asynqKey(Quarantine, suffixArchived)).Val(); n != 0 {
			t.Error("the remainder is still archived")
		}
	})
}

// TestFormerIDInQuarantineOfACluster starts a task of an earlier release in quarantine, whose keys
// are on another slot than those of its lane.
func TestFormerIDInQuarantineOfACluster(t *testing.T) {
	t.Parallel()
	n := redistest.StartNode(t, "--cluster-enabled", "yes")
	n.OwnCluster(t)
	rdb := n.Client(t)
	id := parse(t, Sync+"-"+digest("a")+"-5")
	r := &run{id: id.String(), lane: Quarantine, token: "7"}
	ctx := context.WithValue(t.Context(), runKey{}, held{newLeases(time.Minute), r})
	rdb.HSet(t.Context(), asynqTaskPrefix(Quarantine)+id.String(), "msg", "m", "state", "active", "run", r.token)
	rdb.ZAdd(t.Context(), asynqKey(Quarantine, suffixLease), redis.Z{Score: 9e9, Member: id.String()})
	if err := NewRuns(rdb).Start(ctx, id); err != nil {
		t.Error(err)
	}
}

// TestHungHandlerDoesNotHoldTheTurn runs a handler that does not end while a task waits in
// quarantine. The worker waits for it for a while, and then takes other tasks. Once asynq has given
// the handler up, the task in quarantine runs.
func TestHungHandlerDoesNotHoldTheTurn(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	hang := make(chan struct{})
	ran := make(chan string, 16)
	haste := defaultTempo
	haste.patience, haste.rest = 200*time.Millisecond, 200*time.Millisecond
	serve(t, ServerOptions{Redis: rdb, tempo: haste, Handler: handler{process: func(ctx context.Context, _ *asynq.Task) error {
		lane, _ := asynq.GetQueueName(ctx)
		ran <- lane
		if lane == Push {
			<-hang
		}
		return nil
	}}})
	defer close(hang)
	p := NewProducer(rdb)
	hung := demand(Push, "a")
	hung.Timeout = 3 * time.Second
	enqueue(t, p, hung)
	receive(t, ran)
	confined(t, rdb, "b")
	eventually(t, "the worker has its turn", func() bool { return rdb.Exists(t.Context(), turnKey(Quarantine)).Val() == 1 })
	enqueue(t, p, demand(Interactive, "c"))
	if lane := receive(t, ran); lane != Interactive {
		t.Errorf("ran a task of %s while a handler hangs", lane)
	}
	if lane := receive(t, ran); lane != Quarantine {
		t.Errorf("ran a task of %s after the timeout", lane)
	}
}

// TestScriptsUnderTheirUsers runs what each program does with tasks as its user of deploy/redis.
func TestScriptsUnderTheirUsers(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "../../deploy/redis/redis-queue.conf", "../../deploy/redis/users-queue.acl")
	worker := s.Client(t, "worker", "worker-dev")
	for user, char := range map[string]string{"gateway": "a", "scheduler": "b", "operator": "e"} {
		p := NewProducer(s.Client(t, user, user+"-dev"))
		retrying := parse(t, enqueue(t, p, demand(Interactive, char)).ID)
		if _, ok := pop(t, worker, Interactive); !ok {
			t.Fatal("nothing popped")
		}
		finishAt(t, worker, retrying, StateRetry, time.Now().Add(time.Hour))
		if r := enqueue(t, p, demand(Interactive, char)); !r.Joined || stateOf(t, worker, retrying) != StatePending {
			t.Errorf("%s: a demand for which a user waits: %+v, and the task is %s", user, r, stateOf(t, worker, retrying))
		}
		pop(t, worker, Interactive)
		enqueue(t, p, demand(Sync, char))
		twin := demand(Interactive, char)
		twin.Twin, twin.Once = Sync, "once"+char
		enqueue(t, p, twin)
		must(t, worker.Del(t.Context(), asynqTaskPrefix(Interactive)+retrying.String()).Err())
		must(t, worker.Set(t.Context(), asynqTaskPrefix(Interactive)+retrying.String(), "damaged", 0).Err())
		later := demand(Interactive, char)
		later.At = time.Now().Add(time.Hour)
		enqueue(t, p, later)
	}
	for user, char := range map[string]string{"monitor": "c", "operator": "d"} {
		id := parse(t, enqueue(t, NewProducer(worker), demand(Push, char)).ID)
		pop(t, worker, Push)
		finishAt(t, worker, id, StateArchived, time.Now())
		result, err := NewProducer(s.Client(t, user, user+"-dev")).Replay(t.Context(), Dead{ID: id.String()})
		if err != nil || result != ReplayQueued {
			t.Errorf("%s replays: %s, %v", user, result, err)
		}
		pop(t, worker, Push)
	}
	for _, refusal := range s.Refusals(t) {
		t.Errorf("refused: %s", refusal)
	}
}
