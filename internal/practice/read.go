package practice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// Results of a read that are not failures.
var (
	// ErrCold means that the vendor was never asked about the day or the patient, or that its
	// answer has expired.
	ErrCold = errors.New("practice: nothing is known of this yet")
	// ErrAbsent means that the vendor reported that the patient does not exist.
	ErrAbsent = errors.New("practice: the vendor knows no such patient")
)

// Freshness is what is known about how current and how complete a view is.
type Freshness struct {
	// AsOf is when the vendor last confirmed the oldest part of the view.
	AsOf time.Time
	// Hit reports that the view was in the cache. Otherwise it was built from cached documents, by
	// this read or by a concurrent one.
	Hit bool
	// Stale reports that a part of the view, or a day that it was taken from, was invalidated and
	// that the vendor has not been asked since.
	Stale bool
	// Reason is why nothing confirms a stale view any more: the practice's [Identity.Code]; or why
	// the cache is in doubt, such as codes.ChangesWaiting. Empty means that the next reading does.
	Reason codes.Code
	// Missing counts visits whose documents were not in the cache; the view lacks them.
	Missing int
	// Unknown counts what the view does without because nothing is known of it yet: on a board or a
	// provider's day the rows without a patient's record, on a card the days of CardDays on which
	// the patient may have visits.
	Unknown int
}

// view is one view to read: where it is cached, what it is built from, and how.
type view[V any] interface {
	// keys returns the view's own key, and those of its parts: the entries that decide whether the
	// view can be built, and how fresh it is. They are read together with the view, so that a hit
	// takes one round trip.
	keys() (own cache.Key, parts []cache.Key)
	// assess returns how fresh a view of these parts is, or ErrCold or ErrAbsent if there can be
	// none.
	assess(ctx context.Context, parts []cache.Entry) (assessment, error)
	// restore decodes a cached view and completes the assessment; false if the view does not fit
	// the parts.
	restore(ctx context.Context, cached []byte, parts []cache.Entry, a *assessment) (V, bool)
	// build builds the view from its parts and completes the assessment. It returns what to cache,
	// and the names of everything that this depends on.
	build(ctx context.Context, parts []cache.Entry, a *assessment) (v V, document any, tags []phi.Ref, err error)
}

// assessment is the freshness of a view that a read or a build has determined so far.
type assessment struct {
	Freshness
	age  time.Duration // since AsOf, by the server's clock
	rows int           // of the view, once it is built
}

// reading is the result of one read.
type reading[V any] struct {
	view  V
	fresh Freshness
	err   error // ErrCold or ErrAbsent
}

// read returns a view of the practice from the cache, or builds it. What the vendor last stated
// about the practice is read in the same round trip, in case the view is stale.
func read[V any](ctx context.Context, sc scope, v view[V]) (V, Freshness, error) {
	var none V
	own, partKeys := v.keys()
	got, err := sc.store.cache.PeekMany(ctx, append([]cache.Key{own, sc.store.identityKey(sc.tenant, sc.practice)}, partKeys...))
	if err != nil {
		sc.store.meet(ctx, err)
		return none, Freshness{}, fmt.Errorf("read %s: %w", own.Class.Name, err)
	}
	view, fresh, err := readFound(ctx, sc.store, v, got[0], got[2:])
	sc.store.meet(ctx, err)
	if fresh.Stale {
		fresh.Reason = cmp.Or(stated(ctx, got[1]).Code, fresh.Reason)
	}
	// The question comes after the read: what was in doubt while the view was read, and is not any
	// more, was so during this call.
	if doubt := sc.store.doubted(sc.tenant); doubt != "" && err == nil {
		fresh.Stale, fresh.Reason = true, cmp.Or(fresh.Reason, doubt)
	}
	return view, fresh, err
}

