package cache

import (
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
	ours                 bool // the epoch began under the server that answers
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
}

const modelKeys, modelTags = 2, 5

func TestScriptsMatchTheModel(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) *redis.Client{"redis": redistest.New, "cluster": redistest.New, "mini": redistest.Mini} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, open)
			b.cluster = name == "cluster" // versions are read as from a cluster
			class := &Class{Name: "model", Hard: time.Hour, Lease: 5 * time.Minute}
			rapid.Check(t, func(rt *rapid.T) {
				b.id = newTenant()
				m := &model{T: rt, b: b, class: class, epochBytes: map[int][8]byte{}}
				m.reset()
				rt.Repeat(map[string]func(*rapid.T){
					"": func(*rapid.T) { m.now++ },
					// Frequent steps are listed several times.
					"peek": m.peek, "peek 2": m.peek, "peek 3": m.peek, "read": m.read, "read 2": m.read, "read 3": m.read,
					"fill": m.fill, "fill 2": m.fill, "fill 3": m.fill, "bump": m.bump, "release": m.release,
					"begin": m.begin, "another primary": m.failover, "lost meta hash": m.loseMeta, "flush": m.flush, "evict": m.evict,
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

func (m *model) current() bool { return m.meta && m.ours }

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
	m.epoch, m.began, m.meta, m.ours = m.lastEpoch, m.now, true, true
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
