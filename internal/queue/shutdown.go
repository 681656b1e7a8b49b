package queue

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Stop takes no more tasks, requeues tasks that have not started, lets handlers end until
// Drain.Soft, then cancels them and waits. It returns nil when all have ended, and at Drain.Limit
// also if Redis does not answer: another worker then recovers the tasks. If handlers still run at
// Drain.Limit, or when ctx ends, it returns an error with their number. A second call waits for the
// same shutdown.
func (s *Server) Stop(ctx context.Context) error {
	s.stop.Do(func() { s.stopErr = s.shutdown(ctx) })
	return s.stopErr
}

func (s *Server) shutdown(ctx context.Context) error {
	d := s.o.Drain
	last := d.abandon()
	at := time.Now().Add(last)
	s.last.at.Store(&at)
	close(s.draining)
	s.endSearch()
	s.upkeep.Go(s.leave)
	soft := time.AfterFunc(d.Soft, func() { s.cancel(ErrDraining) })
	hurry := time.AfterFunc(min(idleLimit, d.Soft), s.hasten)
	cut := time.AfterFunc(last, s.cut)
	limit := time.NewTimer(d.Limit)
	defer func() {
		for _, t := range []*time.Timer{soft, hurry, cut, limit} {
			t.Stop()
		}
		s.cancel(ErrDraining)
		s.hasten()
		s.cut()
		s.endUpkeep()
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for _, srv := range s.servers {
			wg.Go(srv.Shutdown)
		}
		wg.Wait()
		s.handlers.Wait()
		s.endUpkeep()
		s.upkeep.Wait()
		s.closeSubscriber()
	}()
	select {
	case <-done:
		return nil
	case <-limit.C:
	case <-ctx.Done():
	}
	if n := s.running.Load(); n > 0 {
		return fmt.Errorf("stop queue server: %d tasks have not ended", n)
	}
	return nil
}

// leave removes the marks of all runs again and again until all have ended, so that the end of the
// process counts as no crash: Redis may be unreachable at first, and runs may be starting.
func (s *Server) leave() {
	for {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.upkeepCtx), idleLimit)
		s.unmark(ctx, s.leases.all())
		s.absolve(ctx)
		cancel()
		if pause(s.upkeepCtx, idleLimit) != nil {
			return
		}
	}
}
