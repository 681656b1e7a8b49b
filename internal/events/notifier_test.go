package events

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// testDialer dials the real server. It can close every connection that it made and refuse new ones,
// and it can silence the connections that have subscribed.
type testDialer struct {
	mu    sync.Mutex
	conns []*testConn
	down  bool
}

func (d *testDialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, errors.New("down")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &testConn{Conn: conn}
	d.conns = append(d.conns, c)
	return c, nil
}

func (d *testDialer) setDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
	for _, c := range d.conns {
		_ = c.Close()
	}
	d.conns = nil
}

func (d *testDialer) silenceSubscriptions() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		c.silent.Store(c.subscribed.Load())
	}
}

// testConn is a connection that drops whatever it receives while it is silent, as one behind a dead
// network path does.
type testConn struct {
	net.Conn
	subscribed, silent atomic.Bool
}

func (c *testConn) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("subscribe")) {
		c.subscribed.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *testConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.silent.Load() {
			return n, err
		}
	}
}

func (d *testDialer) client(t *testing.T, l *testLog) *redis.Client {
	t.Helper()
	o := l.rdb.Options()
	rdb := redis.NewClient(&redis.Options{Network: o.Network, Addr: o.Addr, DB: o.DB, Dialer: d.dial, MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func TestTailContinuesAfterABrokenConnection(t *testing.T) {
	t.Parallel()
	l := newLog(t, redistest.New)
	d := &testDialer{}
	l.began(100)
	l.write(110)
	tl := startTail(t, d.client(t, l), l, 100)
	tl.next(110)
	waitForSubscriber(t, l)
	d.setDown(true)
	l.write(120)
	l.notify()
	d.setDown(false)
	tl.next(120)
	waitForSubscriber(t, l)
	l.write(130)
	l.notify()
	tl.next(130)
	tl.cancel()
	tl.ended(context.Canceled)
}

// A subscription can stop delivering without an error, so that only the poll finds the next event.
// Tail must then subscribe again instead of polling from there on.
func TestTailResubscribesWhenNotificationsStop(t *testing.T) {
	t.Parallel()
	l := newLog(t, redistest.New)
	d := &testDialer{}
	l.began(100)
	tl := startTail(t, d.client(t, l), l, 100)
	waitForSubscriber(t, l)
	l.write(110)
	l.notify()
	tl.next(110)
	d.silenceSubscriptions()
	l.write(120)
	l.notify()
	tl.next(120)
	start := time.Now()
	for c := uint64(130); c < 135; c++ {
		l.write(c)
		l.notify()
		tl.next(c)
	}
	if took := time.Since(start); took > pollInterval {
		t.Errorf("5 events took %v: Tail still uses the silent subscription", took)
	}
	tl.cancel()
	tl.ended(context.Canceled)
}
