package queue

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// idleServer returns a server that serves our own lanes and was not started.
func idleServer(t *testing.T, rdb redis.UniversalClient) *Server {
	t.Helper()
	s, err := NewServer(ServerOptions{Redis: rdb, Handler: handler{}})
	must(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

// abandon pops a task whose worker is gone. Marked reports whether user code had started.
func abandon(t *testing.T, rdb redis.UniversalClient, id ID, lane string, marked bool) {
	t.Helper()
	key := asynqTaskPrefix(lane) + id.String()
	if marked {
		must(t, rdb.HSet(t.Context(), key, "mark", rdb.HGet(t.Context(), key, "run").Val()).Err())
	}
	must(t, rdb.ZAdd(t.Context(), asynqKey(lane, suffixLease), redis.Z{Score: 1, Member: id.String()}).Err())
	reaped(t, rdb, lane)
}

// reaped makes the next reap one that follows another in time.
func reaped(t *testing.T, rdb redis.UniversalClient, lane string) {
	t.Helper()
	now := rdb.Time(t.Context()).Val()
	must(t, rdb.Set(t.Context(), reapKey(lane), seconds(time.Duration(now.UnixNano()))+" 0.000", 0).Err())
}

func popped(t *testing.T, rdb redis.UniversalClient, char string) ID {
	t.Helper()
	enqueue(t, NewProducer(rdb), demand(Sync, char))
	id, ok := pop(t, rdb, Sync)
	if !ok || id.Digest != digest(char) {
		t.Fatalf("popped %v", id)
	}
	return id
}

// TestReaperSkipsBadRecords checks that no message that cannot be decoded, no missing one and no
// key that is not a record delays the return of the other tasks, which become the next of their
// lane.
func TestReaperSkipsBadRecords(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		prefix := asynqTaskPrefix(Sync)
		undecodable, ghost, live, good := popped(t, rdb, "a"), popped(t, rdb, "b"), popped(t, rdb, "c"), popped(t, rdb, "d")
		other := popped(t, rdb, "f")
		enqueue(t, NewProducer(rdb), demand(Sync, "e"))
		for _, id := range []ID{undecodable, ghost, other, good} {
			abandon(t, rdb, id, Sync, false)
		}
		rdb.Del(t.Context(), prefix+other.String())
		rdb.Set(t.Context(), prefix+other.String(), "not a record", 0)
		rdb.HSet(t.Context(), prefix+undecodable.String(), "msg", "not a message")
		rdb.HDel(t.Context(), prefix+ghost.String(), "msg")
		s := idleServer(t, rdb)
		must(t, s.reapLane(t.Context(), Sync))
		if n := rdb.Exists(t.Context(), prefix+ghost.String()).Val(); n != 0 {
			t.Error("a record without a message remains")
		}
		if got := stateOf(t, rdb, live); got != "active" {
			t.Errorf("a task under a current lease is %s", got)
		}
		l := &retryingClient{UniversalClient: rdb, worker: s.worker}
		var got []ID
		for range 5 {
			if message, err := l.dequeue(t.Context(), Sync).Text(); err == nil && message == "not a message" {
				t.Error("asynq receives a message that it cannot decode")
			}
		}
		for _, r := range l.leases.all() {
			got = append(got, parse(t, r.id))
		}
		if len(got) != 2 || l.leases.get(good.String()) == nil || stateOf(t, rdb, undecodable) != StateArchived {
			t.Errorf("popped %v; what cannot be decoded is %s", got, stateOf(t, rdb, undecodable))
		}
	})
}

// TestGhostsAreNeverPopped checks that an ID without a record leaves the lane and delays no other.
func TestGhostsAreNeverPopped(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		ghost := enqueue(t, NewProducer(rdb), demand(Sync, "a"))
		good := enqueue(t, NewProducer(rdb), demand(Sync, "b"))
		rdb.Del(t.Context(), asynqTaskPrefix(Sync)+ghost.ID)
		if got, ok := pop(t, rdb, Sync); !ok || got.String() != good.ID {
			t.Errorf("popped %v, %v", got, ok)
		}
		if n := rdb.Exists(t.Context(), asynqTaskPrefix(Sync)+ghost.ID).Val(); n != 0 {
			t.Error("the ghost has a record")
		}
		if r := enqueue(t, NewProducer(rdb), demand(Sync, "a")); r.Joined {
			t.Errorf("a demand joined the ghost: %+v", r)
		}
	})
}

