package queue

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// kill starts the task of a demand, lets it die, and returns the content of its dead letter.
func kill(t *testing.T, rdb redis.UniversalClient, dead string) (ID, Dead) {
	t.Helper()
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, dead)).ID)
	if got, ok := pop(t, rdb, Sync); !ok || got != id {
		t.Fatalf("popped %v", got)
	}
	must(t, NewRuns(rdb).Start(t.Context(), id))
	finish(t, rdb, id, StateArchived)
	return id, Dead{
		ID: id.String(), Kind: "test.run", Payload: []byte("sealed for " + id.String()), Headers: map[string]string{"tenant": "clinic-a"},
	}
}

func replay(t *testing.T, rdb redis.UniversalClient, d Dead) ReplayResult {
	t.Helper()
	r, err := NewProducer(rdb).Replay(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReplayRunsTheSameTask(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		id, dead := kill(t, rdb, "a")
		if r := replay(t, rdb, dead); r != ReplayQueued {
			t.Fatalf("result is %q", r)
		}
		if r := replay(t, rdb, dead); r != ReplayWaiting {
			t.Errorf("again: %q", r)
		}
		if n := rdb.ZCard(t.Context(), asynqKey(Sync, suffixArchived)).Val(); n != 0 {
			t.Errorf("%d tasks are still archived", n)
		}
		if r := enqueue(t, NewProducer(rdb), demand(Sync, "a")); !r.Joined || r.ID != id.String() {
			t.Errorf("a demand does not join the replayed task: %+v", r)
		}
		info, err := find(t.Context(), rdb, id)
		if err != nil || info.State != asynq.TaskStatePending || string(info.Payload) != string(dead.Payload) ||
			info.Retried != 0 || info.Headers["tenant"] != "clinic-a" {
			t.Errorf("%+v, %v", info, err)
		}
		if got, ok := pop(t, rdb, Sync); !ok || got != id {
			t.Errorf("popped %v", got)
		}
		if r, err := NewProducer(rdb).Replay(t.Context(), dead); !errors.Is(err, ErrRunning) || r != "" {
			t.Errorf("while it runs: %q, %v", r, err)
		}
		must(t, NewRuns(rdb).Start(t.Context(), id))
		must(t, NewRuns(rdb).Finish(t.Context(), id, Outcome{State: "done"}))
		finish(t, rdb, id, "done")
		if r := replay(t, rdb, dead); r != ReplayDone {
			t.Errorf("after it was done: %q", r)
		}
		if n := rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(); n != 0 {
			t.Errorf("%d tasks wait", n)
		}
	})
}

// TestReplayRefusesEndingRun replays a task in the moment between the write of its dead letter and
// its archiving: the dead letter must stay open.
func TestReplayRefusesEndingRun(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
		if got, ok := pop(t, rdb, Sync); !ok || got != id {
			t.Fatalf("popped %v", got)
		}
		must(t, NewRuns(rdb).Start(t.Context(), id))
		must(t, NewRuns(rdb).Finish(t.Context(), id, Outcome{State: "dead", Code: "denied"}))
		dead := Dead{ID: id.String(), Kind: "test.run", Payload: []byte("sealed for " + id.String())}
		if r, err := NewProducer(rdb).Replay(t.Context(), dead); !errors.Is(err, ErrRunning) {
			t.Errorf("before it is archived: %q, %v", r, err)
		}
		finish(t, rdb, id, StateArchived)
		if r := replay(t, rdb, dead); r != ReplayQueued {
			t.Errorf("once it is archived: %q", r)
		}
	})
}

