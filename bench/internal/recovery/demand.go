package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"
	"github.com/workflow-bolt/rounds/tasks"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// feed demands the tasks evenly while the faults happen.
func (s *side) feed(ctx context.Context) error {
	began := time.Now()
	for fed := 0; fed < s.plan.tasks; {
		due := min(s.plan.tasks, 1+int(float64(s.plan.tasks)*time.Since(began).Seconds()/s.plan.lasts().Seconds()))
		var some []chore
		for ; fed < due; fed++ {
			some = append(some, chore{Lane: lanes[rand.IntN(len(lanes))], Work: shortest + rand.IntN(longest-shortest)})
		}
		if len(some) > 0 {
			if err := s.demand(ctx, some...); err != nil {
				return err
			}
		}
		if err := process.Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// demandLong demands n chores that work for a number of milliseconds.
func (s *side) demandLong(ctx context.Context, n, work int) error {
	some := make([]chore, n)
	for i := range some {
		some[i] = chore{Lane: tasks.LaneSync, Work: work}
	}
	return s.demand(ctx, some...)
}

// demand enqueues chores, and gives each a number. Every second one is fenced.
func (s *side) demand(ctx context.Context, some ...chore) error {
	s.sink.record(func(h *history) {
		for i := range some {
			some[i].Number = len(h.demanded) + 1
			some[i].Fenced = some[i].Number%2 == 0
			h.demanded = append(h.demanded, some[i])
		}
	})
	enqueue := s.enqueue
	if s.plain {
		enqueue = s.enqueuePlain
	}
	ids, err := enqueue(ctx, some)
	for err != nil {
		if errors.Is(err, tasks.ErrInvalid) || process.Pause(ctx, time.Second) != nil {
			return err
		}
		ids, err = enqueue(ctx, some) // what was accepted the first time is accepted once
	}
	s.sink.record(func(h *history) {
		for i, id := range ids {
			h.ids[some[i].Number] = id
		}
	})
	return nil
}

func (s *side) enqueue(ctx context.Context, some []chore) ([]string, error) {
	args := make([]tasks.Args, len(some))
	for i := range some {
		args[i] = some[i]
	}
	receipts, err := s.client.EnqueueMany(ctx, tenant, args, tasks.Once("from "+some[0].UniqueKey()))
	ids := make([]string, len(receipts))
	for i, r := range receipts {
		ids[i] = r.ID
	}
	return ids, err
}

func (s *side) enqueuePlain(ctx context.Context, some []chore) ([]string, error) {
	ids := make([]string, len(some))
	for i, c := range some {
		payload, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		ids[i] = c.UniqueKey()
		_, err = s.asynq.EnqueueContext(ctx, asynq.NewTask(c.Kind(), payload), asynq.Queue(c.Lane), asynq.TaskID(ids[i]))
		if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
			return nil, err
		}
	}
	return ids, nil
}

// chore returns the arguments of a task.
func (s *side) chore(number int) (c chore) {
	s.sink.record(func(h *history) { c = h.demanded[number-1] })
	return c
}
