package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// watchless returns a recovery of stores that nothing probes. All have been present so far.
func watchless(leads bool) *recovery {
	watch := func(s outage.Store) *outage.Watch { return outage.NewWatch(outage.WatchOptions{Store: s}) }
	return newRecovery(stores{watch(outage.Queue), watch(outage.Cache), watch(outage.Ledger)}, slog.New(slog.DiscardHandler), leads)
}

func waiting(char, generation string, code codes.Code) queue.WaitingTask {
	return queue.WaitingTask{ID: strings.Repeat(char, 26) + "." + generation + ".interactive", Tenant: clinicA.String(), Code: code, Place: queue.StatePending}
}

// What was listed first has to leave. A task that supersedes one of them takes its place; another
// equal one does not.
func TestRecoveryFollowsWhatWaited(t *testing.T) {
	t.Parallel()
	r := watchless(false)
	step := func(present bool, follows int, over bool, now ...queue.WaitingTask) {
		t.Helper()
		r.update(t.Context(), 3, now, present, false)
		if len(r.waiting) != follows || (r.over == 3) != over {
			t.Errorf("%d wait, over at %d", len(r.waiting), r.over)
		}
	}
	a, b, c := waiting("a", "1", ""), waiting("b", "1", ""), waiting("c", "1", codes.Error)
	step(false, 0, false)      // a store is still unavailable
	step(false, 1, false, a)   // one arrives
	step(true, 2, false, a, b) // now the list is complete
	step(true, 1, false, b, c) // what comes later does not count
	step(true, 1, false, waiting("b", "2", codes.CacheFull), c)
	step(true, 0, false, waiting("b", "3", ""), c)
	step(true, 1, false, waiting("b", "3", codes.Error), c) // its predecessor failed during the last look
	step(true, 0, false, waiting("b", "4", ""), c)
	step(true, 0, true, waiting("b", "4", ""), c)
	if r.digests[strings.Repeat("c", 26)] {
		t.Error("a task that came later is followed")
	}
}

// Other lanes wait for the invalidations for a short time after an outage, and not at all during
// one that does not concern them. A list that is cut for ever delays them no longer.
func TestHeadStartEnds(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		present, cut bool
		want         time.Duration
	}{
		"a store is unavailable":     {false, false, 0},
		"invalidations wait":         {true, false, headStart},
		"too many to list":           {true, true, headStart},
		"too many during the outage": {false, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := watchless(true)
				r.ledger.Report(t.Context(), codes.LedgerUnavailable)
				if !r.holds(queue.Sync) || !r.holds(queue.Interactive) {
					t.Error("tasks are taken before the invalidations are listed")
				}
				var held time.Duration
				for began := time.Now(); time.Since(began) < time.Minute; <-time.After(recoveryTick) {
					r.update(t.Context(), r.outages(), []queue.WaitingTask{waiting("a", "1", "")}, row.present, row.cut)
					if r.holds(queue.Interactive) {
						t.Fatal("the invalidations are held too")
					}
					if r.holds(queue.Sync) {
						held = time.Since(began) + recoveryTick
					}
				}
				if held != row.want {
					t.Errorf("tasks were held for %v, want %v", held, row.want)
				}
				if r.doubt(clinicA) != codes.ChangesWaiting || (r.doubt("clinic-b") != "") != row.cut {
					t.Errorf("doubt: %q and %q", string(r.doubt(clinicA)), string(r.doubt("clinic-b")))
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := watchless(true)
		<-time.After(time.Hour)
		_ = r.holds(queue.Sync)
		<-time.After(maxGap)
		if r.holds(queue.Sync) {
			t.Error("a queue that cannot be listed holds tasks for ever")
		}
	})
}

// Other lanes wait until every invalidation that can run has been taken: one that runs, or waits
// for reasons of its own, delays no other task.
func TestHeadStartEndsWhenAllAreTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := watchless(true)
		at := func(char, place string, code codes.Code) queue.WaitingTask {
			w := waiting(char, "1", code)
			w.Place = place
			return w
		}
		stopped, failed := at("a", queue.StateRetry, codes.CacheFull), at("b", queue.StateRetry, codes.Error)
		runs, parked := at("c", queue.StateActive, ""), at("d", queue.StateScheduled, "")
		for _, step := range []struct {
			holds bool
			now   []queue.WaitingTask
		}{
			{true, []queue.WaitingTask{stopped, failed, runs, parked, waiting("e", "1", "")}},
			{true, []queue.WaitingTask{stopped, failed, runs, parked}},
			{false, []queue.WaitingTask{failed, runs, parked}},
			{false, nil},
		} {
			r.update(t.Context(), 0, step.now, true, false)
			if r.holds(queue.Warm) != step.holds || r.holds(queue.Interactive) {
				t.Errorf("while %+v wait, the lane warm waits: %v", step.now, r.holds(queue.Warm))
			}
		}
	})
}

// A frozen queue, which answers a look after seconds, delays no look after it.
func TestLooksGoOnAfterAFrozenQueue(t *testing.T) {
	t.Parallel()
	if p := pauseAfter(3*time.Second, errors.New("no answer")); p != recoveryTick {
		t.Errorf("%v pass after a look that failed", p)
	}
	for took, want := range map[time.Duration]time.Duration{
		time.Millisecond: recoveryTick, 50 * time.Millisecond: lookShare * 50 * time.Millisecond, 2 * time.Second: maxPause,
	} {
		if p := pauseAfter(took, nil); p != want {
			t.Errorf("%v pass after a look of %v, want %v", p, took, want)
		}
	}
	r := watchless(false)
	r.queue.Report(t.Context(), codes.QueueUnavailable)
	if err := r.look(t.Context()); err != nil || r.seen >= 0 || r.doubt(clinicA) != codes.ChangesWaiting {
		t.Errorf("without the queue a look sees %d, %v", r.seen, err)
	}
}

// failing postpones each task with a code.
type failing struct{ code codes.Code }

func (f failing) ProcessTask(context.Context, *asynq.Task) error { return f.code }
func (failing) RetryDelay(int, error, *asynq.Task) time.Duration { return longestWait - time.Second }
func (failing) IsFailure(error) bool                             { return false }

// The first look after an outage brings forward what a store has postponed, in every lane.
func TestFirstLookResumesPostponedTasks(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	s, err := queue.NewServer(queue.ServerOptions{Redis: rdb, Handler: failing{codes.CacheFull}, Check: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	lanes := []string{queue.Interactive, queue.Sync, queue.Warm}
	for _, lane := range lanes {
		_, err := queue.NewProducer(rdb).Enqueue(t.Context(), []queue.Demand{{
			Lane: lane, Digest: strings.Repeat("a", 26), Kind: "test.run", Timeout: time.Minute,
			Encode: func(string) ([]byte, map[string]string, error) { return []byte("sealed"), nil, nil },
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	in := func(state string) (found int) {
		for _, lane := range lanes {
			all, err := queue.Tasks(t.Context(), rdb, lane, state, 10)
			if err != nil {
				t.Fatal(err)
			}
			found += len(all)
		}
		return found
	}
	eventually(t, func() error {
		if n := in(queue.StateRetry); n != len(lanes) {
			return fmt.Errorf("%d are postponed", n)
		}
		return nil
	})
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, leads := range []bool{false, true} {
		r := watchless(leads)
		r.rdb = rdb
		for range 2 {
			if err := r.look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := in(queue.StatePending); (n == len(lanes)) != leads || !leads && n > 0 {
			t.Errorf("leads %v: %d are to run now", leads, n)
		}
	}
}
