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

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// everywhere runs a test on a real server and on the embedded one, because the scripts must behave
// alike on both.
func everywhere(t *testing.T, test func(t *testing.T, rdb *redis.Client)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) { t.Parallel(); test(t, redistest.New(t)) })
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, redistest.Mini(t)) })
}

func TestDemandsJoinWaitingTask(t *testing.T) {
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEarlierDemandMovesScheduledTaskForward(t *testing.T) {
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
		if r := enqueue(t, p, at(time.Hour)); !r.Joined || r.ID != id || score() != time.Hour {
			t.Errorf("a demand in an hour: %+v, task runs in %v", r, score())
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
		t.Errorf("demanded for %v, scheduled for %v", d.At, score)
	}
	// The generation must outlive the wait, or a demand in between would add a second task.
	if ttl := rdb.TTL(t.Context(), recordPrefix(Sync)+digest("a")).Val(); ttl < generationLife+50*time.Minute {
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
			t.Errorf("the key is kept for %v", ttl)
		}
	})
}

// TestLostReplyIsRepeated checks that a lost reply causes neither a second task nor a wrong
// receipt.
func TestLostReplyIsRepeated(t *testing.T) {
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

// brokenPipe drops the replies of pipelines that Redis has run.
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
	rdb := redistest.NewPrivate(t)
	rdb.Start(t)
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

func TestEnqueueErrorsContainNoServerText(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	rdb.Set(t.Context(), asynqKey(Sync, suffixPending), "not a list", 0)
	_, err := p.Enqueue(t.Context(), []Demand{demand(Sync, "a")})
	var reply *redisconn.ReplyError
	if !errors.As(err, &reply) || err.Error() != "enqueue: redis refused: WRONGTYPE" {
		t.Errorf("%v", err)
	}
	_ = rdb.Close()
	if _, err := p.Enqueue(t.Context(), []Demand{demand(Warm, "a")}); !errors.Is(err, redisconn.ErrUnavailable) {
		t.Errorf("on a closed client: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Enqueue(ctx, []Demand{demand(Warm, "a")}); !errors.Is(err, context.Canceled) {
		t.Errorf("on a canceled context: %v", err)
	}
	bad := demand(Warm, "a")
	bad.Encode = func(string) ([]byte, map[string]string, error) { return nil, nil, errFailed }
	if _, err := p.Enqueue(t.Context(), []Demand{bad}); !errors.Is(err, errFailed) {
		t.Errorf("encode failed: %v", err)
	}
}

// TestDeletedQueueReappears checks that asynq finds a queue that was deleted while producers ran.
func TestDeletedQueueReappears(t *testing.T) {
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

func TestBackoffIsBounded(t *testing.T) {
	t.Parallel()
	for n := range 100 {
		if d := backoff(n+1, 50*time.Millisecond, 2*time.Second); d <= 0 || d > 2*time.Second+time.Millisecond {
			t.Errorf("try %d waits %v", n, d)
		}
	}
}

func TestWholeSeconds(t *testing.T) {
	t.Parallel()
	for in, want := range map[time.Duration]time.Duration{
		0: time.Second, 1: time.Second, time.Second: time.Second, 1500 * time.Millisecond: 2 * time.Second,
	} {
		if got := wholeSeconds(in); got != want {
			t.Errorf("wholeSeconds(%v) = %v, want %v", in, got, want)
		}
	}
}
