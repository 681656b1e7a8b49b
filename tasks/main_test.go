package tasks

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// note is a kind that only the tests use.
type note struct {
	Text    string        `json:"text"`
	Number  int64         `json:"number"`
	lane    string        // not part of the JSON
	timeout time.Duration // not part of the JSON
}

func (note) Kind() string { return "note.write" }
func (n note) Options() Options {
	return Options{Lane: n.lane, Timeout: n.timeout, MaxAttempts: 3}
}

func (n note) Validate() error {
	if n.Text == "invalid" {
		return errors.New("text is the value that fails validation")
	}
	return nil
}

// bundle holds the Redis client, keyset and task client that most tests need.
type bundle struct {
	rdb    *redis.Client
	keys   []byte
	client *Client
}

func newKeys(t testing.TB) []byte {
	t.Helper()
	k, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	data, err := k.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func setup(t testing.TB) *bundle {
	t.Helper()
	b := &bundle{rdb: redistest.New(t), keys: newKeys(t)}
	var err error
	if b.client, err = NewClient(ClientOptions{Redis: b.rdb, Keys: b.keys}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bundle) enqueue(t testing.TB, a Args, opts ...Option) Receipt {
	t.Helper()
	r, err := b.client.Enqueue(t.Context(), "clinic-a", a, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bundle) status(t testing.TB, id string) Status {
	t.Helper()
	s, err := b.client.Status(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// router returns a router with the bundle's keys. It stores nothing in Redis unless o.Redis is set.
func (b *bundle) router(t testing.TB, o RouterOptions) *Router {
	t.Helper()
	o.Keys = b.keys
	r, err := NewRouter(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// serve runs the router on a real queue server until the test ends.
func (b *bundle) serve(t testing.TB, r *Router) *queue.Server {
	t.Helper()
	return serveOn(t, b.rdb, r)
}

func serveOn(t testing.TB, rdb redis.UniversalClient, r *Router) *queue.Server {
	t.Helper()
	s, err := queue.NewServer(queue.ServerOptions{
		Redis: rdb, Handler: r, Check: 5 * time.Millisecond,
		Drain: queue.Drain{Soft: 300 * time.Millisecond, Hard: 2 * time.Second, Limit: 3 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

// seal returns a delivery of the args in clinic-a.
func (b *bundle) seal(t testing.TB, a Args) Delivery {
	t.Helper()
	d, err := b.client.Seal(t.Context(), "clinic-a", a)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

// everything returns all keys and values of a database.
func everything(t testing.TB, rdb *redis.Client) string {
	t.Helper()
	var out strings.Builder
	for _, key := range rdb.Keys(t.Context(), "*").Val() {
		out.WriteString(key + "\n" + rdb.Dump(t.Context(), key).Val() + "\n")
		switch rdb.Type(t.Context(), key).Val() {
		case "hash":
			for field, value := range rdb.HGetAll(t.Context(), key).Val() {
				out.WriteString(field + "=" + value + "\n")
			}
		case "string":
			out.WriteString(rdb.Get(t.Context(), key).Val() + "\n")
		case "list":
			out.WriteString(strings.Join(rdb.LRange(t.Context(), key, 0, -1).Val(), "\n"))
		case "zset":
			out.WriteString(strings.Join(rdb.ZRange(t.Context(), key, 0, -1).Val(), "\n"))
		}
	}
	return out.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receive waits at most ten seconds for a value, so that a broken test fails at the line that
// waits.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatal("no value within ten seconds")
	}
	var none T
	return none
}
