package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// everywhere runs a test on a real server and on the embedded one, because the
// scripts must mean the same on both.
func everywhere(t *testing.T, test func(t *testing.T, rdb *redis.Client)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) { t.Parallel(); test(t, redistest.New(t)) })
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, redistest.Mini(t)) })
}

// pop does what asynq's dequeue script does, pull moves the task on as its
// other scripts do.
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

func TestDemandsJoinTheTaskThatWaits(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		first := enqueue(t, NewProducer(rdb), demand(Sync, "a"))
		if first.Joined || first.Repeated {
			t.Fatalf("the first demand: %+v", first)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				many := make([]Demand, 250)
				for i := range many {
					many[i] = demand(Sync, "a")
				}
				receipts, err := NewProducer(rdb).Enqueue(t.Context(), many)
				if err != nil {
					t.Error(err)
				}
				for _, r := range receipts {
					if r != (Receipt{ID: first.ID, Joined: true}) {
						t.Errorf("a demand was not joined: %+v", r)
					}
				}
			})
		}
		wg.Wait()
		if n := rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(); n != 1 {
			t.Errorf("1,001 demands made %d tasks", n)
		}
	})
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

func TestRetryingTaskIsJoinedAgain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		id := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
		pop(t, rdb, Sync)
		if err := runs.Start(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		superseded, err := runs.GiveBack(t.Context(), id, time.Now().Add(time.Minute))
		if err != nil || superseded {
			t.Fatalf("give back: %v, %v", superseded, err)
		}
		finish(t, rdb, id, "retry")
		if r := enqueue(t, p, demand(Sync, "a")); r != (Receipt{ID: id.String(), Joined: true}) {
			t.Errorf("a demand while one waits for its retry: %+v", r)
		}
	})
}

