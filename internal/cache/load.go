package cache

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// storeTimeout bounds what a load writes after its caller's context has ended. It is short,
	// because the caller waits for it: a value that is not stored is loaded again.
	storeTimeout = 500 * time.Millisecond
	// Callers in other processes look again after minWait, then after up to maxWait, or a tenth of
	// the lease if that is shorter.
	minWait = 10 * time.Millisecond
	maxWait = 160 * time.Millisecond
)

// Load returns the entry of a key and loads it first when it is not Fresh. One caller in one
// process loads at a time, while its lease lasts; the others wait for its result, or take a Soft
// entry as it is. The load's own error is returned unchanged.
//
// A caller that has just peeked at the key passes on what it found, which saves a round trip; the
// zero Entry stands for nothing. What Load returns is as new as the call, or as that peek.
//
// An entry that accept refuses counts as a Miss, whatever its State; a nil accept takes every
// entry.
//
// The load receives the caller's context and must end within ten minutes. The entry that the
// loading caller receives is at least as new as its call; it may not have been stored, if something
// it depends on changed meanwhile or if the load set Value.Unstored. A load that outlives
// Class.Lease keeps no caller waiting: another one loads beside it.
func (c *Cache) Load(ctx context.Context, k Key, found Entry, accept func(Entry) bool, load func(context.Context, Grant) (Value, error)) (Entry, error) {
	if accept == nil {
		accept = acceptAll
	}
	for e := found; ; e = (Entry{}) {
		if e.by == nil || e.key != k {
			var err error
			if e, err = c.Peek(ctx, k); err != nil {
				return Entry{}, err
			}
		}
		vs := e.by
		if e.present && !accept(e) {
			e = Entry{}
		}
		if e.State == Fresh {
			return e, nil
		}
		cl, isFirst := c.calls.join(k.entry())
		if isFirst {
			return c.do(ctx, k, cl, accept, load)
		}
		if e.State == Soft {
			return e, nil
		}
		finished, err := c.wait(ctx, k, cl)
		if err != nil {
			return Entry{}, err
		}
		if !finished {
			continue
		}
		shared := cl.entry
		switch {
		case cl.err != nil, vs.precede(cl.grant):
			return shared, cl.err
		case cl.stored && accept(shared):
			shared.Result = nil // parts of it that no version covers may predate this call
			return shared, nil
		}
	}
}

// wait waits for a call of another caller, at most for the lease of the key's class. It reports
// whether the call has finished; if not, no more callers join it.
func (c *Cache) wait(ctx context.Context, k Key, cl *call) (finished bool, err error) {
	lease := time.NewTimer(k.Class.lease())
	defer lease.Stop()
	select {
	case <-cl.done:
		return true, nil
	case <-lease.C:
		c.calls.forget(k.entry(), cl)
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func acceptAll(Entry) bool { return true }

// do is Load for the caller that loads on behalf of this process. Waiting callers share the result
// of a load in two cases. A caller that read the versions before the grant was drawn always does:
// the load began after its call. A later one does if the result was stored: the fill's check ran
// after the caller joined, and so covers every invalidation before.
func (c *Cache) do(ctx context.Context, k Key, cl *call, accept func(Entry) bool, load func(context.Context, Grant) (Value, error)) (Entry, error) {
	defer c.calls.finish(k.entry(), cl)
	e, g, err := c.acquire(ctx, k, accept)
	switch {
	case err != nil:
		return Entry{}, err
	case e.State == Fresh, g.held:
		return e, nil
	}
	done := false
	defer func() {
		if !done {
			c.releaseAfter(ctx, k, g)
		}
	}()
	start := time.Now()
	v, err := load(ctx, g)
	if err != nil {
		if ctx.Err() != nil {
			return Entry{}, err // the caller canceled, so waiting callers load themselves
		}
		cl.err = err
		return Entry{}, err
	}
	if v.Unstored {
		cl.entry, cl.grant = Entry{Result: v.Result}, g
		return cl.entry, nil
	}
	done = true
	if v.Cost == 0 {
		v.Cost = time.Since(start)
	}
	return c.storeLoaded(ctx, k, cl, g, v)
}

// acquire reads until waiting is no longer useful: the entry is usable, or this caller has the
// grant.
func (c *Cache) acquire(ctx context.Context, k Key, accept func(Entry) bool) (Entry, Grant, error) {
	for wait := minWait; ; wait = min(wait*2, maxWait, max(minWait, k.Class.lease()/10)) {
		e, g, err := c.read(ctx, k, accept)
		switch {
		case err != nil:
			return Entry{}, Grant{}, err
		case !g.held, e.State == Soft:
			return e, g, nil
		}
		timer := time.NewTimer(min(wait/2+time.Duration(rand.Int64N(int64(wait))), g.wait+time.Millisecond)) // no secret
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Entry{}, Grant{}, ctx.Err()
		}
	}
}

// storeLoaded stores what was loaded. The value has cost a call to the source, so it is stored even
// if the caller's context has ended.
func (c *Cache) storeLoaded(ctx context.Context, k Key, cl *call, g Grant, v Value) (Entry, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	sc, h, err := c.fillCall(ctx, k, g, v)
	if err != nil {
		cl.err = err
		_ = c.release(ctx, k, g) // the lease also expires by itself
		return Entry{}, err
	}
	e := entryOf(h, v.Bytes, Fresh, h.stamp)
	e.Age, e.Result = v.Cost, v.Result
	c.calls.forget(k.entry(), cl) // a later caller may have seen an invalidation that the fill's check does not cover
	cmds, err := c.runMany(ctx, fillScript, []scriptCall{sc})
	cl.entry, cl.grant = e, g
	if err != nil {
		return e, nil // the caller has its value; the lease expires by itself
	}
	text, _ := cmds[0].Text()
	r, ok := results[text]
	if !ok {
		return Entry{}, errReply
	}
	cl.stored = r == OK
	return e, nil
}

// releaseAfter ends the lease of a load without a value, even if the caller has canceled.
func (c *Cache) releaseAfter(ctx context.Context, k Key, g Grant) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	_ = c.release(ctx, k, g) // the lease also expires by itself
}
