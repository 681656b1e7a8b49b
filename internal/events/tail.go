package events

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// poll is how long Tail trusts a silent doorbell.
const poll = time.Second

// Tail calls fn with every event after the cursor, in order, and then with each new one as it comes, until the context
// ends or fn returns an error; it returns that error. It runs fn on the caller's goroutine and leaves none behind.
//
// A Redis that is away is waited for, looking once a second: what was missed meanwhile comes afterwards, or is ErrGap. A
// Redis that refuses (credentials, permissions, a key of another type) ends Tail with its error.
func Tail(ctx context.Context, rdb redis.UniversalClient, id tenant.ID, after uint64, fn func(Event) error) error {
	b := listen(ctx, rdb, Channel(id))
	defer b.close()
	for {
		next, err := catchUp(ctx, rdb, id, after, fn)
		var stop stopped
		switch {
		case errors.As(err, &stop):
			return stop.error
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !passing(err):
			return err
		}
		if next > after && b.silent {
			b.renew(ctx) // the log moved and the bell did not ring
		}
		after = next
		if err := b.wait(ctx, after); err != nil {
			return err
		}
	}
}

// catchUp hands everything after the cursor to fn and returns the new cursor, which is also right beside an error.
func catchUp(ctx context.Context, rdb redis.UniversalClient, id tenant.ID, after uint64, fn func(Event) error) (uint64, error) {
	for {
		evs, start, err := readPage(ctx, rdb, id, after, maxPage)
		if err != nil {
			return after, err
		}
		for _, ev := range evs {
			if err := fn(ev); err != nil {
				return after, stopped{err}
			}
			after = ev.Clock
		}
		if len(evs) < maxPage {
			return max(after, start), nil // an empty log has a beginning all the same: a loss from here on is a gap
		}
	}
}

// stopped keeps an error of fn apart from those of Redis, which may pass.
type stopped struct{ error }

// passing reports whether err may go away by itself: the network's errors and those of a server that is starting,
// failing over or moving slots.
func passing(err error) bool {
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

// bell is the subscription to one doorbell. It is read without a goroutine of its own; ending the context closes the
// connection, which ends the read.
type bell struct {
	rdb     redis.UniversalClient
	channel string
	sub     *redis.PubSub
	release func()
	// silent tells that the last wait ended because nothing was heard.
	silent bool
}

func listen(ctx context.Context, rdb redis.UniversalClient, channel string) *bell {
	b := &bell{rdb: rdb, channel: channel}
	b.open(ctx)
	return b
}

func (b *bell) open(ctx context.Context) {
	sub := b.rdb.Subscribe(ctx, b.channel)
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = sub.Close()
	})
	b.sub = sub
	b.release = func() {
		if !stop() {
			<-closed
		}
		_ = sub.Close()
	}
}

func (b *bell) close() { b.release() }

func (b *bell) renew(ctx context.Context) {
	b.release()
	b.open(ctx)
}

// wait returns nil when it is time to look: the bell rang for a clock after the cursor, the subscription was made, or
// nothing was heard for a second. It returns an error only when the context has ended.
func (b *bell) wait(ctx context.Context, after uint64) error {
	deadline := time.Now().Add(poll)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			b.silent = true
			return ctx.Err()
		}
		msg, err := b.sub.ReceiveTimeout(ctx, left)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			b.silent = false // a broken subscription renews itself
			if isTimeout(err) {
				b.silent = true
				return nil
			}
			return pause(ctx, time.Until(deadline))
		}
		if rings(msg, after) {
			b.silent = false
			return nil
		}
	}
}

// rings reports whether a message calls for a look; old news and foreign clocks below the cursor do not.
func rings(msg any, after uint64) bool {
	m, ok := msg.(*redis.Message)
	if !ok {
		_, subscribed := msg.(*redis.Subscription)
		return subscribed
	}
	clock, err := strconv.ParseUint(m.Payload, 10, 64)
	return err != nil || clock > after
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