// TestSecondEntryOfARunningTaskIsDropped checks that no entry in the list of pending tasks takes a
// task from a run with a current lease.
func TestSecondEntryOfARunningTaskIsDropped(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := popped(t, rdb, "a")
	rdb.RPush(t.Context(), asynqKey(Sync, suffixPending), id.String())
	if got, ok := pop(t, rdb, Sync); ok {
		t.Errorf("popped %s, which runs", got)
	}
}

// TestCrashesAreCounted follows a task through its crashes: two in its lane, then one alone in
// quarantine, after which it is marked for its end. Ends of processes before user code started, and
// after an orderly leave, count nothing.
func TestCrashesAreCounted(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		s := idleServer(t, rdb)
		id := popped(t, rdb, "a")
		again := func(marked bool) {
			t.Helper()
			abandon(t, rdb, id, Sync, marked)
			must(t, s.reapLane(t.Context(), Sync))
		}
		crashes := func(lane string) string {
			return rdb.HGet(t.Context(), asynqTaskPrefix(lane)+id.String(), "crashes").Val()
		}
		again(false)
		if got, _ := pop(t, rdb, Sync); got != id || crashes(Sync) != "" {
			t.Fatalf("popped %v after %q crashes", got, crashes(Sync))
		}
		again(true)
		if got, _ := pop(t, rdb, Sync); got != id || crashes(Sync) != "1" {
			t.Fatalf("popped %v after %q crashes", got, crashes(Sync))
		}
		// The worker leaves in order: its marks go, and what was counted for its run is taken back.
		r := &run{id: id.String(), lane: Sync, token: rdb.HGet(t.Context(), asynqTaskPrefix(Sync)+id.String(), "run").Val()}
		rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+id.String(), "mark", r.token)
		if left := s.unmark(t.Context(), []*run{r}); len(left) != 0 {
			t.Fatal("marks remain")
		}
		again(false)
		pop(t, rdb, Sync)
		if crashes(Sync) != "1" {
			t.Errorf("%s crashes after an orderly end", crashes(Sync))
		}
		again(true)
		if got, ok := pop(t, rdb, Sync); ok {
			t.Errorf("%v runs in its lane after two crashes", got)
		}
		if n := rdb.LLen(t.Context(), asynqKey(Quarantine, suffixPending)).Val(); n != 1 || crashes(Quarantine) != "2" || crashes(Sync) != "" {
			t.Errorf("%d in quarantine, %q crashes there", n, crashes(Quarantine))
		}
		found, err := Find(t.Context(), rdb, id)
		if err != nil || found.State != StatePending {
			t.Errorf("found %+v, %v", found, err)
		}
		// An equal task waits in the lane until the one in quarantine has ended.
		second := enqueue(t, NewProducer(rdb), demand(Sync, "a"))
		if got, ok := pop(t, rdb, Sync); ok || second.Joined {
			t.Errorf("%v runs beside the task in quarantine; receipt %+v", got, second)
		}
		l := &retryingClient{UniversalClient: rdb, worker: s.worker}
		if _, err := l.popAlone(t.Context(), Quarantine).Text(); err != nil {
			t.Fatal(err)
		}
		if got := l.leases.get(id.String()); got == nil || got.crashes != crashLimit {
			t.Errorf("in quarantine %+v runs", got)
		}
		abandon(t, rdb, id, Quarantine, true)
		must(t, s.reapLane(t.Context(), Quarantine))
		due := rdb.ZScore(t.Context(), asynqKey(Quarantine, suffixSchedule), id.String()).Val()
		if crashes(Quarantine) != strconv.Itoa(crashLimit+1) || time.Until(time.Unix(int64(due), 0)) < defaultTempo.thaw/2 {
			t.Errorf("%s crashes, due %v", crashes(Quarantine), time.Unix(int64(due), 0))
		}
		// A worker that was only frozen takes the crash back.
		s.unmark(t.Context(), []*run{l.leases.get(id.String())})
		if crashes(Quarantine) != "2" {
			t.Errorf("%s crashes after one was taken back", crashes(Quarantine))
		}
		l.unhold(t.Context(), id.String())
		if got, ok := pop(t, rdb, Sync); !ok || got.String() != second.ID {
			t.Errorf("after the end in quarantine %v runs", got)
		}
	})
}

