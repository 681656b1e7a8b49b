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

// watcher plays the readers and the staff of a checked day and follows each change into the log.
type watcher struct {
	demo    *app.Demo
	wg      sync.WaitGroup
	started chan struct{}
	resting context.CancelFunc

	reads, hits atomic.Int64

	mu      sync.Mutex
	waiting map[phi.Ref]time.Time // changed visits whose event has not come
	delays  []time.Duration
	told    map[phi.Ref]bool
}

// readEvery is how often the check reads each board: a few open boards, each refreshed every quarter of a minute.
const readEvery = 100 * time.Millisecond

// watch starts following the log at once; reading and working start with begin. The staff leaves the spared visits alone.
// All of it ends with ctx.
func watch(ctx context.Context, d *app.Demo, spared ...string) *watcher {
	w := &watcher{demo: d, started: make(chan struct{}), waiting: map[phi.Ref]time.Time{}, told: map[phi.Ref]bool{}}
	for _, id := range Tenants(d) {
		w.wg.Go(func() {
			_ = events.Tail(ctx, d.Tools.Cache, id, 0, func(ev events.Event) error { w.event(ev); return nil })
		})
	}
	working, rest := context.WithCancel(ctx)
	w.resting = rest
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

// rest lets the staff go; boards are read on.
func (w *watcher) rest() { w.resting() }

func (w *watcher) wait() { w.resting(); w.wg.Wait() }

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

// expect starts the clock for a change; a visit that is changed again before its event came keeps the first time.
func (w *watcher) expect(c StatusChange) {
	ref := w.ref(c.Practice.Tenant, c.Visit)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.waiting[ref]; !ok {
		w.waiting[ref] = c.At
	}
	delete(w.told, ref)
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
			w.told[ref] = true
		}
	}
}

// seen reports whether the event of the visit's latest expected change has come.
func (w *watcher) seen(visit string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.told[w.ref(w.demo.Practices[0].Tenant, visit)]
}

func (w *watcher) hitRatio() (reads int, ratio float64) {
	n := w.reads.Load()
	if n == 0 {
		return 0, 0
	}
	return int(n), float64(w.hits.Load()) / float64(n)
}

// delay returns how many changes were followed into the log and the median of how long they took.
func (w *watcher) delay() (n int, medianMS float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.delays) == 0 {
		return 0, 0
	}
	slices.Sort(w.delays)
	return len(w.delays), float64(w.delays[len(w.delays)/2].Microseconds()) / 1000
}

// logBuffer is a buffer that many goroutines may write to.
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

// Bytes returns a copy of what was written.
func (s *logBuffer) Bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.b.Bytes())
}