func TestRunIsSupersededByANewerDemand(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		again := time.Now().Add(time.Minute)
		for letter, at := range map[string]time.Time{"b": {}, "c": time.Now().Add(2 * time.Second), "d": time.Now().Add(time.Hour)} {
			id := parse(t, enqueue(t, p, demand(Sync, letter)).ID)
			must(t, runs.Start(t.Context(), id))
			newer := demand(Sync, letter)
			newer.At = at
			newID := enqueue(t, p, newer).ID
			superseded, err := runs.GiveBack(t.Context(), id, again)
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

func TestTaskIsKeptWhenTheNewerOneDied(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, runs := NewProducer(rdb), NewRuns(rdb)
	first := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
	pop(t, rdb, Sync)
	must(t, runs.Start(t.Context(), first))
	enqueue(t, p, demand(Sync, "a"))
	second, _ := pop(t, rdb, Sync)
	finish(t, rdb, second, "archived")
	if superseded, err := runs.GiveBack(t.Context(), first, time.Now()); err != nil || superseded {
		t.Errorf("superseded by a dead task: %v, %v", superseded, err)
	}
	finish(t, rdb, first, "retry")
	if r := enqueue(t, p, demand(Sync, "a")); r != (Receipt{ID: first.String(), Joined: true}) {
		t.Errorf("the next demand: %+v", r)
	}
}

func TestRunIsSupersededByARunThatStartedLater(t *testing.T) {
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
	if superseded, err := runs.GiveBack(t.Context(), first, time.Now()); err != nil || !superseded {
		t.Errorf("give back after a whole newer run: %v, %v", superseded, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
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

// A leftover of the states that a lost key leaves behind must not swallow
// demands for ever.
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

func TestEarlierDemandMovesAScheduledTaskForward(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		at := func(d time.Duration) Demand {
			x := demand(Warm, "a")
			x.At = time.Now().Add(d)
			return x
		}
		id := enqueue(t, p, at(2*time.Hour)).ID
		score := func() time.Duration {
			s := rdb.ZScore(t.Context(), asynqKey(Warm, suffixSchedule), id).Val()
			return time.Until(time.Unix(int64(s), 0)).Round(time.Minute)
		}
		for _, row := range []struct{ at, want time.Duration }{{3 * time.Hour, 2 * time.Hour}, {time.Hour, time.Hour}} {
			if r := enqueue(t, p, at(row.at)); !r.Joined || score() != row.want {
				t.Errorf("a demand in %v: %+v, task runs in %v, want %v", row.at, r, score(), row.want)
			}
		}
		if r := enqueue(t, p, demand(Warm, "a")); !r.Joined {
			t.Errorf("a demand for now: %+v", r)
		}
		if popped, ok := pop(t, rdb, Warm); !ok || popped.String() != id {
			t.Errorf("the scheduled task is not pending")
		}
		if n := rdb.ZCard(t.Context(), asynqKey(Warm, suffixSchedule)).Val(); n != 0 {
			t.Errorf("%d still scheduled", n)
		}
	})
}

func TestScheduledTaskNeverRunsEarly(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	d := demand(Sync, "a")
	d.At = time.Now().Truncate(time.Second).Add(time.Hour + 10*time.Millisecond)
	id := enqueue(t, NewProducer(rdb), d).ID
	score := time.Unix(int64(rdb.ZScore(t.Context(), asynqKey(Sync, suffixSchedule), id).Val()), 0)
	if score.Before(d.At) || score.Sub(d.At) >= time.Second {
		t.Errorf("asked for %v, scheduled for %v", d.At, score)
	}
	// The generation must outlive the wait, or a demand in between would make a second task.
	if ttl := rdb.TTL(t.Context(), parse(t, id).generationKey()).Val(); ttl < generationLife+50*time.Minute {
		t.Errorf("generation lives %v", ttl)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		d := demand(Interactive, "a")
		d.Once = digest("k")
		first := enqueue(t, p, d)
		id, _ := pop(t, rdb, Interactive)
		finish(t, rdb, id, "done")
		if r := enqueue(t, p, d); r != (Receipt{ID: first.ID, Repeated: true}) {
			t.Errorf("the same call again: %+v", r)
		}
		if _, ok := pop(t, rdb, Interactive); ok {
			t.Error("the same call made another task")
		}
		other := demand(Interactive, "b")
		other.Once = d.Once
		if _, err := p.Enqueue(t.Context(), []Demand{other}); !errors.Is(err, ErrReused) {
			t.Errorf("another task under the key: %v", err)
		}
		if ttl := rdb.TTL(t.Context(), onceKey(Interactive, d.Once)).Val(); ttl < 47*time.Hour || ttl > 48*time.Hour {
			t.Errorf("the key is remembered for %v", ttl)
		}
	})
}

func TestGenerationIsSeededAboveAllBefore(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p := NewProducer(rdb)
		// A producer whose clock is years ahead must not seed: a later one would be below it.
		p.next[ID{Lane: Sync, Digest: digest("a")}.stem()] = uint64(time.Now().Add(1000 * time.Hour).UnixMicro())
		id := parse(t, enqueue(t, p, demand(Sync, "a")).ID)
		if off := time.Since(time.UnixMicro(int64(id.Generation))).Abs(); off > time.Minute {
			t.Errorf("seeded %v away from now", off)
		}
		if ttl := rdb.TTL(t.Context(), id.generationKey()).Val(); ttl < generationLife-time.Minute || ttl > generationLife {
			t.Errorf("generation lives %v", ttl)
		}
	})
}

// An answer that is lost must not turn into a second task, nor into a wrong receipt.
func TestLostAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	lost := 0
	broken := &brokenPipe{UniversalClient: rdb, fail: func() bool { lost++; return lost == 1 }}
	r := enqueue(t, NewProducer(broken), demand(Sync, "a"))
	if r.Joined || lost != 2 {
		t.Errorf("receipt %+v after %d tries", r, lost)
	}
	if n := rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(); n != 1 {
		t.Errorf("%d tasks", n)
	}
}

// brokenPipe loses the answers of pipelines that Redis has run.
type brokenPipe struct {
	redis.UniversalClient
	fail func() bool
}

