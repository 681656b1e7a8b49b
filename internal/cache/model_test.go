package cache

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// model is the specified behavior of the scripts in logical time: every step is one tick, and a
// grant or a change happens at its step. It has no microseconds, headers or hashes.
type model struct {
	*rapid.T
	b     *fixture
	now   int
	class *Class

	meta                 bool // the tenant has a meta hash
	run                  string
	epoch, before, began int
	bumps                map[Tag]int
	entries              map[int]*modelEntry
	leases               map[int]*modelGrant
	hints                map[int][]Tag
	grants               []*modelGrant // for later fills
	lastEpoch, loads     int
	epochBytes           map[int][8]byte
	lastStamp            uint64
}

type modelEntry struct {
	at, epoch int
	tags      []Tag
	val       string
}

type modelGrant struct {
	Grant
	key, at, epoch int // key is -1 for a grant without a lease
	failed         bool
}

const modelKeys, modelTags = 2, 5

func TestScriptsMatchTheModel(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) *redis.Client{"redis": redistest.New, "mini": redistest.Mini} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, open)
			class := &Class{Name: "model", Hard: time.Hour, Lease: 5 * time.Minute}
			rapid.Check(t, func(rt *rapid.T) {
				b.id = newTenant()
				b.runID.Store("run-1")
				m := &model{T: rt, b: b, class: class, epochBytes: map[int][8]byte{}}
				m.reset()
				rt.Repeat(map[string]func(*rapid.T){
					"": func(*rapid.T) { m.now++ },
					// Frequent steps are listed several times.
					"peek": m.peek, "peek 2": m.peek, "peek 3": m.peek, "read": m.read, "read 2": m.read, "read 3": m.read,
					"fill": m.fill, "fill 2": m.fill, "fill 3": m.fill, "bump": m.bump, "release": m.release,
					"begin": m.begin, "another server": m.failover, "lost meta hash": m.loseMeta, "flush": m.flush, "evict": m.evict,
				})
			})
		})
	}
}

func (m *model) reset() {
	m.meta, m.bumps = false, map[Tag]int{}
	m.entries, m.leases, m.hints = map[int]*modelEntry{}, map[int]*modelGrant{}, map[int][]Tag{}
}

func (m *model) key(n int) Key { return Key{Tenant: m.b.id, Class: m.class, ID: ref(n)} }

func (m *model) drawKey(t *rapid.T) int { return rapid.IntRange(0, modelKeys-1).Draw(t, "key") }

func (m *model) drawTags(t *rapid.T) []Tag {
	var tags []Tag
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(1, modelTags), 0, 2, rapid.ID).Draw(t, "tags") {
		tags = append(tags, Tag{byte(i)})
	}
	return tags
}

func (m *model) current() bool { return m.meta && m.run == m.b.runID.Load() }

// ensureEpoch begins an epoch if the present one is not the current server's.
func (m *model) ensureEpoch() {
	if m.current() {
		return
	}
	m.before = 0
	if m.meta {
		m.before = m.epoch
	}
	m.lastEpoch++
	m.epoch, m.began, m.meta, m.run = m.lastEpoch, m.now, true, m.b.runID.Load().(string)
}

func (m *model) newest(tags []Tag) int {
	newest := 0
	for _, t := range tags {
		newest = max(newest, m.bumps[t])
	}
	return newest
}

func (m *model) classify(e *modelEntry) State {
	newest := m.newest(e.tags)
	switch {
	case newest > e.at:
		return Stale
	case m.meta && !m.current() && e.epoch == m.epoch:
		return Suspect
	case m.current() && e.epoch == m.epoch:
		return Fresh
	case m.current() && e.epoch == m.before && newest < m.began:
		return Suspect
	}
	return Stale
}

// granted checks that a grant's clock has advanced, and records the grant.
func (m *model) granted(g Grant, key int) *modelGrant {
	if epoch, ok := m.epochBytes[m.epoch]; !ok {
		m.epochBytes[m.epoch] = g.Epoch
		m.lastStamp = 0
	} else if epoch != g.Epoch {
		m.Fatalf("epoch %x, want %x", g.Epoch, epoch)
	}
	if g.Stamp <= m.lastStamp {
		m.Fatalf("stamp %d after %d", g.Stamp, m.lastStamp)
	}
	m.lastStamp = g.Stamp
	mg := &modelGrant{Grant: g, key: key, at: m.now, epoch: m.epoch}
	m.grants = append(m.grants, mg)
	return mg
}

func (m *model) check(what string, e Entry, state State, val string) {
	if e.State != state || string(e.Value) != val {
		m.Fatalf("%s = %v %q, want %v %q", what, e.State, e.Value, state, val)
	}
}

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
	n, wantStale := m.drawKey(t), rapid.Bool().Draw(t, "want stale")
	e, g, err := m.b.read(m.b.t.Context(), m.key(n), wantStale, acceptAll)
	if err != nil {
		t.Fatal(err)
	}
	m.ensureEpoch()
	state, val, depends := Miss, "", m.hints[n]
	if have := m.entries[n]; have != nil {
		state, val, depends = m.classify(have), have.val, have.tags
		if !wantStale && state == Stale {
			delete(m.entries, n)
		}
		if !wantStale && state >= Stale {
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
	if g.held != held || g.failed != (held && l.failed) {
		t.Fatalf("Read: held %v failed %v, want %v (lease %+v)", g.held, g.failed, held, l)
	}
	if !held {
		m.leases[n] = m.granted(g, n)
	}
}

func (m *model) drawGrant(t *rapid.T) *modelGrant {
	if len(m.grants) == 0 {
		t.Skip("no grant")
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
	if l := m.leases[n]; l != nil && l == g && !l.failed {
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
	g, pause := m.drawGrant(t), rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "pause")
	if g.key < 0 {
		t.Skip("no lease")
	}
	if err := m.b.release(m.b.t.Context(), m.key(g.key), g.Grant, pause); err != nil {
		t.Fatal(err)
	}
	if pause == 0 {
		m.drop(g.key, g)
	} else if l := m.leases[g.key]; l == g && !l.failed {
		l.failed = true
	}
}

func (m *model) failover(t *rapid.T) {
	m.b.runID.Store(rapid.SampledFrom([]string{"run-1", "run-2", "run-3"}).Draw(t, "run"))
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
