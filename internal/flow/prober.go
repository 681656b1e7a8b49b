package flow

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	// witnesses is how many calls that are known to work have to fail in a row.
	witnesses = 2
	// probeHeadStart is how long Probe has the first chance to send a probe. Afterwards any caller
	// may: perhaps no process can repeat a call that has worked.
	probeHeadStart = 3 * time.Second
	// probeTick is how often the host's breaker is read at least.
	probeTick = time.Second
	// controlPause is between two attempts to find evidence for the same breaker.
	controlPause = time.Second
	// shortestProbe and probeLatencies bound how long a repeated call may take. One that hangs
	// until its timeout would miss that the vendor is back.
	shortestProbe, probeLatencies = 5 * time.Second, 4
)

// Repeat repeats the last call of an operation that worked for a tenant, as
// [tebra.Client.Repeat] does. The outcome reaches the Flow through the gate.
type Repeat func(ctx context.Context, id tenant.ID, operation string) error

// controlKey is where the context of a repeated call has its control.
type controlKey struct{}

// control is what a call is repeated for.
type control struct {
	of    *local // the breaker that it is about
	known bool   // it has worked before
}

// Probe repeats calls that are known to work, until ctx ends: as the probe of an open breaker, and
// to find out whether failures of other calls follow what those ask for. Each worker runs one. It
// returns nil, after the calls that it makes.
func (f *Flow) Probe(ctx context.Context, repeat Repeat) error {
	f.probing.Store(true)
	defer f.probing.Store(false)
	p := prober{flow: f, repeat: repeat, next: map[*local]time.Time{}, busy: map[*local]bool{}}
	defer p.calls.Wait()
	for {
		pause := time.NewTimer(p.round(ctx))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-f.nudge:
			pause.Stop()
		case <-pause.C:
		}
	}
}

// prober is the state of one Probe.
type prober struct {
	flow   *Flow
	repeat Repeat
	calls  sync.WaitGroup

	mu   sync.Mutex
	next map[*local]time.Time // not before
	busy map[*local]bool
}

// round starts the calls that are due, and returns how long to wait for the next one.
func (p *prober) round(ctx context.Context) time.Duration {
	f, pause := p.flow, probeTick
	if !f.host.known().Until.IsZero() {
		f.forgetSuspicions() // what failed in an outage of the host says nothing about operations
	}
	for _, b := range f.watched() {
		v, err := b.read(ctx)
		if err != nil {
			continue // nothing is sent while Redis is unavailable
		}
		switch due := time.Until(v.Until); {
		case v.Until.IsZero() && !b.isSuspicious(v):
			f.unwatch(b)
		case v.Until.IsZero() && b != f.host && f.host.isSuspicious(f.host.known()):
			// the host is checked first
		case v.Until.IsZero():
			p.start(ctx, b, p.control)
		case due > 0:
			pause = min(pause, due)
		case b.kind == credentialScope:
			// only a caller proves a login
		case f.host != b && !f.host.known().Until.IsZero():
			// no call passes before the host's probe
		default:
			p.start(ctx, b, p.probe)
		}
	}
	return max(pause, f.options.Breakers.Cache, time.Millisecond)
}

// start runs one check of a breaker, unless one runs or ran a moment ago.
func (p *prober) start(ctx context.Context, b *local, check func(context.Context, *local)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[b] || time.Now().Before(p.next[b]) {
		return
	}
	p.busy[b] = true
	p.calls.Go(func() {
		check(ctx, b)
		p.mu.Lock()
		p.busy[b] = false
		p.next[b] = time.Now().Add(min(controlPause, p.flow.options.Breakers.Open))
		p.mu.Unlock()
		p.flow.wake()
	})
}

// probe repeats one call for a breaker whose probe is due: not the one that failed as the last
// probe, if there is another.
func (p *prober) probe(ctx context.Context, b *local) {
	all := p.flow.candidates(b)
	for i, w := range all {
		if i+1 < len(all) && b.wasProbe(w) {
			continue
		}
		b.remember(w)
		p.call(ctx, b, w)
		return
	}
}

// control repeats calls that are known to work until one succeeds, or enough have failed.
func (p *prober) control(ctx context.Context, b *local) {
	all := p.flow.candidates(b)
	for i := range witnesses {
		if len(all) == 0 || ctx.Err() != nil || !b.isSuspicious(b.known()) {
			return
		}
		p.call(ctx, b, all[i%len(all)])
	}
}

// call repeats one call, ahead of the background's.
func (p *prober) call(ctx context.Context, b *local, w worked) {
	ctx, cancel := context.WithTimeout(ctx, max(shortestProbe, probeLatencies*w.latency))
	defer cancel()
	ctx = tebra.Interactive(context.WithValue(ctx, controlKey{}, control{of: b, known: !w.at.IsZero()}))
	var answered *tebra.Error
	if err := p.repeat(ctx, w.tenant, w.operation); err != nil && !errors.As(err, &answered) {
		p.flow.notRepeated(w, err)
	}
}

// isSuspicious reports whether calls have failed that a call known to work has to decide about.
func (b *local) isSuspicious(v breaker.Shared) bool {
	n := b.suspects.unresolved()
	return v.Until.IsZero() && b.kind != credentialScope && !b.write && (n >= b.o.Breakers.Failures || n > 0 && b.slowdown(v) > 1)
}

// wasProbe reports whether a call was sent as the last probe. remember notes one.
func (b *local) wasProbe(w worked) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.probed.tenant == w.tenant && b.probed.operation == w.operation
}

func (b *local) remember(w worked) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probed = w
}

// watched returns the breakers that a Probe has to look at: the host's, and those that are open or
// suspicious.
func (f *Flow) watched() []*local {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []*local{f.host}
	for b := range f.watch {
		out = append(out, b)
	}
	return out
}

// watchFor lets Probe look at a breaker, and soon if it did not before.
func (f *Flow) watchFor(b *local) {
	f.mu.Lock()
	_, watched := f.watch[b]
	if b != f.host {
		f.watch[b] = struct{}{}
	}
	f.mu.Unlock()
	if !watched {
		f.wake()
	}
}

// forgetSuspicions forgets the failures that nothing has been concluded from.
func (f *Flow) forgetSuspicions() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.tenants {
		for _, b := range a.operations {
			b.suspects.forget()
		}
	}
}

func (f *Flow) unwatch(b *local) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watch, b)
}

func (f *Flow) wake() {
	select {
	case f.nudge <- struct{}{}:
	default:
	}
}