// TestReplayFromDeadLetterAlone replays a task that asynq no longer has, into a deleted queue.
func TestReplayFromDeadLetterAlone(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id, dead := kill(t, rdb, "a")
	rdb.FlushDB(t.Context())
	if r := replay(t, rdb, dead); r != ReplayQueued {
		t.Fatalf("result is %q", r)
	}
	info, err := find(t.Context(), rdb, id)
	if err != nil || string(info.Payload) != string(dead.Payload) || info.Timeout != replayTimeout {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestReplayReadsArchive replays a dead letter without kind and payload, which asynq's archive has.
func TestReplayReadsArchive(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id, dead := kill(t, rdb, "a")
	want := dead.Payload
	dead.Payload, dead.Kind = nil, ""
	if r := replay(t, rdb, dead); r != ReplayQueued {
		t.Fatalf("result is %q", r)
	}
	if info, err := find(t.Context(), rdb, id); err != nil || string(info.Payload) != string(want) || info.Type != "test.run" || info.Timeout != time.Minute {
		t.Errorf("%+v, %v", info, err)
	}
	rdb.FlushDB(t.Context())
	if _, err := NewProducer(rdb).Replay(t.Context(), dead); !errors.Is(err, ErrLost) {
		t.Errorf("with no copy left: %v", err)
	}
}

func TestReplayYieldsToNewerRun(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(t *testing.T, rdb *redis.Client){
		"it waits":    func(*testing.T, *redis.Client) {},
		"it is taken": func(t *testing.T, rdb *redis.Client) { pop(t, rdb, Sync) },
		"it runs": func(t *testing.T, rdb *redis.Client) {
			id, _ := pop(t, rdb, Sync)
			must(t, NewRuns(rdb).Start(t.Context(), id))
		},
		"it is done": func(t *testing.T, rdb *redis.Client) {
			id, _ := pop(t, rdb, Sync)
			must(t, NewRuns(rdb).Start(t.Context(), id))
			finish(t, rdb, id, "done")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(t *testing.T, rdb *redis.Client) {
				id, dead := kill(t, rdb, "a")
				if newer := enqueue(t, NewProducer(rdb), demand(Sync, "a")); newer.ID == id.String() || newer.Joined {
					t.Fatalf("the demand joined the dead task: %+v", newer)
				}
				happens(t, rdb)
				if r := replay(t, rdb, dead); r != ReplaySuperseded {
					t.Errorf("result is %q", r)
				}
				if _, err := Find(t.Context(), rdb, id); !errors.Is(err, ErrNoTask) {
					t.Errorf("the dead task is still there: %v", err)
				}
			})
		})
	}
}

func TestReplayRefusesForeignIDs(t *testing.T) {
	t.Parallel()
	if _, err := NewProducer(redistest.New(t)).Replay(t.Context(), Dead{ID: "of-unknown-else", Kind: "x", Payload: []byte("x")}); !errors.Is(err, ErrID) {
		t.Errorf("%v", err)
	}
}

// TestReplayResetsAttempts runs asynq itself: a task that died of its attempts would die again at
// once if asynq's count survived.
func TestReplayResetsAttempts(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	ran := make(chan int, 4)
	exhausted := fmt.Errorf("exhausted: %w", asynq.SkipRetry)
	serve(t, ServerOptions{Redis: rdb, Handler: handler{process: taskFunc(func(retried int) error {
		ran <- retried
		if len(ran) > 1 {
			return nil
		}
		return exhausted
	})}})
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	eventually(t, "it dies", func() bool {
		info, err := find(t.Context(), rdb, id)
		return err == nil && info.State == asynq.TaskStateArchived
	})
	rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+id.String(), "x", "1") // no leftover field may survive
	dead := Dead{ID: id.String(), Kind: "test.run", Payload: []byte("x")}
	if r := replay(t, rdb, dead); r != ReplayQueued {
		t.Fatalf("result is %q", r)
	}
	eventually(t, "it is done", func() bool { _, err := Find(t.Context(), rdb, id); return errors.Is(err, ErrNoTask) })
	if got := []int{receive(t, ran), receive(t, ran)}; !slices.Equal(got, []int{0, 0}) {
		t.Errorf("failures before each run: %v", got)
	}
}
