package cache

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestMain(m *testing.M) { redistest.Main(m) }

var tenants atomic.Int64

// fixture is a Cache on its own database with a tenant that no other test uses.
type fixture struct {
	*Cache
	t    testing.TB
	rdb  *redis.Client
	keys *phi.Keys
	data *phi.DataKey
	id   tenant.ID
}

var patients = &Class{Name: "patient", Soft: time.Hour, Hard: 2 * time.Hour}

func newFixture(t testing.TB, open func(testing.TB) *redis.Client) *fixture {
	t.Helper()
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	data, err := phi.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	b := &fixture{t: t, rdb: open(t), keys: keys, data: data, id: newTenant()}
	b.Cache = b.secondProcess(b.rdb)
	return b
}

func newTenant() tenant.ID { return tenant.ID(fmt.Sprintf("clinic-%d", tenants.Add(1))) }

// secondProcess is another Cache on the same Redis and keys. All tenants have the same data key
// here, so that only the associated data of the seal keeps them apart.
func (b *fixture) secondProcess(rdb redis.UniversalClient) *Cache {
	b.t.Helper()
	c, err := New(Options{
		Redis: rdb, Sealer: b.keys.For,
		Key: func(context.Context, tenant.ID) (*phi.DataKey, error) { return b.data, nil },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func onBoth(t *testing.T, test func(t *testing.T, b *fixture)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) *redis.Client{"redis": redistest.New, "mini": redistest.Mini} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, open))
		})
	}
}

// anotherPrimary makes the tenant's epoch one that began under another primary, which is what a
// promoted replica finds.
func (b *fixture) anotherPrimary() {
	b.t.Helper()
	if b.rdb.Exists(b.t.Context(), metaKey(b.id)).Val() == 0 {
		return
	}
	if err := b.rdb.HSet(b.t.Context(), metaKey(b.id), "h", "another").Err(); err != nil {
		b.t.Error(err)
	}
}

func ref(n int) phi.Ref {
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	return phi.Ref(strings.Repeat("a", 23) + string([]byte{digits[n/32%32], digits[n%32], 'a'}))
}

func (b *fixture) key(n int) Key { return Key{Tenant: b.id, Class: patients, ID: ref(n)} }

func change(tags ...Tag) Change {
	return Change{Tags: tags, Event: events.Body{Kind: events.PatientChanged}}
}

func value(s string, tags ...Tag) Value { return Value{Bytes: []byte(s), Tags: tags} }

// grant reads a key that must need a load.
func (b *fixture) grant(k Key) Grant {
	b.t.Helper()
	_, g, err := b.read(b.t.Context(), k, acceptAll)
	if err != nil || !g.usable() {
		b.t.Fatalf("no grant: %+v, %v", g, err)
	}
	return g
}

func (b *fixture) fill(k Key, g Grant, v Value, want Result) {
	b.t.Helper()
	got, err := b.fillOne(b.t.Context(), k, g, v)
	if err != nil || got != want {
		b.t.Fatalf("Fill = %v, %v, want %v", got, err, want)
	}
}

// fillOne is FillMany for one value.
func (c *Cache) fillOne(ctx context.Context, k Key, g Grant, v Value) (Result, error) {
	rs, err := c.FillMany(ctx, g, []Item{{Key: k, Value: v}})
	if err != nil {
		return 0, err
	}
	return rs[0], nil
}

// store loads and fills an entry.
func (b *fixture) store(k Key, v Value) Grant {
	b.t.Helper()
	g := b.grant(k)
	b.fill(k, g, v, OK)
	return g
}

func (b *fixture) bump(tags ...Tag) Grant {
	b.t.Helper()
	g, err := b.Invalidate(b.t.Context(), b.id, change(tags...))
	if err != nil {
		b.t.Fatalf("Invalidate: %v", err)
	}
	return g
}

// want checks the state and value that Peek returns.
func (b *fixture) want(k Key, state State, val string) Entry {
	b.t.Helper()
	e, err := b.Peek(b.t.Context(), k)
	if err != nil {
		b.t.Fatalf("Peek: %v", err)
	}
	if e.State != state || string(e.Value) != val {
		b.t.Fatalf("Peek = %v %q, want %v %q", e.State, e.Value, state, val)
	}
	return e
}

func xadd(key string, clock uint64) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: key, ID: fmt.Sprintf("%d-0", clock), Values: []string{"p", "0"}}
}
