package cache

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

func (m *model) peek(t *rapid.T) {
	n := m.drawKey(t)
	e, err := m.b.Peek(m.b.t.Context(), m.key(n))
	if err != nil {
		t.Fatal(err)
	}
	want := m.entries[n]
	if want == nil {
		m.check("Peek", e, Miss, "")
		return
	}
	m.check("Peek", e, m.classify(want), want.val)
	m.hints[n] = want.tags
}

func (m *model) read(t *rapid.T) {
	n := m.drawKey(t)
	e, g, err := m.b.read(m.b.t.Context(), m.key(n), acceptAll)
	if err != nil {
		t.Fatal(err)
	}
	m.ensureEpoch()
	state, val, depends := Miss, "", m.hints[n]
	if have := m.entries[n]; have != nil {
		state, val, depends = m.classify(have), have.val, have.tags
		if state == Stale {
			delete(m.entries, n)
		}
		if state >= Stale {
			val = ""
		} else {
			m.hints[n] = have.tags
		}
	}
	m.check("Read", e, state, val)
	if state == Fresh {
		if g != (Grant{}) {
			t.Fatalf("fresh with a grant: %+v", g)
		}
		return
	}
	l := m.leases[n]
	held := l != nil && l.at >= m.newest(depends) && l.epoch == m.epoch
	if g.held != held {
		t.Fatalf("Read: held %v, want %v (lease %+v)", g.held, held, l)
	}
	if !held {
		m.leases[n] = m.granted(g, n)
	}
}

// drawGrant returns an earlier grant, or a new one if there is none.
func (m *model) drawGrant(t *rapid.T) *modelGrant {
	if len(m.grants) == 0 {
		m.begin(t)
	}
	return rapid.SampledFrom(m.grants).Draw(t, "grant")
}

func (m *model) fill(t *rapid.T) {
	g, tags := m.drawGrant(t), m.drawTags(t)
	n := g.key
	if n < 0 { // for any key
		n = m.drawKey(t)
	}
	m.loads++
	e := &modelEntry{at: g.at, epoch: g.epoch, tags: tags, val: fmt.Sprint("load-", m.loads)}
	got, err := m.b.fillOne(m.b.t.Context(), m.key(n), g.Grant, Value{Bytes: []byte(e.val), Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	m.hints[n] = tags
	want := m.fillResult(n, e)
	if got != want {
		t.Fatalf("Fill = %v, want %v", got, want)
	}
	if want == OK {
		m.entries[n] = e
	}
	m.drop(n, g)
}

func (m *model) fillResult(n int, e *modelEntry) Result {
	current := m.current()
	m.ensureEpoch()
	have := m.entries[n]
	switch {
	case !current || e.epoch != m.epoch:
		return Epoch
	case m.newest(e.tags) > e.at:
		return Raced
	case have != nil && have.epoch == e.epoch && have.at > e.at:
		return Older
	}
	return OK
}

// drop removes the lease if it is still this grant's.
func (m *model) drop(n int, g *modelGrant) {
	if l := m.leases[n]; l != nil && l == g {
		delete(m.leases, n)
	}
}

func (m *model) bump(t *rapid.T) {
	tags := m.drawTags(t)
	g, err := m.b.Invalidate(m.b.t.Context(), m.b.id, change(tags...))
	if err != nil {
		t.Fatal(err)
	}
	m.ensureEpoch()
	for _, tag := range tags {
		m.bumps[tag] = m.now
	}
	m.granted(g, -1)
}

func (m *model) begin(t *rapid.T) {
	g, err := m.b.Begin(m.b.t.Context(), m.b.id)
	if err != nil {
		t.Fatal(err)
	}
	m.ensureEpoch()
	m.granted(g, -1)
}

func (m *model) release(t *rapid.T) {
	g := m.drawGrant(t)
	if g.key < 0 {
		return // a grant without a lease
	}
	if err := m.b.release(m.b.t.Context(), m.key(g.key), g.Grant); err != nil {
		t.Fatal(err)
	}
	m.drop(g.key, g)
}

func (m *model) failover(*rapid.T) {
	m.b.anotherPrimary()
	m.ours = false
}

func (m *model) loseMeta(t *rapid.T) {
	if err := m.b.rdb.Del(m.b.t.Context(), metaKey(m.b.id)).Err(); err != nil {
		t.Fatal(err)
	}
	m.meta, m.bumps = false, map[Tag]int{}
}

func (m *model) flush(t *rapid.T) {
	if err := m.b.rdb.FlushDB(m.b.t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	hints := m.hints
	m.reset()
	m.hints = hints
	m.grants = m.grants[:min(len(m.grants), 4)] // keep a few, which must be refused
}

func (m *model) evict(t *rapid.T) {
	n := m.drawKey(t)
	name := m.key(n)
	which := rapid.SampledFrom([]string{name.entry(), name.lease()}).Draw(t, "what")
	if err := m.b.rdb.Del(m.b.t.Context(), which).Err(); err != nil {
		t.Fatal(err)
	}
	if which == name.lease() {
		delete(m.leases, n)
	} else {
		delete(m.entries, n)
	}
	m.grants = slices.DeleteFunc(m.grants, func(g *modelGrant) bool { return g.at < m.now-40 })
}
