package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// pauseAfterFailure is how long everybody leaves a source alone after a load of this key failed.
	pauseAfterFailure = time.Second
	// finishWithin bounds the storing of a value whose caller has gone away meanwhile.
	finishWithin = 2 * time.Second
	firstWait    = 10 * time.Millisecond
	longestWait  = 160 * time.Millisecond
)

// ErrSourceFailed is what Load's error is when the last load of the key, in whatever process, failed a moment ago and
// nothing may be served instead. The error also has NotBefore, which names the end of the pause.
var ErrSourceFailed = errors.New("cache: the last load failed a moment ago")

type pausedError struct{ until time.Time }

func (e *pausedError) Error() string { return ErrSourceFailed.Error() }

func (e *pausedError) Is(target error) bool { return target == ErrSourceFailed }

// NotBefore makes it a matter of waiting, not a failed attempt.
func (e *pausedError) NotBefore() (time.Time, string) { return e.until, "source_failed" }

// Load returns what lies under a key and, when it is not Fresh, loads it: one caller in one process at a time, as far as
// leases can see to it. Others wait for the result, or take a Soft entry as it is. The load's own error is returned
// unchanged, unless the class allows to serve what there is (ServeStale): then the entry comes with its true State and Age,
// and no error.
//
// The load gets the caller's context and must have ended within ten minutes. An entry returned to the caller that loaded it
// is as new as its call; it may nevertheless not have been stored, when something it depends on changed meanwhile.
func (c *Cache) Load(ctx context.Context, k Key, load func(context.Context, Grant) (Value, error)) (Entry, error) {
	kn, err := c.classes.of(k)
	if err != nil {
		return Entry{}, err
	}
	for first := true; ; first = false {
		es, _, err := c.peek(ctx, []Key{k})
		if err != nil {
			return Entry{}, err
		}
		e := es[0]
		var f *flight
		leads := false
		if e.State != Fresh {
			f, leads = c.flights.join(k.entry())
		}
		if first {
			kn.states[e.State].Add(1)
		}
		if e.State == Fresh {
			return e, nil
		}
		if leads {
			return c.lead(ctx, k, kn, f, load)
		}
		if e.State == Soft {
			return e, nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Entry{}, ctx.Err()
		}
		switch {
		case f.err != nil && k.Class.Serves(e):
			kn.served.Add(1)
			return e, nil
		case f.err != nil, f.entry.present:
			kn.shared.Add(1)
			return f.entry, f.err
		}
	}
}

// lead is Load for the caller who loads on behalf of this process. Only the outcome of a load is shared with those who
// wait, and only if Fill stored it: its check ran after they had come, and so covers what was invalidated before that.
func (c *Cache) lead(ctx context.Context, k Key, kn *known, f *flight, load func(context.Context, Grant) (Value, error)) (Entry, error) {
	defer c.flights.land(k.entry(), f)
	e, g, err := c.acquire(ctx, k, kn)
	if err != nil {
		return Entry{}, err
	}
	if g.Held {
		if e.State == Soft {
			return e, nil
		}
		if k.Class.Serves(e) {
			kn.served.Add(1)
			return e, nil
		}
		return Entry{}, &pausedError{until: time.Now().Add(g.Wait)}
	}
	if e.State == Fresh {
		return e, nil
	}
	kn.loads.Add(1)
	loaded := false
	defer func() {
		if !loaded {
			c.giveBack(ctx, k, g, err)
		}
	}()
	start := time.Now()
	v, err := load(ctx, g)
	if err != nil {
		if ctx.Err() != nil {
			return Entry{}, err // the caller left; the source is not to blame, and those who wait try themselves
		}
		kn.failures.Add(1)
		f.err = err
		if k.Class.Serves(e) {
			kn.served.Add(1)
			return e, nil
		}
		return Entry{}, err
	}
	loaded = true
	if v.Cost == 0 {
		v.Cost = time.Since(start)
	}
	return c.settle(ctx, k, kn, f, g, v)
}

// acquire reads until there is nothing to wait for: the entry is usable, the grant is ours, or the source has failed.
func (c *Cache) acquire(ctx context.Context, k Key, kn *known) (Entry, Grant, error) {
	for wait := firstWait; ; wait = min(wait*2, longestWait) {
		e, g, err := c.read(ctx, k, kn, k.Class.ServeStale > 0)
		switch {
		case err != nil:
			return Entry{}, Grant{}, err
		case !g.Held, e.State == Soft, g.Failed:
			return e, g, nil
		}
		nap := time.NewTimer(min(wait/2+time.Duration(rand.Int64N(int64(wait))), g.Wait+time.Millisecond)) // no secret
		select {
		case <-nap.C:
		case <-ctx.Done():
			nap.Stop()
			return Entry{}, Grant{}, ctx.Err()
		}
	}
}

// settle stores what was loaded. The value has cost a call to the source, so it is stored although the caller has gone.
func (c *Cache) settle(ctx context.Context, k Key, kn *known, f *flight, g Grant, v Value) (Entry, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	cl, h, err := c.fillCall(ctx, k, g, v)
	if err != nil {
		f.err = err
		_ = c.Release(ctx, k, g, pauseAfterFailure) // the lease ends by itself
		return Entry{}, err
	}
	e := entryOf(h, v.Bytes, Fresh, h.stamp)
	e.Age = v.Cost
	c.flights.detach(k.entry(), f) // who comes from here on might have seen an invalidation that the fill's check did not
	cmds, err := c.runMany(ctx, fillScript, []call{cl})
	if err != nil {
		return e, nil // the caller has its value; the lease ends by itself
	}
	text, _ := cmds[0].Text()
	r, ok := results[text]
	if !ok {
		return Entry{}, errAnswer
	}
	kn.results[r].Add(1)
	if r == OK {
		f.entry = e
	}
	return e, nil
}

// giveBack ends the lease of a load that brought nothing: with a pause if the source failed, at once if the caller left.
func (c *Cache) giveBack(ctx context.Context, k Key, g Grant, cause error) {
	pause := time.Duration(0)
	if cause != nil && ctx.Err() == nil {
		pause = pauseAfterFailure
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	_ = c.Release(ctx, k, g, pause) // the lease ends by itself
}

// flight is one load of this process, and what those who wait for it get. Its results are written by the leader before
// done is closed; both empty means: try yourself.
type flight struct {
	done  chan struct{}
	entry Entry
	err   error
}

type flights struct {
	mu sync.Mutex
	m  map[string]*flight
}

// join returns the flight that is under way, or a new one and true.
func (fs *flights) join(name string) (*flight, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.m[name]; f != nil {
		return f, false
	}
	if fs.m == nil {
		fs.m = make(map[string]*flight)
	}
	f := &flight{done: make(chan struct{})}
	fs.m[name] = f
	return f, true
}

// detach takes no more passengers.
func (fs *flights) detach(name string, f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.m[name] == f {
		delete(fs.m, name)
	}
}

// land ends the flight and wakes those who wait.
func (fs *flights) land(name string, f *flight) {
	fs.detach(name, f)
	close(f.done)
}