func (b *brokenPipe) Pipeline() redis.Pipeliner { return &lossy{b.UniversalClient.Pipeline(), b} }

type lossy struct {
	redis.Pipeliner
	b *brokenPipe
}

func (l *lossy) Exec(ctx context.Context) ([]redis.Cmder, error) {
	cmds, err := l.Pipeliner.Exec(ctx)
	for _, c := range cmds {
		if missingScript(c.Err()) {
			return cmds, err
		}
	}
	if l.b.fail() {
		for _, c := range cmds {
			c.SetErr(errLost)
		}
	}
	return cmds, err
}

func TestScriptCacheMayBeFlushedAtAnyTime(t *testing.T) {
	t.Parallel()
	rdb := newPrivateRedis(t)
	rdb.start(t)
	c := dialPrivate(t, rdb)
	p := NewProducer(c)
	for i := range 5 {
		must(t, c.ScriptFlush(t.Context()).Err())
		many := make([]Demand, 30)
		for j := range many {
			many[j] = demand(Sync, string(rune('a'+i)))
			many[j].Digest = fmt.Sprintf("%026s", strings.Repeat(string(rune('a'+i)), 1)+string(rune('a'+j%26)))
			many[j].Digest = strings.ReplaceAll(many[j].Digest, "0", "z")
		}
		if _, err := p.Enqueue(t.Context(), many); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(); n != 5*26 {
		t.Errorf("%d tasks, want %d", n, 5*26)
	}
}

func TestEnqueueErrorsHoldNoServerText(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	rdb.Set(t.Context(), asynqKey(Sync, suffixPending), "not a list", 0)
	_, err := p.Enqueue(t.Context(), []Demand{demand(Sync, "a")})
	var reply *RedisError
	if !errors.As(err, &reply) || err.Error() != "enqueue: redis refused: WRONGTYPE" {
		t.Errorf("%v", err)
	}
	_ = rdb.Close()
	if _, err := p.Enqueue(t.Context(), []Demand{demand(Warm, "a")}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("on a closed client: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Enqueue(ctx, []Demand{demand(Warm, "a")}); !errors.Is(err, context.Canceled) {
		t.Errorf("on a cancelled context: %v", err)
	}
	bad := demand(Warm, "a")
	bad.Encode = func(string) ([]byte, map[string]string, error) { return nil, nil, errFailed }
	if _, err := p.Enqueue(t.Context(), []Demand{bad}); !errors.Is(err, errFailed) {
		t.Errorf("encode failed: %v", err)
	}
}

// asynq finds a queue again that was deleted while producers ran.
func TestDeletedQueueComesBack(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	enqueue(t, p, demand(Sync, "a"))
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	must(t, inspector.DeleteQueue(Sync, true))
	enqueue(t, p, demand(Sync, "b"))
	if queues, err := inspector.Queues(); err != nil || len(queues) != 1 {
		t.Errorf("queues %q, %v", queues, err)
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	id := ID{Lane: Push, Digest: digest("q"), Generation: 1234567890123456}
	if got := parse(t, id.String()); got != id {
		t.Errorf("%v read as %v", id, got)
	}
	for _, s := range []string{
		"", "-", "--", "sync", "sync-" + digest("a"), "sync-" + digest("a") + "-", "sync-" + digest("a") + "--1",
		"sync-" + digest("a") + "-01", "sync-" + digest("a") + "-+1", "sync-" + digest("A") + "-1", "other-" + digest("a") + "-1",
		"sync-" + digest("a")[1:] + "-1", "sync-" + digest("a") + "-1-1", "sync-" + digest("a") + "-99999999999999999999", "sync-" + digest("}") + "-1",
	} {
		if got, err := ParseID(s); err == nil {
			t.Errorf("%q read as %v", s, got)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("sync-" + digest("a") + "-1")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseID(s); err == nil && id.String() != s {
			t.Errorf("%q read as %q", s, id)
		}
	})
}
