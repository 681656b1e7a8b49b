package queue

import (
	"context"
	"sync"
	"time"
)

var (
	renewScript  = newScript("renew")
	unmarkScript = newScript("unmark")
)

// renew renews the leases of all runs until ctx ends.
func (s *Server) renew(ctx context.Context) {
	every(ctx, s.o.tempo.renew, func() {
		now := time.Now()
		var wg sync.WaitGroup
		for lane, runs := range s.leases.byLane(now) {
			wg.Go(func() { s.renewLane(ctx, lane, runs) })
		}
		wg.Go(func() { s.renewTurn(ctx) })
		wg.Wait()
	})
}

// lapse ends runs whose leases could not be renewed until ctx ends.
func (s *Server) lapse(ctx context.Context) {
	every(ctx, s.o.tempo.lapse, func() { s.leases.lapse(time.Now()) })
}

func (s *Server) renewLane(ctx context.Context, lane string, runs []*run) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	sent := time.Now()
	lost, err := renewScript.on(ctx, s.o.Redis, lane, nil, append([]any{seconds(s.o.tempo.lease)}, pairs(runs)...)...).StringSlice()
	if err != nil {
		return // the runs lapse if it goes on
	}
	s.leases.renewed(runs, lost, sent)
}

// absolve removes the marks of lost runs: their worker lives, so their tasks crashed nothing. It
// reports whether none is left.
func (s *Server) absolve(ctx context.Context) bool {
	left := s.unmark(ctx, s.leases.takeOwed())
	if len(left) > 0 {
		s.leases.owe(left)
	}
	return len(left) == 0
}

// unmark removes the marks of runs, wherever their tasks are, and returns the runs for which Redis
// did not answer.
func (s *Server) unmark(ctx context.Context, runs []*run) (left []*run) {
	if len(runs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	byLane := map[string][]*run{}
	for _, r := range runs {
		byLane[r.lane] = append(byLane[r.lane], r)
	}
	for lane, some := range byLane {
		err := unmarkScript.on(ctx, s.o.Redis, lane, nil, pairs(some)...).Err()
		if quarantine := QuarantineOf(lane); err == nil && quarantine != lane {
			err = unmarkScript.on(ctx, s.o.Redis, quarantine, nil, pairs(some)...).Err()
		}
		if err != nil {
			left = append(left, some...)
		}
	}
	return left
}

func pairs(runs []*run) []any {
	out := make([]any, 0, 2*len(runs))
	for _, r := range runs {
		out = append(out, r.id, r.token)
	}
	return out
}

// every calls f at once and then at an interval until ctx ends.
func every(ctx context.Context, interval time.Duration, f func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		f()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