// TestInterruptedMoveToQuarantineIsFinished checks that a worker which dies between the two halves
// of the move leaves the task in both lanes, and the next reap removes it from the first.
func TestInterruptedMoveToQuarantineIsFinished(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	s := idleServer(t, rdb)
	id := popped(t, rdb, "a")
	key := asynqTaskPrefix(Sync) + id.String()
	rdb.HSet(t.Context(), key, "crashes", crashLimit)
	f := rdb.HMGet(t.Context(), key, "msg", "run").Val()
	message, _ := f[0].(string)
	token, _ := f[1].(string)
	must(t, confineScript.on(t.Context(), rdb, Quarantine, nil, id.String(), appendText([]byte(message), fieldQueue, Quarantine), token, crashLimit, token).Err())
	abandon(t, rdb, id, Sync, false)
	must(t, s.reapLane(t.Context(), Sync))
	if n := rdb.LLen(t.Context(), asynqKey(Quarantine, suffixPending)).Val(); n != 1 || rdb.Exists(t.Context(), key).Val() != 0 {
		t.Errorf("%d in quarantine, and in the lane %d", n, rdb.Exists(t.Context(), key).Val())
	}
	if n := rdb.ZCard(t.Context(), asynqKey(Sync, suffixLease)).Val() + rdb.LLen(t.Context(), asynqKey(Sync, suffixActive)).Val(); n != 0 {
		t.Errorf("%d remains in the lane", n)
	}
}

// confined adds a task of the lane sync to quarantine.
func confined(t *testing.T, rdb redis.UniversalClient, char string) {
	t.Helper()
	id := ID{Lane: Sync, Digest: digest(char), Generation: 1}
	call, err := NewProducer(rdb).record(t.Context(), ID{Lane: Quarantine, Digest: id.Digest, Generation: 1}, asynq.NewTask("test.run", nil), time.Minute, time.Time{})
	must(t, err)
	message := appendText(call.message, fieldID, id.String())
	must(t, confineScript.on(t.Context(), rdb, Quarantine, nil, id.String(), message, "1", crashLimit, "1").Err())
}

// TestQuarantineRunsAlone checks that a worker takes no task while another one runs in quarantine,
// that it waits for its own runs first, and that a second worker takes none from quarantine.
func TestQuarantineRunsAlone(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	busy, other := make(chan struct{}), make(chan struct{})
	ran := make(chan string, 16)
	serve(t, ServerOptions{Redis: rdb, Handler: handler{process: func(ctx context.Context, task *asynq.Task) error {
		lane, _ := asynq.GetQueueName(ctx)
		ran <- lane
		switch lane {
		case Push:
			<-busy
		case Quarantine:
			<-other
		}
		return nil
	}}})
	p := NewProducer(rdb)
	enqueue(t, p, demand(Push, "a"))
	if lane := receive(t, ran); lane != Push {
		t.Fatalf("ran a task of %s", lane)
	}
	confined(t, rdb, "b")
	confined(t, rdb, "c")
	eventually(t, "the worker has its turn", func() bool { return rdb.Exists(t.Context(), turnKey(Quarantine)).Val() == 1 })
	enqueue(t, p, demand(Interactive, "d"))
	second := idleServer(t, rdb)
	l := &retryingClient{UniversalClient: rdb, worker: second.worker}
	if err := l.dequeue(t.Context(), Quarantine).Err(); err != redis.Nil { //nolint:errorlint // the reply for an empty lane
		t.Errorf("a second worker takes a turn: %v", err)
	}
	close(busy)
	for i, want := range []string{Quarantine, ""} {
		if want == "" {
			other <- struct{}{}
			want = receive(t, ran)
			if want == Quarantine {
				other <- struct{}{}
				want = receive(t, ran)
			}
			if want != Interactive {
				t.Errorf("after quarantine, a task of %s ran", want)
			}
			continue
		}
		if lane := receive(t, ran); lane != want {
			t.Errorf("run %d is of %s, want %s", i, lane, want)
		}
		if n := rdb.LLen(t.Context(), asynqKey(Interactive, suffixPending)).Val(); n != 1 {
			t.Error("an urgent task runs beside the one in quarantine")
		}
	}
	close(other)
}
