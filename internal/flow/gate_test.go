package flow

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// vendor is as strict as the real one: it throttles a call that arrives within one interval of the
// last accepted call.
type vendor struct {
	mu       sync.Mutex
	interval time.Duration
	last     time.Time
	accepted int
	refused  int
}

func (v *vendor) call() tebra.Outcome {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if now.Sub(v.last) < v.interval {
		v.refused++
		return tebra.Outcome{Code: tebra.Throttled}
	}
	v.last = now
	v.accepted++
	return tebra.Outcome{Latency: time.Millisecond}
}

// work drains calls from backlog as a worker does: a refused call returns at the given time.
func (v *vendor) work(t *testing.T, f *Flow, c tebra.Call, backlog chan struct{}) {
	for range backlog {
		for sent := false; !sent; {
			p, err := f.Enter(t.Context(), c)
			var r *Refused
			switch {
			case errors.As(err, &r):
				at, _ := r.NotBefore()
				waitUntil(t, at)
			case err != nil:
				t.Error(err)
				return
			case !p.Confirm(t.Context()):
				p.Done(t.Context(), tebra.Outcome{Void: true, NotSent: true})
			default:
				p.Done(t.Context(), v.call())
				sent = true
			}
		}
	}
}

// Two processes drain a backlog against a strict vendor. The vendor throttles nothing, and little
// time is wasted.
func TestBacklogDrainsWithoutThrottles(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		const (
			calls    = 10
			interval = 100 * time.Millisecond
		)
		v := &vendor{interval: interval}
		backlog := make(chan struct{}, calls)
		for range calls {
			backlog <- struct{}{}
		}
		close(backlog)
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 2 {
			f := newFlow(t, rdb, func(o *Options) {
				o.MinMargin, o.MaxWait = 60*time.Millisecond, 600*time.Millisecond
			})
			for j := range 3 {
				c := withInterval(getPatient(), interval)
				c.Interactive = i == 0 && j == 0
				wg.Go(func() { v.work(t, f, c, backlog) })
			}
		}
		wg.Wait()
		if v.accepted != calls || v.refused != 0 {
			t.Errorf("%d calls accepted, %d throttled", v.accepted, v.refused)
		}
		if took, ideal := time.Since(began), calls*160*time.Millisecond; took > 3*ideal {
			t.Errorf("took %v, ideal is %v", took, ideal)
		}
	})
}

// The slot of a void grant is refunded.
func TestVoidGrantIsRefunded(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := withInterval(getPatient(), 300*time.Millisecond)
		next := func() int64 {
			n, _ := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Int64()
			return n
		}
		call(t, f, c, tebra.Outcome{})
		before := next()
		kept := func() bool { return micros(next()-before) < 150*time.Millisecond } // a late call moves it a little
		p := enter(t, f, c)
		p.Done(t.Context(), tebra.Outcome{NotSent: true, Code: tebra.Unavailable})
		if !kept() {
			t.Error("the slot of a call that was not sent is lost")
		}
		p = enter(t, f, c)
		p.Done(t.Context(), tebra.Outcome{Void: true, NotSent: true})
		if !kept() {
			t.Error("a void slot is lost")
		}
	})
}

// A call that is ready later than granted, when another one has been sent, is not sent, and uses no
// budget.
func TestLateGrantIsNotUsed(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := withInterval(getPatient(), 20*time.Millisecond)
		late := enter(t, f, c)
		other := enter(t, f, c)
		if !other.Confirm(t.Context()) {
			t.Error("a call in time may not be sent")
		}
		if late.Confirm(t.Context()) {
			t.Error("a late call may be sent")
		}
		next := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val()
		late.Done(t.Context(), tebra.Outcome{Void: true, NotSent: true})
		other.Done(t.Context(), tebra.Outcome{})
		if after := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val(); after != next {
			t.Error("the late call's slot was refunded behind a later one")
		}
	})
}

// A throttle response reaches callers that already wait for their slots: they ask for a new slot
// instead of calling.
func TestThrottleResponseReachesWaitingCallers(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := withInterval(getPatient(), 200*time.Millisecond)
		first := enter(t, f, c)
		got := make(chan *permit, 1)
		go func() {
			p, err := f.Enter(t.Context(), c)
			if err != nil {
				t.Error(err)
				got <- nil
				return
			}
			got <- p.(*permit)
		}()
		for rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val() == "" || inFlight(f) < 2 {
			waitUntil(t, time.Now().Add(time.Millisecond))
		}
		first.Done(t.Context(), tebra.Outcome{Code: tebra.Throttled, Interval: 400 * time.Millisecond})
		blocked, _ := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "blocked").Int64()
		if p := <-got; p != nil {
			if early := time.Until(time.UnixMicro(blocked)); early > 0 {
				t.Errorf("entered %v before the block ended", early)
			}
			p.Done(t.Context(), tebra.Outcome{})
		}
	})
}
