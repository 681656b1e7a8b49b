package app

import (
	"context"
	"log/slog"
	"time"
)

// between is the pause between two tries to reach a dependency at start.
const between = time.Second

// reach meets a dependency for the first time, again and again for as long as the process may wait: where a network is
// attached while the process starts already, what is not there in the first seconds is there in the second minute. It
// says once that it waits. Each try has startTimeout.
func reach(ctx context.Context, log *slog.Logger, wait time.Duration, what string, meet func(context.Context) error) error {
	deadline := time.Now().Add(wait)
	for said := false; ; {
		try, cancel := context.WithTimeout(ctx, startTimeout)
		err := meet(try)
		cancel()
		if err == nil || ctx.Err() != nil || !time.Now().Add(between).Before(deadline) {
			return err
		}
		if !said {
			said = true
			log.WarnContext(ctx, "waiting for a dependency", "component", what)
		}
		pause := time.NewTimer(between)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}
