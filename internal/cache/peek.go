package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"

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
	es, kns, err := c.peek(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, e := range es {
		kns[i].states[e.State].Add(1)
	}
	return es, nil
}

func (c *Cache) peek(ctx context.Context, keys []Key) ([]Entry, []*known, error) {
	if err := limit("keys at once", len(keys), MaxPeek); err != nil {
		return nil, nil, err
	}
	id := keys[0].Tenant
	kns := make([]*known, len(keys))
	for i, k := range keys {
		if k.Tenant != id {
			return nil, nil, errors.New("cache: keys of several tenants at once")
		}
		var err error
		if kns[i], err = c.classes.of(k); err != nil {
			return nil, nil, err
		}
	}
	raws, line, err := c.look(ctx, id, keys)
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
			kns[i].broken.Add(1)
			continue
		}
		if es[i], err = c.decode(ctx, k, kns[i], raws[i], line.judge(&h), line.now); err != nil {
			return nil, nil, fmt.Errorf("open cache entry: %w", err)
		}
	}
	return es, kns, nil
}

// look reads the entries, and after them the versions of everything that they depend on.
func (c *Cache) look(ctx context.Context, id tenant.ID, keys []Key) ([]string, *timeline, error) {
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
	line, err := newTimeline(meta.Val(), tags, c.runID())
	if err != nil {
		return nil, nil, err
	}
	if clock.Err() == nil {
		line.now = uint64(clock.Val().UnixMicro()) // after 1970
	}
	return raws, line, nil
}

// unexpected returns nil when the expected tags cover those of the entries, otherwise both together.
func (c *Cache) unexpected(names, raws []string, expected order) order {
	var more order
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

// timeline is a tenant's meta hash as of one reading: what entries are judged by.
type timeline struct {
	epoch, before string
	began         uint64
	fenced        bool // the hash was written under the server that answers now
	// now is the server's time; the tenant's clock, which is behind it, where a cluster's node did not tell the time.
	now      uint64
	versions map[Tag]uint64
}

var metaNames = []string{"e", "c", "r", "f", "pe"}

// order is a set of tags in the order in which they were asked for.
type order map[Tag]int

func (o order) add(tags []Tag) {
	for _, t := range tags {
		if _, ok := o[t]; !ok {
			o[t] = len(o)
		}
	}
}

func metaFields(tags order) []string {
	fields := make([]string, len(metaNames)+len(tags))
	copy(fields, metaNames)
	for t, i := range tags {
		fields[len(metaNames)+i] = string(t[:])
	}
	return fields
}

func newTimeline(vals []any, tags order, runID string) (*timeline, error) {
	if len(vals) != len(metaNames)+len(tags) {
		return nil, errAnswer
	}
	text := func(i int) string { s, _ := vals[i].(string); return s }
	var bad bool
	number := func(i int) uint64 {
		if vals[i] == nil {
			return 0
		}
		n, err := strconv.ParseUint(text(i), 10, 64)
		bad = bad || err != nil
		return n
	}
	tl := &timeline{
		epoch: text(0), now: number(1), fenced: vals[0] != nil && text(2) == runID,
		began: number(3), before: text(4), versions: make(map[Tag]uint64),
	}
	for t, i := range tags {
		if n := number(len(metaNames) + i); n > 0 {
			tl.versions[t] = n
		}
	}
	if bad {
		return nil, errAnswer
	}
	return tl, nil
}

// judge says what the read script would say of an entry. While no epoch has begun under the present server, it judges as
// if one were beginning now.
func (tl *timeline) judge(h *header) State {
	var newest uint64
	for _, t := range h.tags {
		newest = max(newest, tl.versions[t])
	}
	epoch := string(h.epoch[:])
	switch {
	case newest > h.stamp:
		return Stale
	case !tl.fenced && epoch == tl.epoch:
		return Suspect
	case !tl.fenced:
		return Stale
	case epoch != tl.epoch && epoch == tl.before && newest < tl.began:
		return Suspect
	case epoch != tl.epoch:
		return Stale
	case tl.now >= h.soft:
		return Soft
	}
	return Fresh
}

// maxHints bounds the entries whose tags a process remembers, to about 10 MB.
const maxHints = 1 << 15

// hints remembers on what entries depended when they were last seen, so that their versions can be asked for in the same
// round trip as the entries. A wrong hint costs a round trip, never an answer.
type hints struct {
	mu sync.Mutex
	m  map[string][]Tag
}

// of returns the tags to expect for the named entries.
func (h *hints) of(names []string) order {
	h.mu.Lock()
	defer h.mu.Unlock()
	tags := make(order)
	for _, n := range names {
		tags.add(h.m[n])
	}
	return tags
}

// learn remembers the tags of an entry and reports whether some of them were not expected.
func (h *hints) learn(name string, expected order, tags []Tag) bool {
	unexpected := false
	for _, t := range tags {
		if _, ok := expected[t]; !ok {
			unexpected = true
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.m == nil {
		h.m = make(map[string][]Tag)
	}
	if _, ok := h.m[name]; !ok && len(h.m) >= maxHints {
		for other := range h.m { // any one: the map's order is arbitrary
			delete(h.m, other)
			break
		}
	}
	h.m[name] = tags
	return unexpected
}
