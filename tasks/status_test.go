package tasks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// fail runs one task of the lane with an asynq server that has no router. The task fails with err.
func (b *bundle) fail(t *testing.T, id string, err error) {
	t.Helper()
	s := asynq.NewServerFromRedisClient(b.rdb, asynq.Config{
		Concurrency: 1, Queues: map[string]int{LaneSync: 1}, TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
	})
	must(t, s.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return err })))
	eventually(t, "the task failed", func() bool { return b.status(t, id).State == StateRetrying })
	s.Shutdown()
}

// asynq stores error texts of its own, and a worker of another program may store any text.
func TestStatusMapsStoredTextToCode(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]Code{
		asynq.ErrLeaseExpired:                codes.LeaseExpired,
		context.Canceled:                     codes.Canceled,
		context.DeadlineExceeded:             codes.Timeout,
		errors.New("patient 4711 is locked"): codes.Hidden,
		Code("vendor_down"):                  "vendor_down",
	} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.enqueue(t, note{Text: "x"}).ID
			b.fail(t, id, err)
			if s := b.status(t, id); s.Code != want {
				t.Errorf("after %q the code is %q, want %q", err, s.Code, want)
			}
		})
	}
}

// The text of an error may be the name of a person. It is never stored, logged or shown, even if it
// is a single word.
func TestErrorTextIsNeverACode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var log bytes.Buffer
	buried := make(chan DeadLetter, 1)
	r := b.router(t, RouterOptions{
		Redis: b.rdb, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Bury: func(_ context.Context, d DeadLetter) error { buried <- d; return nil },
	})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error {
		return Permanent(fmt.Errorf("patient record 4711: %w", errors.New("mustermann")))
	}))
	s := b.serve(t, r)
	id := b.enqueue(t, note{Text: "x"}).ID
	if d := receive(t, buried); d.Code != codes.Permanent {
		t.Errorf("the dead letter has the code %q", d.Code)
	}
	eventually(t, "the task is archived", func() bool { return b.rdb.ZCard(t.Context(), "asynq:{sync}:archived").Val() == 1 })
	if st := b.status(t, id); st.State != StateDead || st.Code != codes.Permanent {
		t.Errorf("status %+v", st)
	}
	must(t, s.Stop(t.Context()))
	if strings.Contains(everything(t, b.rdb), "mustermann") || strings.Contains(log.String(), "mustermann") {
		t.Errorf("Redis or the log holds the text of the error; the log:\n%s", log.String())
	}
}
