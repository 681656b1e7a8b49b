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

// kill lets the task of a demand start and die, and returns what its dead
// letter would hold.
func kill(t *testing.T, rdb redis.UniversalClient, letter string) (ID, Dead) {
	t.Helper()
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, letter)).ID)
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

func TestReviveRunsTheSameTaskAgain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		id, dead := kill(t, rdb, "a")
		if r := replay(t, rdb, dead); r != ReplayQueued {
			t.Fatalf("revival is %q", r)
		}
		if r := replay(t, rdb, dead); r != ReplayWaiting {
			t.Errorf("again: %q", r)
		}
		if n := rdb.ZCard(t.Context(), asynqKey(Sync, suffixArchived)).Val(); n != 0 {
			t.Errorf("%d tasks are still archived", n)
		}
		if r := enqueue(t, NewProducer(rdb), demand(Sync, "a")); !r.Joined || r.ID != id.String() {
			t.Errorf("a demand does not join the revived task: %+v", r)
		}
		info, err := Find(t.Context(), rdb, id)
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

// A letter is in the ledger a moment before its task is in the archive. Replayed
// in that moment it stays open: the task is about to be dead, not to run again.
func TestReviveLeavesTheLetterOfARunThatIsEnding(t *testing.T) {
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

// A task that asynq has forgotten comes back from its letter alone, into a
// queue that was deleted.
func TestReviveFromTheLetterAlone(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id, dead := kill(t, rdb, "a")
	rdb.FlushDB(t.Context())
	if r := replay(t, rdb, dead); r != ReplayQueued {
		t.Fatalf("revival is %q", r)
	}
	info, err := Find(t.Context(), rdb, id)
	if err != nil || string(info.Payload) != string(dead.Payload) || info.Timeout != replayTimeout {
		t.Errorf("%+v, %v", info, err)
	}
}

// A letter may have been kept without its kind and payload; asynq's archive has it.
func TestReviveTakesWhatIsMissingFromTheArchive(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id, dead := kill(t, rdb, "a")
	want := dead.Payload
	dead.Payload, dead.Kind = nil, ""
	if r := replay(t, rdb, dead); r != ReplayQueued {
		t.Fatalf("revival is %q", r)
	}
	if info, err := Find(t.Context(), rdb, id); err != nil || string(info.Payload) != string(want) || info.Type != "test.run" || info.Timeout != time.Minute {
		t.Errorf("%+v, %v", info, err)
	}
	rdb.FlushDB(t.Context())
	if _, err := NewProducer(rdb).Replay(t.Context(), dead); !errors.Is(err, ErrLost) {
		t.Errorf("with nothing left of it: %v", err)
	}
}

func TestReviveLeavesWhatANewerRunDoes(t *testing.T) {
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
					t.Errorf("revival is %q", r)
				}
				if _, err := Find(t.Context(), rdb, id); !errors.Is(err, ErrNoTask) {
					t.Errorf("the dead task is still there: %v", err)
				}
			})
		})
	}
}

func TestReviveRefusesWhatIsNoTaskOfOurs(t *testing.T) {
	t.Parallel()
	if _, err := NewProducer(redistest.New(t)).Replay(t.Context(), Dead{ID: "of-somebody-else", Kind: "x", Payload: []byte("x")}); !errors.Is(err, ErrID) {
		t.Errorf("%v", err)
	}
}

// The attempts that asynq counted are forgotten: with them a task that died
// for having spent them would die again at once. asynq itself runs here.
func TestReviveForgetsAttempts(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	ran := make(chan int, 4)
	verdict := fmt.Errorf("exhausted: %w", asynq.SkipRetry)
	serve(t, ServerOptions{Redis: rdb, Handler: handler{process: taskFunc(func(retried int) error {
		ran <- retried
		if len(ran) > 1 {
			return nil
		}
		return verdict
	})}})
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	eventually(t, "it dies", func() bool {
		info, err := Find(t.Context(), rdb, id)
		return err == nil && info.State == asynq.TaskStateArchived
	})
	rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+id.String(), "x", "1") // any leftover field must not survive
	dead := Dead{ID: id.String(), Kind: "test.run", Payload: []byte("x")}
	if r := replay(t, rdb, dead); r != ReplayQueued {
		t.Fatalf("revival is %q", r)
	}
	eventually(t, "it is done", func() bool { _, err := Find(t.Context(), rdb, id); return errors.Is(err, ErrNoTask) })
	if got := []int{receive(t, ran), receive(t, ran)}; !slices.Equal(got, []int{0, 0}) {
		t.Errorf("failures before each run: %v", got)
	}
}
