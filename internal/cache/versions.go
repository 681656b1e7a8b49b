package cache

import "strconv"

// versions is one read of a tenant's meta hash, by which entries are classified.
type versions struct {
	epoch, previous string
	began           uint64
	current         bool // the hash was written under the server that answers now
	// now is the server's time. It is the tenant's clock, which is behind it, if a cluster's node
	// did not return TIME.
	now   uint64
	clock uint64 // the tenant's
	byTag map[Tag]uint64
}

// precede reports whether the grant was drawn after the read, so that what was loaded under it
// is newer.
func (v *versions) precede(g Grant) bool {
	return v.clock < g.Stamp && v.epoch == string(g.Epoch[:])
}

var metaNames = []string{"e", "c", "r", "f", "pe"}

// tagSet maps each tag to its position in the read.
type tagSet map[Tag]int

func (s tagSet) add(tags []Tag) {
	for _, t := range tags {
		if _, ok := s[t]; !ok {
			s[t] = len(s)
		}
	}
}

func metaFields(tags tagSet) []string {
	fields := make([]string, len(metaNames)+len(tags))
	copy(fields, metaNames)
	for t, i := range tags {
		fields[len(metaNames)+i] = string(t[:])
	}
	return fields
}

func newVersions(vals []any, tags tagSet, runID string) (*versions, error) {
	if len(vals) != len(metaNames)+len(tags) {
		return nil, errReply
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
	v := &versions{
		epoch: text(0), now: number(1), clock: number(1), current: vals[0] != nil && text(2) == runID,
		began: number(3), previous: text(4), byTag: make(map[Tag]uint64),
	}
	for t, i := range tags {
		if n := number(len(metaNames) + i); n > 0 {
			v.byTag[t] = n
		}
	}
	if bad {
		return nil, errReply
	}
	return v, nil
}

// classify returns the state that the read script would return for an entry. While no epoch has
// begun under the present server, it returns the state that the entry would have if one began now.
func (v *versions) classify(h *header) State {
	var newest uint64
	for _, t := range h.tags {
		newest = max(newest, v.byTag[t])
	}
	epoch := string(h.epoch[:])
	switch {
	case newest > h.stamp:
		return Stale
	case !v.current && epoch == v.epoch:
		return Suspect
	case !v.current:
		return Stale
	case epoch != v.epoch && epoch == v.previous && newest < v.began:
		return Suspect
	case epoch != v.epoch:
		return Stale
	case v.now >= h.soft:
		return Soft
	}
	return Fresh
}
