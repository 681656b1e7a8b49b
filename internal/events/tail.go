package events

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// pollInterval is how long Tail waits for a notification before it reads the log anyway.
const pollInterval = time.Second

// Tail calls fn with every event after the cursor, in order, and then with each new one as it
// arrives, until the context ends or fn returns an error; it returns that error. It runs fn on the
// caller's goroutine and leaves none behind.
//
// While Redis is unreachable, Tail tries again once a second: events of that time arrive
// afterwards, or Tail returns ErrGap. If Redis refuses a command (credentials, permissions, a key
// of another type), Tail returns its error.
func Tail(ctx context.Context, rdb redis.UniversalClient, id tenant.ID, after uint64, fn func(Event) error) error {
	n := newNotifier(ctx, rdb, Channel(id))
	defer n.close()
	for {
		next, err := catchUp(ctx, rdb, id, after, fn)
		var failed callbackError
		switch {
		case errors.As(err, &failed):
			return failed.error
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !isTransient(err):
			return err
		}
		if next > after && n.timedOut {
			n.resubscribe(ctx) // the log has new events but no notification arrived
		}
		after = next
		if err := n.wait(ctx, after); err != nil {
			return err
		}
	}
}

// catchUp calls fn with every event after the cursor and returns the new cursor, which is valid
// even with an error.
func catchUp(ctx context.Context, rdb redis.UniversalClient, id tenant.ID, after uint64, fn func(Event) error) (uint64, error) {
	for {
		evs, start, err := readPage(ctx, rdb, id, after)
		if err != nil {
			return after, err
		}
		for _, ev := range evs {
			if err := fn(ev); err != nil {
				return after, callbackError{err}
			}
			after = ev.Clock
		}
		if len(evs) < maxPage {
			return max(after, start), nil // an empty log has a start too, so that a loss from here on is a gap
		}
	}
}

// callbackError separates an error of fn from those of Redis, which may be transient.
type callbackError struct{ error }

// isTransient reports whether err may resolve by itself: network errors, and those of a server that
// is starting, failing over or moving slots.
func isTransient(err error) bool {
	if errors.Is(err, ErrGap) || errors.Is(err, ErrMalformed) || errors.Is(err, redis.ErrClosed) {
		return false
	}
	var refused redis.Error
	if !errors.As(err, &refused) {
		return true
	}
	for _, p := range []string{"LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "TRYAGAIN", "MOVED", "ASK", "BUSY", "ERR max number of clients"} {
		if strings.HasPrefix(refused.Error(), p) {
			return true
		}
	}
	return false
}
