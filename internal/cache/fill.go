package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Value is the result of a load.
type Value struct {
	// Bytes is the value in clear, at most MaxValue; ignored when Negative.
	Bytes []byte
	// Tags name everything the value depends on, at most MaxTags, duplicates allowed. An entry
	// without tags ends by time alone. A Negative one carries the tags of the thing and of the
	// collections it would be in, so that its creation invalidates the entry.
	Tags []Tag
	// Negative records that the thing does not exist.
	Negative bool
	// Cost is how long the load took; zero if not known.
	Cost time.Duration
	// Unstored makes Load store nothing; it ignores the other fields except Result. FillMany stores
	// the value anyway.
	Unstored bool
	// Result is returned by Load beside the entry to the callers that share the load. It never
	// leaves the process.
	Result any
}

// Item is one value to store under one key.
type Item struct {
	Key   Key
	Value Value
}

// Result is the outcome of a fill. Only OK stores the value. The other results are not errors: the
// caller that loaded the value may use it, but nothing was cached.
type Result uint8

// Results of a fill.
const (
	// OK: stored.
	OK Result = iota
	// Epoch: the grant's epoch has ended, because the cache was lost or another server answers.
	Epoch
	// TooOld: the grant is older than ten minutes.
	TooOld
	// Raced: something that the value depends on was invalidated after the grant.
	Raced
	// Older: the value of a later grant is already stored.
	Older
)

var results = map[string]Result{"OK": OK, "EPOCH": Epoch, "TOO_OLD": TooOld, "RACED": Raced, "OLDER": Older}

// String returns the result's name in metrics.
func (r Result) String() string {
	return [...]string{"ok", "epoch", "too_old", "raced", "older"}[r]
}

// MaxFill is the largest number of items that one FillMany accepts.
const MaxFill = 500

// FillMany stores up to MaxFill values under one grant in one round trip, each on its own, and
// returns the results in the order of the items. Use it with the grant of an Invalidate, when the
// writer already knows the new values, and with the grant of a Begin, when one call to the source
// returns many values. After an error some items may not be stored; repeating the whole call is
// safe.
func (c *Cache) FillMany(ctx context.Context, g Grant, items []Item) ([]Result, error) {
	if len(items) == 0 {
		return nil, nil
	}
	if !g.usable() {
		return nil, errors.New("cache: fill without a grant")
	}
	if err := checkLimit("items at once", len(items), MaxFill); err != nil {
		return nil, err
	}
	calls := make([]scriptCall, len(items))
	for i, it := range items {
		err := c.classes.check(it.Key)
		if err != nil {
			return nil, err
		}
		if calls[i], _, err = c.fillCall(ctx, it.Key, g, it.Value); err != nil {
			return nil, err
		}
	}
	out := make([]Result, len(items))
	cmds, err := c.runMany(ctx, fillScript, calls)
	if err != nil {
		return nil, failed("fill cache", err)
	}
	for i, cmd := range cmds {
		text, _ := cmd.Text()
		r, ok := results[text]
		if !ok {
			return nil, errReply
		}
		out[i] = r
	}
	return out, nil
}

// fillCall seals a value and returns the script call that stores it, and its header.
func (c *Cache) fillCall(ctx context.Context, k Key, g Grant, v Value) (scriptCall, *header, error) {
	if !v.Negative {
		if err := checkLimit("bytes of a value", len(v.Bytes), MaxValue); err != nil {
			return scriptCall{}, nil, err
		}
	}
	tags := compact(v.Tags)
	if err := checkLimit("tags of an entry", len(tags), MaxTags); err != nil {
		return scriptCall{}, nil, err
	}
	soft := jitter(k.Class.soft(v.Negative))
	h := &header{
		stamp: g.Stamp, epoch: g.Epoch, tags: tags,
		soft: min(g.Stamp+uint64(soft.Microseconds()), maxClock-1),          // not negative
		cost: uint32(min(max(v.Cost, 0).Milliseconds(), int64(^uint32(0)))), // bounded
	}
	blob, err := c.codec.seal(ctx, k, h, v)
	if err != nil {
		return scriptCall{}, nil, err
	}
	c.hints.learn(k.entry(), nil, tags)
	ttl := max(jitter(k.Class.hard(v.Negative)).Milliseconds(), 1)
	return scriptCall{
		keys: []string{k.entry(), metaKey(k.Tenant), k.lease()},
		args: []any{g.token, blob, ttl, random(8), maxFillAge.Microseconds()},
	}, h, nil
}

// jitter shortens a time by up to a tenth, so that entries stored together do not expire together.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1)) // no secret
}
