package events

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// notifier is the subscription to one tenant's channel. It has no goroutine of its own: wait reads
// the connection, and the end of the context closes it, which ends the read.
type notifier struct {
	rdb     redis.UniversalClient
	channel string
	sub     *redis.PubSub
	release func()
	// timedOut reports that the last wait ended without a message.
	timedOut bool
}

func newNotifier(ctx context.Context, rdb redis.UniversalClient, channel string) *notifier {
	n := &notifier{rdb: rdb, channel: channel}
	n.subscribe(ctx)
	return n
}

func (n *notifier) subscribe(ctx context.Context) {
	sub := n.rdb.Subscribe(ctx, n.channel)
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = sub.Close()
	})
	n.sub = sub
	n.release = func() {
		if !stop() {
			<-closed
		}
		_ = sub.Close()
	}
}

func (n *notifier) close() { n.release() }

// resubscribe replaces a subscription that may have stopped delivering without an error.
func (n *notifier) resubscribe(ctx context.Context) {
	n.release()
	n.subscribe(ctx)
}

// wait returns nil when the log should be read: a notification named a clock after the cursor, the
// subscription was made, or no message arrived within a second. It returns an error only when the
// context has ended.
func (n *notifier) wait(ctx context.Context, after uint64) error {
	deadline := time.Now().Add(pollInterval)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			n.timedOut = true
			return ctx.Err()
		}
		msg, err := n.sub.ReceiveTimeout(ctx, left)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			n.timedOut = isTimeout(err)
			if n.timedOut {
				return nil
			}
			return sleep(ctx, time.Until(deadline)) // the client replaces a broken connection by itself
		}
		if isNews(msg, after) {
			n.timedOut = false
			return nil
		}
	}
}

// isNews reports whether a message calls for a read of the log; notifications up to the cursor do
// not.
func isNews(msg any, after uint64) bool {
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

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
