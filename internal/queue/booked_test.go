package queue

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// booked is a demand with a place in the vendor's budget.
func booked(lane, char string, wait time.Duration) Demand {
	d := demand(lane, char)
	d.Booked, d.Wait = true, wait
	return d
}

// placeOfTask returns how far away a scheduled task is, by Redis' clock.
func placeOfTask(t *testing.T, rdb *redis.Client, id string) time.Duration {
	t.Helper()
	score, err := rdb.ZScore(t.Context(), asynqKey(Sync, suffixSchedule), id).Result()
	must(t, err)
	return time.UnixMicro(int64(score * 1e6)).Sub(rdb.Time(t.Context()).Val())
}

func near(d, want time.Duration) bool { return d <= want+2*time.Millisecond && d > want-5*time.Second }

// TestBookedTaskIsScheduledForItsPlace checks where a task waits, and that asynq's inspector reads
// a time that is no whole second.
func TestBookedTaskIsScheduledForItsPlace(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		if r := enqueue(t, p, booked(Sync, "b", 0)); stateOf(t, rdb, parse(t, r.ID)) != StatePending {
			t.Error("a task whose place is now is not pending")
		}
		r := enqueue(t, p, booked(Sync, "a", 90*time.Second))
		if d := placeOfTask(t, rdb, r.ID); !near(d, 90*time.Second) || r.Unneeded || r.Former != 0 {
			t.Errorf("%+v is %v away", r, d)
		}
		tasks, err := Tasks(t.Context(), rdb, Sync, StateScheduled, 9)
		if err != nil || len(tasks) != 1 || tasks[0].ID != r.ID || !near(time.Until(tasks[0].NextAt), 90*time.Second) || tasks[0].Code != codes.Booked {
			t.Errorf("the inspector finds %+v, %v", tasks, err)
		}
		found, err := Find(t.Context(), rdb, parse(t, r.ID))
		if err != nil || found.State != StateScheduled || found.Code != codes.Booked {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

// TestDemandsJoinABookedTask checks that a booked task is one that is demanded for now, and that
// the place that is not needed is reported.
func TestDemandsJoinABookedTask(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		id := enqueue(t, p, booked(Sync, "a", time.Hour)).ID
		for name, d := range map[string]Demand{"later place": booked(Sync, "a", 2*time.Hour), "no place": demand(Sync, "a")} {
			r := enqueue(t, p, d)
			if r != (Receipt{ID: id, Joined: true, Unneeded: d.Booked}) || !near(placeOfTask(t, rdb, id), time.Hour) {
				t.Errorf("%s: %+v", name, r)
			}
		}
		later := demand(Sync, "a")
		later.At = time.Now().Add(10 * time.Minute)
		other := enqueue(t, p, later)
		if other.Joined {
			t.Errorf("a demand for later joined one for now: %+v", other)
		}
		r := enqueue(t, p, booked(Sync, "a", time.Minute))
		if r.ID != id || r.Unneeded || !near(time.Until(time.UnixMicro(r.Former)), time.Hour) || !near(placeOfTask(t, rdb, id), time.Minute) {
			t.Errorf("an earlier place: %+v", r)
		}
		r = enqueue(t, p, booked(Sync, "a", 0))
		if r.ID != id || !near(time.Until(time.UnixMicro(r.Former)), time.Minute) || stateOf(t, rdb, parse(t, id)) != StatePending {
			t.Errorf("a place now: %+v", r)
		}
		if rdb.HExists(t.Context(), asynqTaskPrefix(Sync)+id, "booked").Val() {
			t.Error("a pending task counts as booked")
		}
	})
}

