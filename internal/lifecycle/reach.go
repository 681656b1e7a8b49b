package lifecycle

import (
	"context"
	"log/slog"
	"time"
)

// How a process meets what it depends on at start.
const (
	// firstContact bounds one try, so that a start that waits for nothing fails within five seconds of saying so.
	firstContact = 4 * time.Second
	// between is the pause between two tries.
	between = time.Second
)

// Reach meets a dependency for the first time, again and again for as long as the process may wait: where a network is
// attached while the process starts already, what is not there in the first seconds is there in the second minute. It
// says once that it waits for what is named, gives each try four seconds, and returns the last one's error. With a wait
// of zero there is one try.
func Reach(ctx context.Context, log *slog.Logger, wait time.Duration, what string, meet func(context.Context) error) error {
	deadline := time.Now().Add(wait)
	for said := false; ; {
		try, cancel := context.WithTimeout(ctx, firstContact)
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
