package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// MaxPeek is the most keys that one PeekMany may ask for.
const MaxPeek = 1000

// Peek returns what lies under a key without asking for the right to load it: one round trip and no script. It costs a
// second one when the entry depends on things that this process did not expect (see hints). A Stale, Soft or Suspect
// entry comes with its value; what to do with it is the caller's to decide.
//
// It never begins an epoch: after a change of servers it calls entries Suspect until a Read, Fill or Invalidate has.
func (c *Cache) Peek(ctx context.Context, k Key) (Entry, error) {
	es, err := c.PeekMany(ctx, []Key{k})
	if err != nil {
		return Entry{}, err
	}
	return es[0], nil
}

// PeekMany is Peek for up to MaxPeek keys of one tenant, in the same round trips. The entries come in the order of the
// keys. An error concerns all of them.
func (c *Cache) PeekMany(ctx context.Context, keys []Key) ([]Entry, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	es, sts, err := c.peek(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, e := range es {
		sts[i].states[e.State].Add(1)
	}
	return es, nil
}

func (c *Cache) peek(ctx context.Context, keys []Key) ([]Entry, []*classStats, error) {
	if err := checkLimit("keys at once", len(keys), MaxPeek); err != nil {
		return nil, nil, err
	}
	id := keys[0].Tenant
	sts := make([]*classStats, len(keys))
	for i, k := range keys {
		if k.Tenant != id {
			return nil, nil, errors.New("cache: keys of several tenants at once")
		}
		var err error
		if sts[i], err = c.classes.of(k); err != nil {
			return nil, nil, err
		}
	}
	raws, vs, err := c.fetch(ctx, id, keys)
	if err != nil {
		return nil, nil, err
	}
	es := make([]Entry, len(keys))
	for i, k := range keys {
		if raws[i] == "" {
			continue
		}
		h, err := parseHeader(raws[i])
		if err != nil {
			sts[i].broken.Add(1)
			continue
		}
		if es[i], err = c.decode(ctx, k, sts[i], raws[i], vs.classify(&h), vs.now); err != nil {
			return nil, nil, fmt.Errorf("open cache entry: %w", err)
		}
	}
	return es, sts, nil
}

// look reads the entries, and after them the versions of everything that they depend on.
func (c *Cache) fetch(ctx context.Context, id tenant.ID, keys []Key) ([]string, *versions, error) {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.entry()
	}
	tags := c.hints.of(names)
	gets := make([]*redis.StringCmd, len(keys))
	var meta *redis.SliceCmd
	var clock *redis.TimeCmd
	_, _ = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // each command is asked for its own error
		for i, n := range names {
			gets[i] = p.Get(ctx, n)
		}
		meta = p.HMGet(ctx, metaKey(id), metaFields(tags)...)
		clock = p.Time(ctx)
		return nil
	})
	raws := make([]string, len(keys))
	for i, g := range gets {
		if g.Err() != nil && !errors.Is(g.Err(), redis.Nil) {
			return nil, nil, fmt.Errorf("read cache: %w", g.Err())
		}
		raws[i] = g.Val()
	}
	if more := c.unexpected(names, raws, tags); len(more) > 0 {
		// All tags again and not only the new ones: one judgement rests on one reading.
		tags = more
		meta = c.rdb.HMGet(ctx, metaKey(id), metaFields(tags)...)
	}
	if meta.Err() != nil {
		return nil, nil, fmt.Errorf("read cache: %w", meta.Err())
	}
	vs, err := newVersions(meta.Val(), tags, c.runID())
	if err != nil {
		return nil, nil, err
	}
	if clock.Err() == nil {
		vs.now = uint64(clock.Val().UnixMicro()) // after 1970
	}
	return raws, vs, nil
}

// unexpected returns nil when the expected tags cover those of the entries, otherwise both together.
func (c *Cache) unexpected(names, raws []string, expected tagSet) tagSet {
	var more tagSet
	for i, raw := range raws {
		h, err := parseHeader(raw)
		if err != nil || !c.hints.learn(names[i], expected, h.tags) {
			continue
		}
		if more == nil {
			more = maps.Clone(expected)
		}
		more.add(h.tags)
	}
	return more
}