// TestBookedDemandForLater checks that a place never brings a demand before its time.
func TestBookedDemandForLater(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	d := booked(Sync, "a", time.Minute)
	d.At = time.Now().Add(time.Hour).Truncate(time.Second)
	id := enqueue(t, p, d).ID
	if wait := placeOfTask(t, rdb, id); !near(wait, time.Hour) || rdb.HExists(t.Context(), asynqTaskPrefix(Sync)+id, "booked").Val() {
		t.Errorf("scheduled in %v", wait)
	}
	d.Wait = 2 * time.Hour
	if r := enqueue(t, p, d); r != (Receipt{ID: id, Joined: true, Unneeded: true}) {
		t.Errorf("an equal demand: %+v", r)
	}
	if r := enqueue(t, p, booked(Sync, "a", time.Minute)); r.ID != id || r.Unneeded || !near(placeOfTask(t, rdb, id), time.Minute) {
		t.Errorf("a demand for now: %+v", r)
	}
	if rdb.HGet(t.Context(), asynqTaskPrefix(Sync)+id, "booked").Val() != "0" {
		t.Error("the task that came forward is not booked for now")
	}
}

// TestUrgentDemandEndsABooking checks that a person does not wait for the place of a background
// task that does the same.
func TestUrgentDemandEndsABooking(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	must(t, urgeScript.Load(t.Context(), rdb).Err())
	id := enqueue(t, p, booked(Sync, "a", time.Hour)).ID
	urgent := demand(Interactive, "a")
	urgent.Twin = Sync
	enqueue(t, p, urgent)
	if got, ok := pop(t, rdb, Sync); !ok || got.String() != id {
		t.Errorf("popped %v, %v", got, ok)
	}
	if n := rdb.ZCard(t.Context(), asynqKey(Sync, suffixSchedule)).Val(); n != 0 {
		t.Errorf("%d tasks are scheduled", n)
	}
}

// TestUrgentDemandKeepsTheTime checks that a task that was demanded for later does not run early
// because a person waits for the same work.
func TestUrgentDemandKeepsTheTime(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	must(t, urgeScript.Load(t.Context(), rdb).Err())
	later := booked(Sync, "a", time.Hour)
	later.At = time.Now().Add(time.Hour - time.Minute)
	id := enqueue(t, p, later).ID
	urgent := demand(Interactive, "a")
	urgent.Twin = Sync
	enqueue(t, p, urgent)
	if got := placeOfTask(t, rdb, id); !near(got, time.Hour) {
		t.Errorf("it runs in %v", got)
	}
}

// TestLaterPlaceDelaysNoTask checks that a demand for now does not move the task that it joins to a
// later place, and that the task then counts as demanded for now.
func TestLaterPlaceDelaysNoTask(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		for char, d := range map[string]Demand{"a": booked(Sync, "a", time.Minute), "b": demand(Sync, "b")} {
			d.At = time.Now().Add(time.Minute - time.Second)
			id := enqueue(t, p, d).ID
			before := placeOfTask(t, rdb, id)
			r := enqueue(t, p, booked(Sync, char, time.Hour))
			if r != (Receipt{ID: id, Joined: true, Unneeded: true}) || placeOfTask(t, rdb, id) > before {
				t.Errorf("%+v runs in %v", r, placeOfTask(t, rdb, id))
			}
			if at := rdb.HGet(t.Context(), asynqTaskPrefix(Sync)+id, "booked").Val(); at != "0" {
				t.Errorf("it is booked for %q", at)
			}
			if r := enqueue(t, p, booked(Sync, char, time.Second)); r.ID != id || r.Unneeded || !near(placeOfTask(t, rdb, id), time.Second) {
				t.Errorf("a demand for an earlier place: %+v", r)
			}
		}
	})
}

// TestOverdueTasksAreCounted checks that tasks show that no worker has taken at their places.
func TestOverdueTasksAreCounted(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	for char, ago := range map[string]time.Duration{"a": time.Minute, "b": time.Second, "c": -time.Minute} {
		id := enqueue(t, p, booked(Sync, char, time.Hour)).ID
		at := float64(time.Now().Add(-ago).Unix())
		must(t, rdb.ZAdd(t.Context(), asynqKey(Sync, suffixSchedule), redis.Z{Score: at, Member: id}).Err())
	}
	all, err := Stats(t.Context(), rdb)
	must(t, err)
	for _, l := range all {
		if want := map[string]int64{Sync: 1}[l.Lane]; l.Overdue != want {
			t.Errorf("%s: %d are overdue, want %d", l.Lane, l.Overdue, want)
		}
	}
}

