package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Value is what a load brought.
type Value struct {
	// Bytes is the value in clear, at most MaxValue; ignored when Negative.
	Bytes []byte
	// Tags are all things that the value depends on, at most MaxTags, doubles allowed. An entry without tags ends by time
	// alone. A Negative one carries the tags of the thing and of the collections it would be in, so that creation ends it.
	Tags []Tag
	// Negative says that the thing does not exist.
	Negative bool
	// Cost is how long the load took; zero if not known.
	Cost time.Duration
}

// Item is one value to store under one key.
type Item struct {
	Key   Key
	Value Value
}

// Result says what became of a Fill. Only OK stored something; the others are no errors: the value may be used by the one
// who loaded it, but nobody after him.
type Result uint8

// Results of a Fill.
const (
	// OK: stored.
	OK Result = iota
	// Epoch: the timeline of the grant has ended, by a loss of the cache or a change of servers.
	Epoch
	// TooOld: the grant is older than ten minutes.
	TooOld
	// Raced: something that the value depends on was invalidated after the grant.
	Raced
	// Older: a load with a later grant has been stored already.
	Older
)

var results = map[string]Result{"OK": OK, "EPOCH": Epoch, "TOO_OLD": TooOld, "RACED": Raced, "OLDER": Older}

// String returns the result's name in figures.
func (r Result) String() string {
	return [...]string{"ok", "epoch", "too_old", "raced", "older"}[r]
}

// Fill stores a value under the grant with which its load began, and gives the grant's lease back.
func (c *Cache) Fill(ctx context.Context, k Key, g Grant, v Value) (Result, error) {
	rs, err := c.FillMany(ctx, g, []Item{{Key: k, Value: v}})
	if err != nil {
		return 0, err
	}
	return rs[0], nil
}

// MaxFill is the most items that one FillMany may store.
const MaxFill = 500

// FillMany stores up to MaxFill values under one grant in one round trip, each by itself; the results come in the order
// of the items. It is for the grant of an Invalidate, when the writer knows the new values already (bump first, then
// fill), and for that of a Begin, when one look at the source brings many values. An error means that some of them may not have been stored; repeating all of them is safe.
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
	sts := make([]*classStats, len(items))
	calls := make([]scriptCall, len(items))
	for i, it := range items {
		var err error
		if sts[i], err = c.classes.of(it.Key); err != nil {
			return nil, err
		}
		if calls[i], _, err = c.fillCall(ctx, it.Key, g, it.Value); err != nil {
			return nil, err
		}
	}
	out := make([]Result, len(items))
	cmds, err := c.runMany(ctx, fillScript, calls)
	if err != nil {
		return nil, fmt.Errorf("fill cache: %w", err)
	}
	for i, cmd := range cmds {
		text, _ := cmd.Text()
		r, ok := results[text]
		if !ok {
			return nil, errReply
		}
		out[i] = r
		sts[i].results[r].Add(1)
	}
	return out, nil
}

// fillCall seals a value and returns the call that stores it, and the header that it will have.
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
		args: []any{g.Token, blob, ttl, c.runID(), random(8), maxFillAge.Microseconds()},
	}, h, nil
}

// jitter shortens a time by up to a tenth, so that what was stored together does not end together.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1)) // no secret
}
