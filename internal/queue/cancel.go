package queue

import (
	"context"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// ErrCanceled is the cause of a handler's canceled context after an operator has canceled the task.
var ErrCanceled error = codes.CanceledByOperator

const (
	// asynqCancel is the channel that receives the IDs of tasks that an operator cancels.
	asynqCancel = "asynq:cancel"
	// silent is the channel to which asynq subscribes instead: it would run the task again.
	silent = "q2:silent"
)

// listen cancels the handlers of tasks that operators cancel until ctx ends.
func (s *Server) listen(ctx context.Context) {
	sub := s.subscriber.Subscribe(ctx, asynqCancel)
	defer func() { _ = sub.Close() }()
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-messages:
			if !ok {
				return
			}
			s.leases.cancelRun(m.Payload, ErrCanceled)
		}
	}
}
