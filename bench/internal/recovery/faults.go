package recovery

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/tasks"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

const (
	quarantine = queue.Quarantine
	// quiet is how long it takes until a frozen process has received all replies, and the
	// sink has read all it sent.
	quiet = 50 * time.Millisecond
)

// working reports whether a worker runs at least one task.
func (s *side) working(w *worker) bool { return len(s.sink.running(w.n)) > 0 }

// kill kills a worker that works and does not run a task in quarantine, whose crash would be its
// last. The worker is frozen for a moment before, so that it cannot begin such a task meanwhile.
func (s *side) kill(ctx context.Context) error {
	for {
		w, err := s.fleet.seize(ctx, s.working)
		if err != nil {
			return err
		}
		at := time.Now()
		_ = w.Freeze() // a poison may have ended it
		if err := process.Pause(ctx, quiet); err != nil {
			return err
		}
		if s.mayRunQuarantined(ctx, w) || s.runsPoison(w) || !s.working(w) {
			_ = w.Thaw()
			s.fleet.release(w)
			continue
		}
		s.fleet.doom(w)
		if err := w.Kill(); err != nil {
			return err
		}
		<-s.sink.disconnected(w.n)
		k := kill{at: at, worker: w.n}
		for _, r := range s.sink.running(w.n) {
			k.interrupted = append(k.interrupted, r.task)
		}
		s.sink.record(func(h *history) { h.kills = append(h.kills, k) })
		<-w.gone
		return nil
	}
}

func (s *side) runsPoison(w *worker) bool {
	return slices.ContainsFunc(s.sink.running(w.n), func(r *run) bool { return s.chore(r.task).Poison })
}

// mayRunQuarantined reports whether a frozen worker runs a task in quarantine, or may have taken
// one that has not begun.
func (s *side) mayRunQuarantined(ctx context.Context, w *worker) bool {
	leased, err := s.rdb.ZRange(ctx, leaseKey(quarantine), 0, -1).Result()
	running := s.sink.quarantined()
	return err != nil || slices.ContainsFunc(leased, func(id string) bool {
		n, began := running[id]
		return !began || n == w.n
	})
}

// freeze freezes a worker that works beyond its leases.
func (s *side) freeze(ctx context.Context) error {
	w, err := s.fleet.seize(ctx, s.working)
	if err != nil {
		return err
	}
	defer s.fleet.release(w)
	from := time.Now()
	s.sink.record(func(h *history) { h.freezes[w.n] = append(h.freezes[w.n], from) })
	_ = w.Freeze()
	err = process.Pause(ctx, s.plan.frozen+rand.N(s.plan.frozen/8))
	_ = w.Thaw()
	return err
}

// stop asks a worker to stop that has just begun a long task, and waits for its end.
func (s *side) stop(ctx context.Context) error {
	w, err := s.seizeLong(ctx)
	if err != nil {
		return err
	}
	s.fleet.doom(w)
	running, at := len(s.sink.running(w.n)), time.Now()
	_ = w.Stop(ctx, nil) // its error shows in the time
	<-w.gone
	s.sink.record(func(h *history) {
		h.drains = append(h.drains, drain{worker: w.n, running: running, took: h.died[w.n].Sub(at)})
	})
	return nil
}

// seizeLong seizes a worker that has just begun a task that takes longer than its shutdown may.
func (s *side) seizeLong(ctx context.Context) (*worker, error) {
	for {
		if err := s.demandLong(ctx, workers/2, beyondDrain); err != nil {
			return nil, err
		}
		soon, cancel := context.WithTimeout(ctx, 10*time.Second)
		w, err := s.fleet.seize(soon, func(w *worker) bool {
			return slices.ContainsFunc(s.sink.running(w.n), func(r *run) bool {
				return s.chore(r.task).Work == beyondDrain && time.Since(r.begun) < 2*time.Second
			})
		})
		cancel()
		if err == nil || ctx.Err() != nil {
			return w, err
		}
	}
}

// stopLimit is when a worker that does not stop is killed.
const stopLimit = process.StopWithin

// poison demands a task that ends its worker's process, beside long ones.
func (s *side) poison(ctx context.Context) error {
	if err := s.demandLong(ctx, 2*workers, besidePoison); err != nil {
		return err
	}
	if err := process.Pause(ctx, 2*time.Second); err != nil {
		return err
	}
	return s.demand(ctx, chore{Lane: tasks.LaneSync, Poison: true})
}
