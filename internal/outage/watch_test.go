package outage

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// store is a store whose answers a test decides.
type store struct {
	err      atomic.Pointer[Error] // what a probe returns; nil means that it succeeds
	frozen   atomic.Bool
	probes   atomic.Int64
	inOutage atomic.Bool // what the last probe received
}

func (s *store) probe(ctx context.Context, inOutage bool) error {
	s.probes.Add(1)
	s.inOutage.Store(inOutage)
	if s.frozen.Load() {
		<-ctx.Done()
		return New(Cache, Unavailable, true, ctx.Err())
	}
	if e := s.err.Load(); e != nil {
		return e
	}
	return errors.New("an error that is no outage")
}

func watch(t *testing.T, s *store) *Watch {
	w := NewWatch(WatchOptions{Store: Cache, Probe: s.probe})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

func TestWatchFollowsTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		w := watch(t, s)
		<-time.After(5*time.Second + again)
		synctest.Wait()
		if w.Outage() != nil || w.Outages() != 0 || s.probes.Load() != 5 || s.inOutage.Load() {
			t.Fatalf("a store that answers: %v, %d outages, %d probes", w.Outage(), w.Outages(), s.probes.Load())
		}
		s.err.Store(New(Cache, Full, false, errors.New("x")))
		<-time.After(every)
		if o := w.Outage(); o == nil || o.Code() != codes.CacheFull {
			t.Fatalf("a full store: %v", o)
		}
		s.err.Store(nil)
		<-time.After(again)
		synctest.Wait()
		if w.Outage() != nil || w.Outages() != 1 || !s.inOutage.Load() {
			t.Fatalf("after the outage: %v, %d outages", w.Outage(), w.Outages())
		}
		s.frozen.Store(true)
		<-time.After(every + limit)
		synctest.Wait()
		if o := w.Outage(); o == nil || o.Code() != codes.CacheUnavailable {
			t.Fatalf("a frozen store: %v", o)
		}
	})
}

// A report counts at once, until a probe succeeds. A store that fails work again and again, in
// spite of probes that succeed, is tried more rarely.
func TestWatchTrustsReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, &store{})
		<-time.After(every / 2)
		w.Report(t.Context(), codes.QueueFull) // another store's
		if w.Outage() != nil {
			t.Fatal("a report about another store counts")
		}
		var waits []time.Duration
		for range 70 {
			w.Report(t.Context(), codes.CacheReadOnly)
			began := time.Now()
			for w.Outage() != nil {
				<-time.After(again / 10)
				synctest.Wait()
			}
			waits = append(waits, time.Since(began))
		}
		for i, wait := range waits {
			want := min(again<<min(i, 10), cautious)
			if wait < want-again/10 || wait > want+again/10 {
				t.Fatalf("after outage %d the store is tried after %v, want %v", i, wait, want)
			}
		}
		<-time.After(2 * calm)
		w.Report(t.Context(), codes.CacheReadOnly)
		<-time.After(again)
		synctest.Wait()
		if w.Outage() != nil || w.Outages() != 71 {
			t.Errorf("a store that was steady: %v, %d outages", w.Outage(), w.Outages())
		}
	})
}

func TestEveryCodeNamesItsStore(t *testing.T) {
	t.Parallel()
	for _, s := range []Store{Queue, Cache, Ledger} {
		for _, k := range []Kind{Unavailable, Full, ReadOnly} {
			e := New(s, k, false, errors.New("x"))
			if got, ok := StoreOf(e.Code()); !ok || got != s || e.ErrorCode() == "" || Of(errors.Join(errors.New("y"), e)) != e {
				t.Errorf("%v %v has the code %s of %v", s, k, string(e.Code()), got)
			}
		}
	}
	w := NewWatch(WatchOptions{Store: Queue})
	w.Report(t.Context(), codes.Redis)
	if s, ok := StoreOf(codes.Redis); !ok || s != Queue || w.Outage() == nil {
		t.Errorf("flow control's Redis is %v: %v", s, w.Outage())
	}
	if _, ok := StoreOf(codes.Pace); ok || Of(errors.New("x")) != nil {
		t.Error("another code or error is an outage")
	}
}
