package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// client returns a client that is closed with the test.
func client(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	c, err := redisconn.Dial(url, redisconn.Options{Role: redisconn.RoleQueue})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// closeStack closes the stack and fails the test if that fails.
func closeStack(t *testing.T, s *lifecycle.Stack) {
	t.Helper()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// Without a redis-server on the PATH the demo embeds a Redis and still fills every board.
func TestDemoNeedsNothing(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // so this test cannot be parallel
	d, err := StartDemo(t.Context(), DemoOptions{Speed: 60, Seed: 1, Patients: 5, Visits: 3})
	if err != nil {
		t.Fatal(err)
	}
	if d.Redis != RedisEmbedded || len(d.Practices) != 3 {
		t.Errorf("redis: %s, %d practices", d.Redis, len(d.Practices))
	}
	zones := map[string]bool{}
	for _, p := range d.Practices {
		zones[p.Clinic.Location().String()] = true
		day := civil.DateOf(d.Clock.Now().In(p.Clinic.Location()))
		eventually(t, func() error {
			r, err := d.Tools.Store.Board(t.Context(), p.Tenant, p.ID, day)
			if err == nil && len(r.Board.Rows) != 3 {
				err = errors.New("visits are missing")
			}
			return err
		})
	}
	if len(zones) != 2 {
		t.Errorf("%d time zones", len(zones))
	}
	select {
	case err := <-d.Failed():
		t.Errorf("failed: %v", err)
	default:
	}
	if err := d.StopProcesses(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := d.Tools.Ledger.Tenants(t.Context()); err != nil {
		t.Errorf("the ledger cannot be read after the processes stopped: %v", err)
	}
	if err := d.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(d.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

// A failed start has closed what it opened (TestMain counts goroutines).
func TestFailedDemoClosesWhatItOpened(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	d, err := StartDemo(t.Context(), DemoOptions{
		QueueURL: redistest.URL(t), Prepare: func(*tebratest.Server) error { return failed },
	})
	if d != nil || !errors.Is(err, failed) {
		t.Errorf("%v, %v", d, err)
	}
}

func TestDemoSpawnsTwoServers(t *testing.T) {
	t.Parallel()
	stack := &lifecycle.Stack{}
	kind, urls, err := demoRedis(t.Context(), stack, t.TempDir(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	q, c := client(t, urls.Queue.Reveal()), client(t, urls.Cache.Reveal())
	found, err := redisconn.Check(t.Context(), q, redisconn.RoleQueue, true)
	if kind != RedisServer || err != nil || len(found) != 0 {
		t.Errorf("%s; the queue's server: %v, %v", kind, found, err)
	}
	if shared, err := redisconn.CheckShared(t.Context(), q, c, true); err != nil || len(shared) != 0 {
		t.Errorf("%v, %v", shared, err)
	}
	closeStack(t, stack)
	if err := errors.Join(q.Ping(context.Background()).Err(), c.Ping(context.Background()).Err()); err == nil {
		t.Error("a server outlives the demo")
	}
}

func TestEmbeddedClockMoves(t *testing.T) {
	t.Parallel()
	stack := &lifecycle.Stack{}
	url, err := embed(t.Context(), stack, "queue")
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, url)
	if err := c.Set(t.Context(), "brief", "1", 50*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if n, err := c.Exists(t.Context(), "brief").Result(); err != nil || n > 0 {
			return errors.Join(err, errors.New("a key outlives its TTL"))
		}
		return nil
	})
	closeStack(t, stack)
}

func TestDemoBorrowsAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := redistest.URL(t)
	c := client(t, url)
	set := func(key string) {
		t.Helper()
		if err := c.Set(ctx, key, "1", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		t.Helper()
		n, err := c.DBSize(ctx).Result()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	set("in use")
	stack := &lifecycle.Stack{}
	if err := borrow(ctx, stack, "ROUNDS_QUEUE_REDIS", url); !errors.Is(err, errInUse) || !strings.Contains(err.Error(), "ROUNDS_QUEUE_REDIS") {
		t.Errorf("a database in use: %v", err)
	}
	closeStack(t, stack)
	if size() != 1 {
		t.Error("a key of the database in use is gone")
	}
	c.Del(ctx, "in use")

	kind, urls, err := demoRedis(ctx, stack, "", url, "")
	if err != nil || kind != RedisConfigured || urls.Cache.Reveal() != url {
		t.Errorf("%s, one database for both: %v, %v", kind, urls.Cache.Reveal() == url, err)
	}
	set("the demo's")
	closeStack(t, stack)
	if n := size(); n != 0 {
		t.Errorf("%d keys are left", n)
	}

	set(demoMark) // with a key, as a killed demo leaves them
	set("of the killed demo")
	if err := borrow(ctx, stack, "ROUNDS_CACHE_REDIS", url); err != nil || size() != 1 {
		t.Errorf("after a killed demo: %v, %d keys", err, size())
	}
	closeStack(t, stack)

	gone := "redis://127.0.0.1:1"
	if _, _, err := demoRedis(ctx, stack, "", url, gone); !errors.Is(err, lifecycle.ErrDependency) {
		t.Errorf("an unreachable cache: %v", err)
	}
	closeStack(t, stack)
	if n := size(); n != 0 {
		t.Errorf("%d keys are left in the queue's database", n)
	}
}
