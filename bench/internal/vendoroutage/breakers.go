package vendoroutage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/tenant"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// watchEvery is how often the breakers are read: they stay open for seconds.
const watchEvery = time.Second

// maxFailed is how many readings in a row may fail on a loaded machine: as long as a breaker stays
// open at least.
const maxFailed = 4

// watch reads the breakers that a fleet shares, and counts when they open.
type watch struct {
	rdb   redis.UniversalClient
	names []breaker.Name
	stop  func()

	mu       sync.Mutex
	last     []breaker.State // in the order of names; empty before the first reading
	openings []opening
	reads    int
	failed   int // readings in a row
	err      error
}

// opening is one time that a breaker opened.
type opening struct {
	at     time.Time // when it was seen
	scope  string
	tenant string // empty for the host
	reason string
}

// watchBreakers watches the breakers of the host, of logins, and of the operations that the bench's
// tasks call, until the returned watch is stopped.
func watchBreakers(ctx context.Context, d *process.Deployment) *watch {
	w := &watch{rdb: d.Tools.Queue, names: []breaker.Name{{Scope: breaker.Host}}}
	for _, a := range d.Accounts {
		for _, scope := range []string{breaker.Credential, process.Operation, "GetAppointments", "GetPractices"} {
			w.names = append(w.names, breaker.Name{Tenant: tenant.ID(a.Tenant), Scope: scope})
		}
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
	return w
}

func (w *watch) look(ctx context.Context) {
	states, err := breaker.Inspect(ctx, w.rdb, 0, w.names...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads++
	if err != nil {
		if w.failed++; w.failed == maxFailed && ctx.Err() == nil {
			w.err = err
		}
		return
	}
	w.failed = 0
	w.compare(states, time.Now())
}

// compare counts the breakers that have opened since they were read before. One that opens again
// after its probe has failed counts again: its next probe is due later than the last one was.
func (w *watch) compare(states []breaker.State, now time.Time) {
	for i, s := range states {
		if s.Condition != breaker.Open {
			continue
		}
		if len(w.last) == 0 || w.last[i].Condition != breaker.Open || s.Until.Sub(w.last[i].Until) > watchEvery {
			w.openings = append(w.openings, opening{now, s.Scope, s.Tenant.String(), s.Reason})
		}
	}
	w.last = states
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
