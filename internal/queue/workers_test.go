package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestWorkersAreProcesses(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	if got, err := Workers(t.Context(), rdb); err != nil || len(got) != 0 {
		t.Fatalf("before any runs: %+v, %v", got, err)
	}
	serve(t, ServerOptions{
		Redis: rdb, Reserved: 2, Background: 3,
		Handler: handler{process: func(context.Context, *asynq.Task) error { return nil }},
	})
	eventually(t, "both halves are announced as one", func() bool {
		got, err := Workers(t.Context(), rdb)
		return err == nil && len(got) == 1 && got[0].Slots == 5 && got[0].Name != "" && time.Since(got[0].Started) < time.Hour
	})
	_ = rdb.Close()
	if _, err := Workers(t.Context(), rdb); !errors.Is(err, redisconn.ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}
