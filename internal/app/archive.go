package app

import (
	"context"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/tasks"
)

// archiveOf returns what keeps asynq's archive small, with the ledger as the record of what leaves
// it.
func (b *base) archiveOf(r *tasks.Router) *queue.Archive {
	bury := buryIn(b.ledger, b.log)
	return &queue.Archive{
		Redis: b.queue, Logger: b.log,
		Recorded: func(ctx context.Context, ids []string) (map[string]bool, error) {
			deadLetters := make([]string, len(ids))
			for i, id := range ids {
				deadLetters[i] = r.DeadLetterOf(tasks.Delivery{ID: id}, "", b.now()).TaskID
			}
			states, err := b.ledger.DeadLetterStates(ctx, deadLetters)
			open := make(map[string]bool, len(states))
			for i, id := range deadLetters {
				if state, ok := states[id]; ok {
					open[ids[i]] = state == ledger.StateOpen
				}
			}
			return open, err
		},
		Record: func(ctx context.Context, t queue.ArchivedTask) error {
			d := tasks.Delivery{ID: t.ID, Lane: t.Lane, Kind: t.Kind, Failed: t.Attempts, Payload: t.Payload, Headers: t.Headers}
			return bury(ctx, r.DeadLetterOf(d, t.Code, t.DiedAt))
		},
	}
}