// readFound is read with what was found of the view and its parts. Concurrent reads of one view
// share one build.
func readFound[V any](ctx context.Context, s *Store, v view[V], found cache.Entry, parts []cache.Entry) (V, Freshness, error) {
	var none V
	own, _ := v.keys()
	telemetry.CacheRead(ctx, own.Class.Name, found.State.String())
	assessed, err := v.assess(ctx, parts)
	if err != nil {
		return none, Freshness{}, err
	}
	a := assessed
	if found.State == cache.Fresh {
		if ready, ok := v.restore(ctx, found.Value, parts, &a); ok {
			telemetry.DataRead(ctx, own.Class.Name, a.age)
			a.Hit = true
			return ready, a.Freshness, nil
		}
	}
	telemetry.DataRead(ctx, own.Class.Name, assessed.age)
	r, err := load(ctx, s, v, found, parts, assessed)
	if err != nil {
		return none, Freshness{}, fmt.Errorf("load %s: %w", own.Class.Name, err)
	}
	return r.view, r.fresh, r.err
}

// load builds a view that was not found, or shares the build of a concurrent read. A build that
// began after this read is shared as it is, whether it was stored or not. A view that was built
// otherwise comes as it was stored, and this read assesses it by the parts that it has seen, as it
// does with a hit.
func load[V any](ctx context.Context, s *Store, v view[V], found cache.Entry, parts []cache.Entry, assessed assessment) (*reading[V], error) {
	var stored *reading[V]
	accept := func(e cache.Entry) bool {
		a := assessed
		restored, ok := v.restore(ctx, e.Value, parts, &a)
		stored = &reading[V]{view: restored, fresh: a.Freshness}
		return ok
	}
	own, _ := v.keys()
	e, err := s.cache.Load(ctx, own, found, accept, func(ctx context.Context, _ cache.Grant) (cache.Value, error) {
		return build(ctx, s.cache, v)
	})
	if o := outage.Of(err); o != nil && o.Kind != outage.Unavailable {
		s.meet(ctx, err)
		return buildReadOnly(ctx, s.cache, v, o)
	}
	if err != nil {
		return nil, err
	}
	if built, ok := e.Result.(*reading[V]); ok {
		return built, nil
	}
	return stored, nil
}

// buildReadOnly builds a view from a cache that refuses writes. It is stale, because the cache
// refuses invalidations too.
func buildReadOnly[V any](ctx context.Context, c *cache.Cache, v view[V], o *outage.Error) (*reading[V], error) {
	value, err := build(ctx, c, v)
	if err != nil {
		return nil, err
	}
	r, ok := value.Result.(*reading[V])
	if !ok {
		return nil, o
	}
	r.fresh.Stale, r.fresh.Reason = true, o.Code()
	return r, nil
}

// build builds a view under a grant that was drawn before the first part is read, so that a change
// of a part meanwhile keeps the view from being stored. That there can be no view is not stored
// either, and is not a failure.
func build[V any](ctx context.Context, c *cache.Cache, v view[V]) (cache.Value, error) {
	own, _ := v.keys()
	ctx, span := telemetry.Start(ctx, telemetry.SpanView, telemetry.Tenant(own.Tenant.String()), telemetry.View(own.Class.Name))
	value, rows, err := assemble(ctx, c, v)
	span.Set(telemetry.Rows(rows))
	switch {
	case errors.Is(err, ErrCold):
		span.End("cold")
	case errors.Is(err, ErrAbsent):
		span.End("absent")
	default:
		span.End(failed(err))
		return value, err
	}
	return cache.Value{Unstored: true, Result: &reading[V]{err: err}}, nil
}

// assemble returns the view, as it was built and as it is to be cached, and the number of its rows.
// A view of which something is missing or in doubt may be shown but is not stored.
func assemble[V any](ctx context.Context, c *cache.Cache, v view[V]) (value cache.Value, rows int, err error) {
	own, partKeys := v.keys()
	parts, err := c.PeekMany(ctx, partKeys)
	if err != nil {
		return cache.Value{}, 0, fmt.Errorf("read parts: %w", err)
	}
	a, err := v.assess(ctx, parts)
	if err != nil {
		return cache.Value{}, 0, err
	}
	built, document, tags, err := v.build(ctx, parts, &a)
	if err != nil {
		return cache.Value{}, 0, err
	}
	if a.Stale || a.Missing > 0 {
		value.Unstored = true
	} else {
		item, err := encode(own, document, tags...)
		if err != nil {
			return cache.Value{}, a.rows, err
		}
		value = item.Value
	}
	value.Result = &reading[V]{view: built, fresh: a.Freshness}
	return value, a.rows, nil
}
