package cache

import (
	"context"
	"errors"
	"maps"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// MaxPeek is the largest number of keys that one PeekMany accepts.
const MaxPeek = 1000

// Peek returns the entry of a key without asking for a grant to load it: one round trip and no
// script. A second round trip follows when the entry depends on tags that this process did not
// expect (see hints). A Stale, Soft or Suspect entry comes with its value; the caller decides
// whether to use it.
//
// Peek never begins an epoch: after a change of primaries it reports entries as Suspect until a
// read, fill or invalidation begins one.
func (c *Cache) Peek(ctx context.Context, k Key) (Entry, error) {
	es, err := c.PeekMany(ctx, []Key{k})
	if err != nil {
		return Entry{}, err
	}
	return es[0], nil
}

// PeekMany is Peek for up to MaxPeek keys of one tenant, in the same round trips. It returns the
// entries in the order of the keys. An error applies to all of them.
func (c *Cache) PeekMany(ctx context.Context, keys []Key) ([]Entry, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if err := checkLimit("keys at once", len(keys), MaxPeek); err != nil {
		return nil, err
	}
	id := keys[0].Tenant
	for _, k := range keys {
		if k.Tenant != id {
			return nil, errors.New("cache: keys of several tenants at once")
		}
		if err := c.classes.check(k); err != nil {
			return nil, err
		}
	}
	raws, vs, err := c.fetch(ctx, id, keys)
	if err != nil {
		return nil, err
	}
	es := make([]Entry, len(keys))
	for i, k := range keys {
		if raws[i] != "" {
			if es[i], err = c.see(ctx, k, raws[i], vs); err != nil {
				return nil, err
			}
		}
		es[i].key, es[i].by = k, vs
	}
	return es, nil
}

// wrongType stands for the bytes of an entry whose key holds no string. Its header is that of no
// entry.
const wrongType = "?"

// see opens and classifies an entry, and counts one that cannot be used. Load peeks before it
// reads, so read need not count again.
func (c *Cache) see(ctx context.Context, k Key, raw string, vs *versions) (Entry, error) {
	state := Miss
	if h, err := parseHeader(raw); err == nil {
		state = vs.classify(&h)
	}
	e, unusable, err := c.decode(ctx, k, raw, state, vs.now)
	if unusable != "" {
		telemetry.ValueUnusable(ctx, k.Class.Name, string(unusable))
	}
	return e, err
}

// fetch reads the entries, and after them the versions of all their tags.
func (c *Cache) fetch(ctx context.Context, id tenant.ID, keys []Key) ([]string, *versions, error) {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.entry()
	}
	tags := c.hints.of(names)
	gets := make([]*redis.StringCmd, len(keys))
	var reply versionsReply
	_, _ = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // each command has its own error
		for i, n := range names {
			gets[i] = p.Get(ctx, n)
		}
		reply = c.queueVersions(ctx, p, id, tags)
		return nil
	})
	raws := make([]string, len(keys))
	for i, g := range gets {
		switch err := g.Err(); {
		case redis.HasErrorPrefix(err, "WRONGTYPE"):
			raws[i] = wrongType
		case err != nil && !errors.Is(err, redis.Nil):
			return nil, nil, failed("read cache", err)
		default:
			raws[i] = g.Val()
		}
	}
	if more := c.unexpected(names, raws, tags); len(more) > 0 {
		// All tags again and not only the new ones: one classification must use one read.
		reply = c.readVersions(ctx, id, more)
	} else if reply.isUnknown() {
		reply = c.readVersions(ctx, id, tags)
	}
	vs, err := reply.versions()
	return raws, vs, err
}

// unexpected returns nil if the expected tags cover those of the entries, otherwise the union of
// both.
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