// TestUnbook checks that tests need not wait for places, and that a demand for later still waits.
func TestUnbook(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	first := enqueue(t, p, booked(Sync, "a", time.Hour))
	later := booked(Sync, "b", 2*time.Hour)
	later.At = time.Now().Add(time.Hour)
	enqueue(t, p, later)
	if n, err := Unbook(t.Context(), rdb, Sync); n != 1 || err != nil {
		t.Errorf("%d tasks, %v", n, err)
	}
	if got, ok := pop(t, rdb, Sync); !ok || got.String() != first.ID {
		t.Errorf("popped %v, %v", got, ok)
	}
	if got, ok := pop(t, rdb, Sync); ok {
		t.Errorf("%v runs before its time", got)
	}
}

// TestBookedTaskTakesOver checks that a run that must wait is superseded by a booked task, which is
// one that is demanded for now.
func TestBookedTaskTakesOver(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, runs := NewProducer(rdb), NewRuns(rdb)
	first := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
	pop(t, rdb, Sync)
	must(t, runs.Start(t.Context(), first))
	second := parse(t, enqueue(t, p, booked(Sync, "a", time.Hour)).ID)
	superseded, err := runs.Requeue(t.Context(), first, Again{At: time.Now().Add(time.Minute), Code: "pace"})
	if err != nil || !superseded {
		t.Fatalf("superseded %v, %v", superseded, err)
	}
	finish(t, rdb, first, "done")
	if stateOf(t, rdb, second) != StateRetry || rdb.HExists(t.Context(), asynqTaskPrefix(Sync)+second.String(), "booked").Val() {
		t.Errorf("the heir is %s", stateOf(t, rdb, second))
	}
	if score := rdb.ZScore(t.Context(), asynqKey(Sync, suffixRetry), second.String()).Val(); time.Until(time.UnixMicro(int64(score*1e6))) > time.Minute+time.Second {
		t.Errorf("the heir waits until %f", score)
	}
}

// TestDueTasksRunWithinAMoment checks that a server makes tasks pending at their fraction of a
// second, in their order, and that a task that waits again comes back at its own.
func TestDueTasksRunWithinAMoment(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, runs := NewProducer(rdb), NewRuns(rdb)
	type start struct {
		kind string
		at   time.Time
	}
	started := make(chan start, 9)
	serve(t, ServerOptions{Redis: rdb, Handler: handler{delay: time.Second, excused: true, process: func(ctx context.Context, _ *asynq.Task) error {
		raw, _ := asynq.GetTaskID(ctx)
		id, err := ParseID(raw)
		must(t, err)
		started <- start{id.Digest[:1], time.Now()}
		must(t, runs.Start(ctx, id))
		if id.Digest != digest("b") || len(started) > 3 {
			return nil
		}
		_, err = runs.Requeue(ctx, id, Again{At: time.Now().Add(300 * time.Millisecond), Code: "pace"})
		must(t, err)
		return errFailed
	}}})
	began := time.Now()
	for i, char := range []string{"a", "b", "c"} {
		enqueue(t, p, booked(Sync, char, time.Duration(i+1)*250*time.Millisecond))
	}
	var last time.Time
	for i, want := range []string{"a", "b", "c"} {
		s := receive(t, started)
		if early := s.at.Sub(began) - time.Duration(i+1)*250*time.Millisecond; s.kind != want || early < 0 {
			t.Errorf("task %d is %s, after %v", i, s.kind, s.at.Sub(began))
		}
		if s.kind == "b" {
			last = s.at
		}
	}
	if s := receive(t, started); s.kind != "b" || s.at.Sub(last) < 300*time.Millisecond {
		t.Errorf("%s follows after %v", s.kind, s.at.Sub(last))
	}
}
