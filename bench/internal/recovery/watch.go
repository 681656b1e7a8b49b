package recovery

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/workflow-bolt/rounds/tasks"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// watch reads the leases again and again until ctx ends.
func (s *side) watch(ctx context.Context) {
	for process.Pause(ctx, 100*time.Millisecond) == nil {
		for _, lane := range []string{tasks.LaneSync, tasks.LaneWarm, tasks.LaneInteractive, quarantine} {
			leased, err := s.rdb.ZRangeWithScores(ctx, leaseKey(lane), 0, -1).Result()
			if err != nil {
				continue
			}
			s.observe(leased)
		}
	}
}

func (s *side) observe(leased []redis.Z) {
	at := time.Now()
	s.sink.record(func(h *history) {
		for _, z := range leased {
			if id, ok := z.Member.(string); ok {
				h.observe(id, observation{at: at, until: time.UnixMilli(int64(z.Score * 1000))})
			}
		}
	})
}

// await waits until all tasks have ended, and then for effects that come late.
func (s *side) await(ctx context.Context) error {
	for !s.sink.complete() {
		if err := process.Pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	return process.Pause(ctx, 3*time.Second)
}

// readArchive adds the tasks that asynq has given up to the dead letters.
func (s *side) readArchive(ctx context.Context) error {
	for _, lane := range append([]string{quarantine}, lanes...) {
		archived, err := s.rdb.ZRange(ctx, "asynq:{"+lane+"}:archived", 0, -1).Result()
		if err != nil {
			return err
		}
		s.sink.record(func(h *history) {
			for _, id := range archived {
				if _, known := h.dead[id]; !known {
					h.dead[id] = "archived"
				}
			}
		})
	}
	return nil
}
