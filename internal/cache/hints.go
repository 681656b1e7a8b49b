package cache

import "sync"

// maxHints bounds the entries whose tags a process remembers, to about 10 MB.
const maxHints = 1 << 15

// hints remembers the tags of entries as they were last seen, so that Peek can ask for the versions
// in the same round trip as the entries. A wrong hint costs a round trip and never changes a
// result.
type hints struct {
	mu sync.Mutex
	m  map[string][]Tag
}

// of returns the tags to expect for the named entries.
func (h *hints) of(names []string) tagSet {
	h.mu.Lock()
	defer h.mu.Unlock()
	tags := make(tagSet)
	for _, n := range names {
		tags.add(h.m[n])
	}
	return tags
}

// learn remembers the tags of an entry and reports whether expected lacks some of them.
func (h *hints) learn(name string, expected tagSet, tags []Tag) bool {
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
