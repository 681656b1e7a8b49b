package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// pop acts like asynq's dequeue script.
func pop(t *testing.T, rdb redis.Cmdable, lane string) (ID, bool) {
	t.Helper()
	pending, active := asynqKey(lane, suffixPending), asynqKey(lane, suffixActive)
	id, err := rdb.Eval(t.Context(), `
		local id = redis.call("RPOPLPUSH", KEYS[1], KEYS[2])
		if not id then return nil end
		redis.call("HSET", ARGV[2] .. id, "state", "active")
		redis.call("ZADD", KEYS[3], ARGV[1], id)
		return id`, []string{pending, active, asynqKey(lane, suffixLease)},
		time.Now().Add(30*time.Second).Unix(), asynqTaskPrefix(lane)).Text()
	if errors.Is(err, redis.Nil) {
		return ID{}, false
	}
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, id), true
}

func finish(t *testing.T, rdb redis.Cmdable, id ID, state string) {
	t.Helper()
	key := asynqTaskPrefix(id.Lane) + id.String()
	_, err := rdb.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
		pipe.LRem(t.Context(), asynqKey(id.Lane, suffixActive), 0, id.String())
		pipe.ZRem(t.Context(), asynqKey(id.Lane, suffixLease), id.String())
		if state == "done" {
			pipe.Del(t.Context(), key)
			return nil
		}
		pipe.ZAdd(t.Context(), asynqKey(id.Lane, ":"+state), redis.Z{Score: 1, Member: id.String()})
		pipe.HSet(t.Context(), key, "state", state)
		return nil
	})
	must(t, err)
}

func forward(t *testing.T, rdb redis.Cmdable, lane string) {
	t.Helper()
	for _, set := range []string{suffixSchedule, suffixRetry} {
		for _, id := range rdb.ZRange(t.Context(), asynqKey(lane, set), 0, -1).Val() {
			rdb.ZRem(t.Context(), asynqKey(lane, set), id)
			rdb.LPush(t.Context(), asynqKey(lane, suffixPending), id)
			rdb.HSet(t.Context(), asynqTaskPrefix(lane)+id, "state", "pending")
		}
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
		if second.Joined || parse(t, second.ID).Generation != first.Generation+1 {
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
		superseded, err := runs.Requeue(t.Context(), id, time.Now().Add(time.Minute))
		if err != nil || superseded {
			t.Fatalf("requeue: %v, %v", superseded, err)
		}
		finish(t, rdb, id, "retry")
		if r := enqueue(t, p, demand(Sync, "a")); r != (Receipt{ID: id.String(), Joined: true}) {
			t.Errorf("a demand while one waits for its retry: %+v", r)
		}
	})
}

func TestNewerDemandSupersedesRun(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		again := time.Now().Add(time.Minute)
		for char, at := range map[string]time.Time{"b": {}, "c": time.Now().Add(2 * time.Second), "d": time.Now().Add(time.Hour)} {
			id := parse(t, enqueue(t, p, demand(Sync, char)).ID)
			must(t, runs.Start(t.Context(), id))
			newer := demand(Sync, char)
			newer.At = at
			newID := enqueue(t, p, newer).ID
			superseded, err := runs.Requeue(t.Context(), id, again)
			if err != nil || !superseded {
				t.Errorf("newer demand for %v: superseded %v, %v", at, superseded, err)
			}
			// The newer task must not run later than the dropped one would have.
			if score := rdb.ZScore(t.Context(), asynqKey(Sync, suffixSchedule), newID).Val(); int64(score) > ceilSecond(again).Unix() {
				t.Errorf("newer demand for %v runs %v later", at, time.Unix(int64(score), 0).Sub(again))
			}
		}
	})
}

func TestDeadNewerTaskSupersedesNothing(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, runs := NewProducer(rdb), NewRuns(rdb)
	first := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
	pop(t, rdb, Sync)
	must(t, runs.Start(t.Context(), first))
	enqueue(t, p, demand(Sync, "a"))
	second, _ := pop(t, rdb, Sync)
	finish(t, rdb, second, "archived")
	if superseded, err := runs.Requeue(t.Context(), first, time.Now()); err != nil || superseded {
		t.Errorf("superseded by a dead task: %v, %v", superseded, err)
	}
	finish(t, rdb, first, "retry")
	if r := enqueue(t, p, demand(Sync, "a")); r != (Receipt{ID: first.String(), Joined: true}) {
		t.Errorf("the next demand: %+v", r)
	}
}

func TestLaterRunSupersedesRun(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, runs := NewProducer(rdb), NewRuns(rdb)
	first := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
	pop(t, rdb, Sync)
	must(t, runs.Start(t.Context(), first))
	second := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
	pop(t, rdb, Sync)
	must(t, runs.Start(t.Context(), second))
	finish(t, rdb, second, "done")
	if superseded, err := runs.Requeue(t.Context(), first, time.Now()); err != nil || !superseded {
		t.Errorf("requeue after a complete newer run: %v, %v", superseded, err)
	}
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

func TestGenerationSeedExceedsEarlierOnes(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		// A producer whose clock is years ahead must not seed, because later seeds would be lower.
		p.next[ID{Lane: Sync, Digest: digest("a")}.generationKey()] = uint64(time.Now().Add(1000 * time.Hour).UnixMicro())
		id := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
		if off := time.Since(time.UnixMicro(int64(id.Generation))).Abs(); off > time.Minute {
			t.Errorf("seeded %v away from now", off)
		}
		if ttl := rdb.TTL(t.Context(), id.generationKey()).Val(); ttl < generationLife-time.Minute || ttl > generationLife {
			t.Errorf("generation lives %v", ttl)
		}
	})
}
