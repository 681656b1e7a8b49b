package queue

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestOldAndRemove(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		var ids []ID
		for char, ago := range map[string]time.Duration{"a": time.Hour, "b": 3 * time.Hour, "c": time.Minute} {
			d := aged(Sync, char, ago)
			d.At = time.Now().Add(time.Hour)
			id := parse(t, enqueue(t, p, d).ID)
			if ago >= time.Hour {
				ids = append(ids, id)
			}
		}
		before := time.Now().Add(-30 * time.Minute)
		if one, err := Old(t.Context(), rdb, Sync, StateScheduled, before, 1); err != nil || len(one) != 1 {
			t.Fatalf("%+v, %v", one, err)
		}
		old, err := Old(t.Context(), rdb, Sync, StateScheduled, before, 100)
		if err != nil || len(old) != 2 {
			t.Fatalf("%+v, %v", old, err)
		}
		// One of them becomes due before its removal.
		moved := old[0].raw
		rdb.ZRem(t.Context(), asynqKey(Sync, suffixSchedule), moved)
		rdb.LPush(t.Context(), asynqKey(Sync, suffixPending), moved)
		rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+moved, "state", "pending")
		if n, err := Remove(t.Context(), rdb, Sync, StateScheduled, old); err != nil || n != 1 {
			t.Fatalf("removed %d, %v", n, err)
		}
		for _, id := range ids {
			_, err := Find(t.Context(), rdb, id)
			if gone := errors.Is(err, ErrNoTask); gone != (id.String() != moved) {
				t.Errorf("%s: %v", id, err)
			}
			o, err := NewRuns(rdb).Outcome(t.Context(), id)
			if id.String() != moved && (err != nil || o.State != "dead" || o.Code != codes.Purged || o.Tenant != "clinic-a" || o.Kind != "test.run") {
				t.Errorf("outcome %+v, %v", o, err)
			}
		}
		if n := rdb.ZCard(t.Context(), asynqKey(Sync, suffixSchedule)).Val(); n != 1 {
			t.Errorf("%d are scheduled", n)
		}
		if n, err := Remove(t.Context(), rdb, Sync, StateScheduled, old); err != nil || n != 0 {
			t.Errorf("again: %d, %v", n, err)
		}
		// The demand can be repeated.
		again := demand(Sync, "b")
		again.At = time.Now().Add(time.Hour)
		if r := enqueue(t, NewProducer(rdb), again); r.Joined && r.ID != moved {
			t.Errorf("a demand joined a removed task: %+v", r)
		}
	})
}

// A task that waits for the end of an equal one is a demand for now, and is not removed.
func TestParkedTasksAreNotRemoved(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		enqueue(t, p, aged(Sync, "a", 2*time.Hour))
		first, _ := pop(t, rdb, Sync)
		must(t, runs.Start(t.Context(), first))
		parked := parse(t, enqueue(t, p, aged(Sync, "a", time.Hour)).ID)
		if _, ok := pop(t, rdb, Sync); ok {
			t.Fatal("two equal tasks run")
		}
		all, err := Tasks(t.Context(), rdb, Sync, StateScheduled, 10)
		if must(t, err); len(all) != 1 || all[0].ID != parked.String() {
			t.Fatalf("scheduled: %+v", all)
		}
		if old, err := Old(t.Context(), rdb, Sync, StateScheduled, time.Now(), 10); err != nil || len(old) != 0 {
			t.Errorf("%+v, %v", old, err)
		}
		if n, err := Remove(t.Context(), rdb, Sync, StateScheduled, all); err != nil || n != 0 {
			t.Errorf("removed %d, %v", n, err)
		}
		finish(t, rdb, first, StateArchived)
		if next, ok := pop(t, rdb, Sync); !ok || next != parked {
			t.Errorf("then %v runs", next)
		}
		// asynq's console archives a parked task as it is.
		finish(t, rdb, parked, StateArchived)
		rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+parked.String(), "parked", "1")
		dead, err := Tasks(t.Context(), rdb, Sync, StateArchived, 10)
		must(t, err)
		if n, err := Remove(t.Context(), rdb, Sync, StateArchived, dead); err != nil || n != 2 {
			t.Errorf("removed %d of %d dead tasks, %v", n, len(dead), err)
		}
	})
}

func TestRemoveDeadTasks(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id, _ := kill(t, rdb, "a")
	must(t, NewRuns(rdb).Finish(t.Context(), id, Outcome{State: "dead", Code: "denied"}))
	old, err := Old(t.Context(), rdb, Sync, StateArchived, time.Now(), 10)
	must(t, err)
	if n, err := Remove(t.Context(), rdb, Sync, StateArchived, old); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	if o, err := NewRuns(rdb).Outcome(t.Context(), id); err != nil || o.Code != "denied" {
		t.Errorf("the outcome was changed: %+v, %v", o, err)
	}
	if keys := rdb.Keys(t.Context(), "asynq:*").Val(); len(keys) != 1 { // the set of queues
		t.Errorf("left behind: %q", keys)
	}
}

func TestRemoveRefusesBadInput(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	for _, c := range []struct{ lane, state string }{{"nowhere", StateRetry}, {Sync, StatePending}, {Sync, StateActive}, {Sync, ""}} {
		if _, err := Remove(t.Context(), rdb, c.lane, c.state, []Task{{raw: "x"}}); err == nil {
			t.Errorf("%+v was accepted", c)
		}
		if _, err := Old(t.Context(), rdb, c.lane, c.state, time.Now(), 1); err == nil {
			t.Errorf("%+v was listed", c)
		}
	}
	_ = rdb.Close()
	if _, err := Remove(t.Context(), rdb, Sync, StateRetry, []Task{{raw: "x"}}); !errors.Is(err, redisconn.ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}
