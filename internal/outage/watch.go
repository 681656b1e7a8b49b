package outage

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
)

const (
	// every is the interval of probes of a store that answers.
	every = time.Second
	// again is the interval of probes of a store that is unavailable. Work resumes within it.
	again = 250 * time.Millisecond
	// limit is how long a store may take to answer a probe.
	limit = 1500 * time.Millisecond
	// calm is the time after which a store that came back counts as steady. Each time that it fails
	// sooner, in spite of a probe that it answered, doubles the interval of probes up to cautious.
	calm     = 10 * time.Second
	cautious = 4 * time.Second
)

// WatchOptions configure a Watch.
type WatchOptions struct {
	// Store is the store. Required.
	Store Store
	// Probe uses the store as work does, and fails with an Error if it is unavailable. Other errors
	// do not count. It may use the store lightly unless an outage is known. Required.
	Probe func(ctx context.Context, inOutage bool) error
	// Logger receives a line when the store becomes unavailable, and when it is back. Defaults to
	// none.
	Logger *slog.Logger
}

// Watch follows whether one store is unavailable, by probes and by reports of its users. It is safe
// for concurrent use.
type Watch struct {
	o        WatchOptions
	reported chan struct{}

	mu      sync.Mutex
	outage  *Error // nil while the store answers
	outages int
	backAt  time.Time
	wait    time.Duration // interval of probes during the outage
}

// NewWatch returns a Watch that has seen nothing yet: the store counts as present.
func NewWatch(o WatchOptions) *Watch {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return &Watch{o: o, reported: make(chan struct{}, 1)}
}

// Run probes the store until ctx ends. It returns nil.
func (w *Watch) Run(ctx context.Context) error {
	for {
		timer := time.NewTimer(w.interval())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-w.reported:
			timer.Stop()
			continue // with the interval of a store that is unavailable
		case <-timer.C:
		}
		w.probe(ctx)
	}
}

func (w *Watch) interval() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.outage == nil {
		return every
	}
	return w.wait
}

func (w *Watch) probe(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := w.o.Probe(limited, w.Outage() != nil)
	if ctx.Err() != nil {
		return
	}
	if o := Of(err); o != nil {
		w.leave(ctx, o)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.outage != nil {
		w.o.Logger.InfoContext(ctx, "store is back", "store", w.o.Store.String())
		w.outage, w.backAt = nil, time.Now()
	}
}

// Report states that work failed because the store is unavailable. It counts as unavailable until a
// probe succeeds.
func (w *Watch) Report(ctx context.Context, c codes.Code) {
	if s, kind, ok := find(c); ok && s == w.o.Store {
		w.leave(ctx, New(s, kind, false, c))
	}
}

func (w *Watch) leave(ctx context.Context, o *Error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.outage != nil {
		w.outage = o
		return
	}
	w.wait = min(2*w.wait, cautious)
	if w.backAt.IsZero() || time.Since(w.backAt) > calm {
		w.wait = again
	}
	w.outage = o
	w.outages++
	w.o.Logger.WarnContext(ctx, "store is unavailable, and no task that needs it is taken", "store", w.o.Store.String(), "code", string(o.Code()))
	select {
	case w.reported <- struct{}{}:
	default:
	}
}

// Outage returns why the store is unavailable, or nil.
func (w *Watch) Outage() *Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outage
}

// Present reports whether no outage of the store is known.
func (w *Watch) Present() bool { return w.Outage() == nil }

// Outages counts the outages that were seen, the present one included.
func (w *Watch) Outages() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outages
}
