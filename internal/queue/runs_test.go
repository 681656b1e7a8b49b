package queue

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// pop takes a task as a worker does, without keeping its token.
func pop(t *testing.T, rdb redis.Scripter, lane string) (ID, bool) {
	t.Helper()
	reply, err := popScript.on(t.Context(), rdb, lane, []string{asynqKey(lane, suffixPaused)}, 12, 30).StringSlice()
	if errors.Is(err, redis.Nil) {
		return ID{}, false
	}
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, reply[0]), true
}

// acks are scripts that do to a task what asynq's do.
var acks = map[string]string{
	"done": `redis.call('DEL', KEYS[3])`,
	StateRetry: `redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[3], 'state', 'retry')`,
	StateArchived: `redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[3], 'state', 'archived')`,
}

// finish ends a run as asynq does, guarded by the token of the task's last run.
func finish(t *testing.T, rdb redis.UniversalClient, id ID, state string) {
	t.Helper()
	finishAt(t, rdb, id, state, time.Unix(1, 0))
}

// finishAt is finish for a task that waits until a time.
func finishAt(t *testing.T, rdb redis.UniversalClient, id ID, state string, at time.Time) {
	t.Helper()
	key := asynqTaskPrefix(id.Lane) + id.String()
	token := rdb.HGet(t.Context(), key, "run").Val()
	script := guardAck("redis.call('LREM', KEYS[1], 0, ARGV[1])\nredis.call('ZREM', KEYS[2], ARGV[1])\n" + acks[state] + "\nreturn redis.status_reply('OK')")
	keys := []string{asynqKey(id.Lane, suffixActive), asynqKey(id.Lane, suffixLease), key, asynqKey(id.Lane, ":"+state)}
	reply, err := redis.NewScript(script).Run(t.Context(), rdb, keys, laneArgs(id.Lane, id.String(), ceilSecond(at).Unix(), token, "")...).Text()
	if err != nil || reply != "OK" {
		t.Fatalf("%s: %q, %v", state, reply, err)
	}
}

// forwardUntil makes the tasks of a set pending that are due, as asynq's forwarder does.
func forwardUntil(t *testing.T, rdb redis.Cmdable, lane, set string, now time.Time) {
	t.Helper()
	for _, id := range rdb.ZRangeByScore(t.Context(), asynqKey(lane, set), &redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(now.Unix(), 10)}).Val() {
		rdb.ZRem(t.Context(), asynqKey(lane, set), id)
		rdb.LPush(t.Context(), asynqKey(lane, suffixPending), id)
		rdb.HSet(t.Context(), asynqTaskPrefix(lane)+id, "state", "pending")
	}
}

func TestDemandWhileOneRunsCausesOneMoreRun(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		first := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
		pop(t, rdb, Sync)
		if r := enqueue(t, p, demand(Sync, "a")); !r.Joined {
			t.Error("a task that is popped but not started was not joined")
		}
		if err := runs.Start(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		second := enqueue(t, p, demand(Sync, "a"))
		if second.Joined || parse(t, second.ID).Generation <= first.Generation {
			t.Errorf("a demand while one runs: %+v", second)
		}
		for range 3 {
			if r := enqueue(t, p, demand(Sync, "a")); r != (Receipt{ID: second.ID, Joined: true}) {
				t.Errorf("a further demand: %+v", r)
			}
		}
	})
}

func TestDemandJoinsRetryingTask(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		id := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
		pop(t, rdb, Sync)
		if err := runs.Start(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		superseded, err := runs.Requeue(t.Context(), id, Again{At: time.Now().Add(time.Minute)})
		if err != nil || superseded {
			t.Fatalf("requeue: %v, %v", superseded, err)
		}
		finish(t, rdb, id, "retry")
		if r := enqueue(t, p, demand(Sync, "a")); r != (Receipt{ID: id.String(), Joined: true}) {
			t.Errorf("a demand while one waits for its retry: %+v", r)
		}
	})
}

func TestDeadTaskBlocksNothing(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		seen := map[string]bool{}
		for range 3 {
			r := enqueue(t, p, demand(Sync, "a"))
			if r.Joined || seen[r.ID] {
				t.Fatalf("after a dead letter: %+v", r)
			}
			seen[r.ID] = true
			id, _ := pop(t, rdb, Sync)
			finish(t, rdb, id, "archived") // died before it started
		}
	})
}

// TestLeftoversBlockNothing checks that the remains of lost keys do not absorb demands forever.
func TestLeftoversBlockNothing(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(ctx context.Context, rdb *redis.Client, id ID, key string){
		"active without lease": func(ctx context.Context, rdb *redis.Client, _ ID, key string) {
			rdb.HSet(ctx, key, "state", "active")
		},
		"hash without message": func(ctx context.Context, rdb *redis.Client, _ ID, key string) { rdb.HDel(ctx, key, "msg") },
		"scheduled nowhere": func(ctx context.Context, rdb *redis.Client, _ ID, key string) {
			rdb.HSet(ctx, key, "state", "scheduled")
		},
		"retry nowhere": func(ctx context.Context, rdb *redis.Client, _ ID, key string) { rdb.HSet(ctx, key, "state", "retry") },
		"unknown state": func(ctx context.Context, rdb *redis.Client, _ ID, key string) { rdb.HSet(ctx, key, "state", "asleep") },
		"no state":      func(ctx context.Context, rdb *redis.Client, _ ID, key string) { rdb.HDel(ctx, key, "state") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.New(t)
			p := NewProducer(rdb)
			first := enqueue(t, p, demand(Sync, "a"))
			spoil(t.Context(), rdb, parse(t, first.ID), asynqTaskPrefix(Sync)+first.ID)
			if r := enqueue(t, p, demand(Sync, "a")); r.Joined || r.ID == first.ID {
				t.Errorf("the demand joined a leftover: %+v", r)
			}
		})
	}
}

// TestGenerationsGrow checks that a producer whose clock is wrong uses neither an old generation
// nor one so far ahead that all later ones would be old.
func TestGenerationsGrow(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		d := demand(Sync, "a")
		last := uint64(0)
		for _, off := range []time.Duration{1000 * time.Hour, 0, -time.Hour, -1000 * time.Hour, time.Minute, 0} {
			e := &entry{Demand: &d, receipt: &Receipt{}, id: guess(&d)}
			e.id.Generation = uint64(time.Now().Add(off).UnixMicro())
			for waiting := []*entry{e}; len(waiting) > 0; {
				must(t, p.encode(t.Context(), e))
				var err error
				waiting, err = p.send(t.Context(), waiting)
				must(t, err)
			}
			id := parse(t, e.receipt.ID)
			if id.Generation <= last || time.Since(time.UnixMicro(int64(id.Generation))).Abs() > 2*time.Minute {
				t.Errorf("clock off by %v: generation %d after %d", off, id.Generation, last)
			}
			last = id.Generation
			pop(t, rdb, Sync)
			finish(t, rdb, id, "done")
		}
		record := recordPrefix(Sync) + digest("a")
		if ttl := rdb.TTL(t.Context(), record).Val(); ttl < generationLife-time.Minute || ttl > generationLife {
			t.Errorf("the record lives %v", ttl)
		}
	})
}
