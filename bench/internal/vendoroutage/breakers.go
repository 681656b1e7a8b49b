package vendoroutage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/tenant"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// watchEvery is how often the breakers are read: they stay open for seconds.
const watchEvery = time.Second

// watch reads the breakers that a fleet shares, and counts when they open.
type watch struct {
	flow    *flow.Flow
	tenants []tenant.ID
	stop    func()

	mu       sync.Mutex
	last     map[string]flow.State // the states that were not closed, by breaker
	openings []opening
	reads    int
	err      error
}

// opening is one time that a breaker opened.
type opening struct {
	at     time.Time // when it was seen
	scope  string
	tenant string // empty for the host
	reason string
}

// watchBreakers watches until the returned watch is stopped.
func watchBreakers(ctx context.Context, d *process.Deployment) (*watch, error) {
	gate, err := flow.New(flow.Options{Redis: d.Tools.Queue})
	if err != nil {
		return nil, err
	}
	w := &watch{flow: gate, last: map[string]flow.State{}}
	for _, a := range d.Accounts {
		w.tenants = append(w.tenants, tenant.ID(a.Tenant))
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	w.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		for {
			w.look(ctx)
			if process.Pause(ctx, watchEvery) != nil {
				return
			}
		}
	}()
	return w, nil
}

func (w *watch) look(ctx context.Context) {
	states, err := w.flow.States(ctx, w.tenants...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	if err != nil {
		if ctx.Err() == nil {
			w.err = err
		}
		return
	}
	w.compare(states, time.Now())
}

// compare counts the breakers that have opened since they were read before. One that opens again
// after its probe has failed counts again: its next probe is due later than the last one was.
func (w *watch) compare(states []flow.State, now time.Time) {
	next := map[string]flow.State{}
	for _, s := range states {
		name := s.Tenant.String() + " " + s.Scope
		next[name] = s
		if s.Condition != flow.Open {
			continue
		}
		if before, known := w.last[name]; !known || before.Condition != flow.Open || s.Until.Sub(before.Until) > watchEvery {
			w.openings = append(w.openings, opening{now, s.Scope, s.Tenant.String(), s.Reason})
		}
	}
	w.last = next
}

// end stops the watch and returns the openings.
func (w *watch) end() ([]opening, error) {
	w.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.openings, w.err
}

// describe counts openings by scope and reason.
func describe(openings []opening) string {
	if len(openings) == 0 {
		return "no breaker opened"
	}
	counts := map[string]int{}
	for _, o := range openings {
		counts[o.scope+" ("+o.reason+")"]++
	}
	var texts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprintf("%s %d times", what, counts[what]))
	}
	return "breakers opened: " + strings.Join(texts, ", ")
}
