package plan

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.planner(t, "2026-03-02 08:00:00", today())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for b.admitted(t) < 2 {
		<-tick.C
	}
	cancel()
	must(t, <-done)
	b.demands(t, "clinic-a schedule 7 2026-03-02..2026-03-02", "clinic-a schedule 8 2026-03-02..2026-03-02")
}

func TestRunLogsASeriesOfFailuresOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.ledger.Close()) // it fails at once, without blocking outside the bubble
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p, err := New(Options{Ledger: b.ledger, Tasks: b.tasks, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Second/2)
		defer cancel()
		must(t, p.Run(ctx))
		if n := strings.Count(log.String(), "planning failed"); n != 1 {
			t.Errorf("a minute of failures was logged %d times:\n%s", n, log.String())
		}
	})
}
