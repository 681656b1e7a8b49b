package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// pauseAfterFailure is how long everybody leaves a source alone after a load of this key failed.
	pauseAfterFailure = time.Second
	// finishWithin bounds the storing of a value whose caller has gone away meanwhile.
	storeTimeout = 2 * time.Second
	minWait      = 10 * time.Millisecond
	maxWait      = 160 * time.Millisecond
)

// ErrSourceFailed is what Load's error is when the last load of the key, in whatever process, failed a moment ago and
// nothing may be served instead. The error also has NotBefore, which names the end of the pause.
var ErrSourceFailed = errors.New("cache: the last load failed a moment ago")

type sourceFailedError struct{ until time.Time }

func (e *sourceFailedError) Error() string { return ErrSourceFailed.Error() }

func (e *sourceFailedError) Is(target error) bool { return target == ErrSourceFailed }

// NotBefore makes it a matter of waiting, not a failed attempt.
func (e *sourceFailedError) NotBefore() (time.Time, string) { return e.until, "source_failed" }

// Load returns what lies under a key and, when it is not Fresh, loads it: one caller in one process at a time, as far as
// leases can see to it. Others wait for the result, or take a Soft entry as it is. The load's own error is returned
// unchanged, unless the class allows to serve what there is (ServeStale): then the entry comes with its true State and Age,
// and no error.
//
// The load gets the caller's context and must have ended within ten minutes. An entry returned to the caller that loaded it
// is as new as its call; it may nevertheless not have been stored, when something it depends on changed meanwhile.
func (c *Cache) Load(ctx context.Context, k Key, load func(context.Context, Grant) (Value, error)) (Entry, error) {
	st, err := c.classes.of(k)
	if err != nil {
		return Entry{}, err
	}
	for first := true; ; first = false {
		es, _, err := c.peek(ctx, []Key{k})
		if err != nil {
			return Entry{}, err
		}
		e := es[0]
		var cl *call
		isFirst := false
		if e.State != Fresh {
			cl, isFirst = c.calls.join(k.entry())
		}
		if first {
			st.states[e.State].Add(1)
		}
		if e.State == Fresh {
			return e, nil
		}
		if isFirst {
			return c.do(ctx, k, st, cl, load)
		}
		if e.State == Soft {
			return e, nil
		}
		select {
		case <-cl.done:
		case <-ctx.Done():
			return Entry{}, ctx.Err()
		}
		switch {
		case cl.err != nil && k.Class.Serves(e):
			st.served.Add(1)
			return e, nil
		case cl.err != nil, cl.entry.present:
			st.shared.Add(1)
			return cl.entry, cl.err
		}
	}
}

// lead is Load for the caller who loads on behalf of this process. Only the outcome of a load is shared with those who
// wait, and only if Fill stored it: its check ran after they had come, and so covers what was invalidated before that.
func (c *Cache) do(ctx context.Context, k Key, st *classStats, cl *call, load func(context.Context, Grant) (Value, error)) (Entry, error) {
	defer c.calls.finish(k.entry(), cl)
	e, g, err := c.acquire(ctx, k, st)
	if err != nil {
		return Entry{}, err
	}
	if g.Held {
		if e.State == Soft {
			return e, nil
		}
		if k.Class.Serves(e) {
			st.served.Add(1)
			return e, nil
		}
		return Entry{}, &sourceFailedError{until: time.Now().Add(g.Wait)}
	}
	if e.State == Fresh {
		return e, nil
	}
	st.loads.Add(1)
	loaded := false
	defer func() {
		if !loaded {
			c.releaseAfter(ctx, k, g, err)
		}
	}()
	start := time.Now()
	v, err := load(ctx, g)
	if err != nil {
		if ctx.Err() != nil {
			return Entry{}, err // the caller left; the source is not to blame, and those who wait try themselves
		}
		st.failures.Add(1)
		cl.err = err
		if k.Class.Serves(e) {
			st.served.Add(1)
			return e, nil
		}
		return Entry{}, err
	}
	loaded = true
	if v.Cost == 0 {
		v.Cost = time.Since(start)
	}
	return c.storeLoaded(ctx, k, st, cl, g, v)
}

// acquire reads until there is nothing to wait for: the entry is usable, the grant is ours, or the source has failed.
func (c *Cache) acquire(ctx context.Context, k Key, st *classStats) (Entry, Grant, error) {
	for wait := minWait; ; wait = min(wait*2, maxWait) {
		e, g, err := c.read(ctx, k, st, k.Class.ServeStale > 0)
		switch {
		case err != nil:
			return Entry{}, Grant{}, err
		case !g.Held, e.State == Soft, g.Failed:
			return e, g, nil
		}
		timer := time.NewTimer(min(wait/2+time.Duration(rand.Int64N(int64(wait))), g.Wait+time.Millisecond)) // no secret
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Entry{}, Grant{}, ctx.Err()
		}
	}
}

// settle stores what was loaded. The value has cost a call to the source, so it is stored although the caller has gone.
func (c *Cache) storeLoaded(ctx context.Context, k Key, st *classStats, cl *call, g Grant, v Value) (Entry, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	sc, h, err := c.fillCall(ctx, k, g, v)
	if err != nil {
		cl.err = err
		_ = c.Release(ctx, k, g, pauseAfterFailure) // the lease ends by itself
		return Entry{}, err
	}
	e := entryOf(h, v.Bytes, Fresh, h.stamp)
	e.Age = v.Cost
	c.calls.forget(k.entry(), cl) // who comes from here on might have seen an invalidation that the fill's check did not
	cmds, err := c.runMany(ctx, fillScript, []scriptCall{sc})
	if err != nil {
		return e, nil // the caller has its value; the lease ends by itself
	}
	text, _ := cmds[0].Text()
	r, ok := results[text]
	if !ok {
		return Entry{}, errReply
	}
	st.results[r].Add(1)
	if r == OK {
		cl.entry = e
	}
	return e, nil
}

// giveBack ends the lease of a load that brought nothing: with a pause if the source failed, at once if the caller left.
func (c *Cache) releaseAfter(ctx context.Context, k Key, g Grant, cause error) {
	pause := time.Duration(0)
	if cause != nil && ctx.Err() == nil {
		pause = pauseAfterFailure
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	_ = c.Release(ctx, k, g, pause) // the lease ends by itself
}
