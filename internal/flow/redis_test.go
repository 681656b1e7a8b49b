package flow

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// Without Redis no call is granted, and the callers return in one or two seconds.
func TestUnreachableRedisRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []tebra.Call{getPatient(), interactive(getPatient())} {
		rdb := redistest.New(t)
		f := newFlow(t, rdb)
		call(t, f, c, tebra.Outcome{})
		p := enter(t, f, c)
		_ = rdb.Close()
		f.host.invalidate()
		at, _ := refused(t, f, c, codes.Redis).NotBefore()
		if d := time.Until(at); d < 900*time.Millisecond || d > 2*time.Second {
			t.Errorf("try again in %v", d)
		}
		p.Done(t.Context(), tebra.Outcome{Code: tebra.Throttled}) // cannot be stored; must not hang or panic
		if _, err := f.States(t.Context(), clinic); err == nil {
			t.Error("states without Redis")
		}
		if err := f.SetIntervals(t.Context(), clinic, map[string]time.Duration{"x": time.Second}); err == nil {
			t.Error("intervals stored without Redis")
		}
	}
}

// Redis becomes unreachable while a caller waits for its slot. The slot may have been blocked in
// the meantime, so it is not used.
func TestRedisGoneWhileWaiting(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb)
	c := withInterval(getPatient(), 200*time.Millisecond)
	call(t, f, c, tebra.Outcome{})
	done := make(chan error, 1)
	go func() {
		_, err := f.Enter(t.Context(), c)
		done <- err
	}()
	waiting(t, f, 1)
	_ = rdb.Close()
	var r *Refused
	if err := <-done; !errors.As(err, &r) || r.Reason != codes.Redis {
		t.Errorf("enter: %v", err)
	}
	if n := inFlight(f); n != 0 {
		t.Errorf("%d places were not released", n)
	}
}

// A Redis that accepts connections and never answers delays a caller by about a second, then the
// call is refused.
func TestHangingRedisRefuses(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: silent.Addr().String(), ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _, _ = rdb.Close(), silent.Close() })
	f := newFlow(t, rdb)
	began := time.Now()
	_ = refused(t, f, getPatient(), codes.Redis)
	if took := time.Since(began); took > 2*redisLimit {
		t.Errorf("refused after %v", took)
	}
}
