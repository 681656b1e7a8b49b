package daycheck

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// watcher plays the readers and the staff of a checked day, and measures how long each change takes
// to reach the event log.
type watcher struct {
	demo      *app.Demo
	wg        sync.WaitGroup
	started   chan struct{}
	stopStaff context.CancelFunc // readers go on

	reads, hits atomic.Int64

	mu      sync.Mutex
	waiting map[phi.Ref]time.Time // edits at the vendor without an event yet
	delays  []time.Duration
	arrived map[phi.Ref]bool // visits whose latest edit has its event
}

// readEvery is the pause between reads of each board, like a few open boards that refresh every 15
// seconds.
const readEvery = 100 * time.Millisecond

// watch follows the event log from now on. Readers and staff start with begin; the staff never edit
// the spared visits. Everything ends with ctx.
func watch(ctx context.Context, d *app.Demo, spared ...string) *watcher {
	w := &watcher{demo: d, started: make(chan struct{}), waiting: map[phi.Ref]time.Time{}, arrived: map[phi.Ref]bool{}}
	for _, id := range Tenants(d) {
		w.wg.Go(func() {
			_ = events.Tail(ctx, d.Tools.Cache, id, 0, func(ev events.Event) error { w.event(ev); return nil })
		})
	}
	working, stopStaff := context.WithCancel(ctx)
	w.stopStaff = stopStaff
	w.wg.Go(func() {
		select {
		case <-w.started:
			Staff(working, d, 700*time.Millisecond, spared, w.expect)
		case <-working.Done():
		}
	})
	w.wg.Go(func() {
		select {
		case <-w.started:
			w.read(ctx)
		case <-ctx.Done():
		}
	})
	return w
}

func (w *watcher) begin() { close(w.started) }

// wait returns once everything has ended. The caller ends ctx first.
func (w *watcher) wait() { w.stopStaff(); w.wg.Wait() }

func (w *watcher) read(ctx context.Context) {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		for _, p := range w.demo.Practices {
			today := civil.DateOf(w.demo.Clock.Now().In(p.Clinic.Location()))
			r, err := w.demo.Tools.Store.Board(ctx, p.Tenant, p.ID, today)
			if ctx.Err() != nil {
				return
			}
			w.reads.Add(1)
			if err == nil && r.Hit {
				w.hits.Add(1)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *watcher) ref(t tenant.ID, visit string) phi.Ref {
	return w.demo.Tools.Store.Names(t).Appointment(phi.Text(visit))
}

// expect starts the clock for an edit. A visit that is edited again before its event arrives keeps
// the first time.
func (w *watcher) expect(c StatusChange) {
	ref := w.ref(c.Practice.Tenant, c.Visit)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.waiting[ref]; !ok {
		w.waiting[ref] = c.At
	}
	delete(w.arrived, ref)
}

func (w *watcher) event(ev events.Event) {
	if ev.Body.Kind != events.AppointmentChanged {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ref := range ev.Body.Refs {
		if at, ok := w.waiting[ref]; ok && ev.At.After(at) {
			w.delays = append(w.delays, ev.At.Sub(at))
			delete(w.waiting, ref)
			w.arrived[ref] = true
		}
	}
}

// seen reports whether the event of the visit's latest expected edit has arrived.
func (w *watcher) seen(visit string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.arrived[w.ref(w.demo.Practices[0].Tenant, visit)]
}

func (w *watcher) hitRatio() (reads int, ratio float64) {
	n := w.reads.Load()
	if n == 0 {
		return 0, 0
	}
	return int(n), float64(w.hits.Load()) / float64(n)
}

// delay returns the number of changes that reached the event log and the median time that they
// took.
func (w *watcher) delay() (n int, medianMS float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.delays) == 0 {
		return 0, 0
	}
	slices.Sort(w.delays)
	return len(w.delays), float64(w.delays[len(w.delays)/2].Microseconds()) / 1000
}

// logBuffer is a buffer for concurrent writers.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p. It never fails.
func (s *logBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// Bytes returns a copy of the contents.
func (s *logBuffer) Bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.b.Bytes())
}
