package cache

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// pair is a primary and a replica, and a value that readers read all the time through an address
// that follows the primary.
type pair struct {
	t                *testing.T
	b                *fixture
	k                Key
	primary, replica *redistest.Node

	source   atomic.Int64
	complete atomic.Int64 // the newest value whose invalidation has completed
	reads    atomic.Int64
	failed   atomic.Int64
	hits     atomic.Int64 // Fresh entries
	stale    atomic.Int64 // values returned as Fresh although an invalidation had completed before the read
}

func newPair(t *testing.T, extra ...string) *pair {
	t.Helper()
	p := &pair{t: t, b: newFixture(t, redistest.New), primary: redistest.StartNode(t, extra...), replica: redistest.StartNode(t, extra...)}
	p.k = Key{Tenant: p.b.id, Class: &Class{Name: "hot", Hard: time.Minute, Lease: 100 * time.Millisecond}, ID: ref(1)}
	p.source.Store(1)
	return p
}

// dial returns another process's cache.
func (p *pair) dial(url string) *Cache {
	p.t.Helper()
	rdb, err := redisconn.Dial(url, redisconn.Options{Role: redisconn.RoleCache, PoolSize: 8})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = rdb.Close() })
	return p.b.secondProcess(rdb)
}

// hammer lets two processes read through the address until stop is called. Some readers load what
// is not Fresh; the others only look.
func (p *pair) hammer(url string) (stop func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	var readers sync.WaitGroup
	for range 2 {
		c := p.dial(url)
		for i := range 6 {
			readers.Go(func() {
				for ctx.Err() == nil {
					if i < 4 {
						p.load(ctx, c)
					} else {
						p.look(ctx, c)
					}
				}
			})
		}
	}
	return func() { cancel(); readers.Wait() }
}

func (p *pair) load(ctx context.Context, c *Cache) {
	floor, hit := p.complete.Load(), true
	e, err := c.Load(ctx, p.k, Entry{}, nil, func(context.Context, Grant) (Value, error) {
		hit = false
		v := p.source.Load()
		idle(p.t, time.Millisecond)
		return value(strconv.FormatInt(v, 10), TagOf(p.k.ID)), nil
	})
	p.see(e, err, hit, floor)
}

func (p *pair) look(ctx context.Context, c *Cache) {
	floor := p.complete.Load()
	e, err := c.Peek(ctx, p.k)
	p.see(e, err, e.State == Fresh, floor)
}

func (p *pair) see(e Entry, err error, hit bool, floor int64) {
	p.reads.Add(1)
	switch v, bad := strconv.ParseInt(string(e.Value), 10, 64); {
	case err != nil:
		p.failed.Add(1)
		idle(p.t, time.Millisecond)
		return
	case e.State == Fresh && (bad != nil || v < floor):
		p.stale.Add(1)
	}
	if hit {
		p.hits.Add(1)
	}
}

// change changes the value at the source and invalidates it through the address.
func (p *pair) change(url string) {
	p.t.Helper()
	v := p.source.Add(1)
	if _, err := p.dial(url).Invalidate(p.t.Context(), p.k.Tenant, change(TagOf(p.k.ID))); err != nil {
		p.t.Fatalf("invalidate: %v", err)
	}
	p.complete.Store(v)
}

// more waits until a count has risen by n.
func (p *pair) more(what string, count *atomic.Int64, n int64) {
	p.t.Helper()
	from, limit := count.Load(), time.Now().Add(30*time.Second)
	for count.Load() < from+n {
		if time.Now().After(limit) {
			p.t.Fatalf("only %d %s within 30 s, want %d; %d reads failed", count.Load()-from, what, n, p.failed.Load())
		}
		idle(p.t, time.Millisecond)
	}
}

// lag lets the replica have a valid entry and miss the invalidation that follows.
func (p *pair) lag() {
	p.t.Helper()
	p.more("hits", &p.hits, 20)
	p.replica.Follow(p.t, p.primary)
	p.primary.Isolate(p.t)
	p.change("redis://" + p.primary.Addr)
	p.more("hits", &p.hits, 20)
}

// swap names the nodes by their roles after a promotion.
func (p *pair) swap() { p.primary, p.replica = p.replica, p.primary }

func (p *pair) report() {
	p.t.Logf("%d reads, %d hits, %d failed, %d old values called fresh", p.reads.Load(), p.hits.Load(), p.failed.Load(), p.stale.Load())
	if p.stale.Load() != 0 {
		p.t.Errorf("%d old values called fresh", p.stale.Load())
	}
}

// promotions are the ways in which a server that lacks invalidations becomes the primary behind the
// readers' address.
var promotions = []struct {
	name string
	made int
	run  func(*pair, *redistest.Proxy)
}{
	{"the primary dies", 1, func(p *pair, address *redistest.Proxy) {
		p.primary.Kill()
		p.replica.Promote(p.t)
		address.Move(p.replica.Addr)
		p.more("reads", &p.reads, 500)
		p.primary.Start(p.t)
		p.swap()
	}},
	// The readers' connections end at a server that was the primary.
	{"the primary is demoted and keeps its connections", 1, func(p *pair, address *redistest.Proxy) {
		p.replica.Isolate(p.t)
		p.primary.Demote(p.t, p.replica)
		p.replica.Promote(p.t)
		address.Move(p.replica.Addr)
		p.change("redis://" + p.replica.Addr)
		p.more("reads", &p.reads, 500)
		p.swap()
	}},
	// The readers' connections and the server's run id are the same as before.
	{"the primary returns without what it missed", 2, func(p *pair, _ *redistest.Proxy) {
		p.replica.Isolate(p.t)
		p.primary.Demote(p.t, p.replica)
		p.replica.Promote(p.t)
		p.change("redis://" + p.replica.Addr)
		p.replica.Kill()
		p.primary.Promote(p.t)
		p.more("reads", &p.reads, 500)
		p.replica.Start(p.t)
	}},
}

func TestNoStaleReadThroughPromotions(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	address := redistest.NewProxy(t, p.primary.Addr)
	defer p.hammer("redis://" + address.Addr)()
	stale := map[string]int64{}
	made := 0
	for made < 20 {
		for _, promotion := range promotions {
			before := p.stale.Load()
			p.lag()
			promotion.run(p, address)
			stale[promotion.name] += p.stale.Load() - before
			made += promotion.made
		}
	}
	t.Logf("%d promotions: %v", made, stale)
	p.report()
}

// A replica's versions may be old, and a script there would see what the primary has invalidated.
func TestReplicasAreNotFresh(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	primary, replica := p.dial("redis://"+p.primary.Addr), p.dial("redis://"+p.replica.Addr)
	p.replica.Follow(t, p.primary) // a primary's first replica gives it a new history
	p.load(t.Context(), primary)
	p.replica.Follow(t, p.primary)
	if e, err := primary.Peek(t.Context(), p.k); err != nil || e.State != Fresh {
		t.Fatalf("at the primary: %v, %v", e.State, err)
	}
	if e, err := replica.Peek(t.Context(), p.k); err != nil || e.State != Suspect {
		t.Errorf("at the replica: %v, %v", e.State, err)
	}
	// A release wrote no history; the versions of its metadata are not a replica's either.
	if err := p.primary.Client(t).HDel(t.Context(), metaKey(p.k.Tenant), "h").Err(); err != nil {
		t.Fatal(err)
	}
	p.replica.Follow(t, p.primary)
	if e, err := replica.Peek(t.Context(), p.k); err != nil || e.State != Suspect {
		t.Errorf("at the replica, without a history: %v, %v", e.State, err)
	}
	for name, call := range map[string]func() error{
		"read":       func() error { _, _, err := replica.read(t.Context(), p.k, acceptAll); return err },
		"begin":      func() error { _, err := replica.Begin(t.Context(), p.k.Tenant); return err },
		"invalidate": func() error { _, err := replica.Invalidate(t.Context(), p.k.Tenant, change()); return err },
	} {
		if err := call(); err == nil || redisconn.Clean(err).Error() != "redis refused: READONLY" {
			t.Errorf("%s at a replica: %v", name, err)
		}
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	for info, want := range map[string]string{
		"": "",
		"# Replication\r\nrole:slave\r\nmaster_replid:ab12\r\n":                                              "",
		"# Replication\r\nrole:master\r\nconnected_slaves:0\r\n":                                             noHistory,
		"# Replication\r\nrole:master\r\nmaster_replid:\r\n":                                                 noHistory,
		"# Replication\r\nrole:master\r\nmaster_replid:ab12\r\nmaster_replid2:0\r\nmaster_repl_offset:0\r\n": "ab12",
	} {
		if got := historyOf(info); got != want {
			t.Errorf("%q: %q, want %q", info, got, want)
		}
	}
	rdb := redistest.New(t)
	script, err := rdb.Eval(t.Context(), preludeLua+"return history", nil).Text()
	if err != nil || len(script) != 40 || script != historyOf(rdb.Info(t.Context(), "replication").Val()) {
		t.Errorf("the scripts' history is %q (%v)", script, err)
	}
	script, err = redistest.Mini(t).Eval(t.Context(), preludeLua+"return history", nil).Text()
	if err != nil || script != noHistory {
		t.Errorf("the embedded server's history is %q (%v)", script, err)
	}
}
