package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// silent returns the address of a server that accepts connections and answers nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return "redis://" + l.Addr().String()
}

// A change that the cache does not take is queued, and the gateway learns of the outage after that
// and before the response. If the queue is unavailable too, the request fails.
func TestChangeIsQueuedWithoutTheCache(t *testing.T) {
	t.Parallel()
	server := func(directives ...string) func(*testing.T) string {
		return func(t *testing.T) string {
			p := redistest.NewPrivate(t, directives...)
			p.Start(t)
			return p.URL()
		}
	}
	for name, url := range map[string]func(*testing.T) string{
		"down":      func(*testing.T) string { return "redis://127.0.0.1:1" },
		"frozen":    silent,
		"full":      server("--maxmemory", "1"),
		"read-only": server("--replicaof", "127.0.0.1 1"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var reported codes.Code
			var before int64 // tasks that were in the queue at the report
			b := &bundle{}
			b = setup(t, func(o *Options) {
				o.Store = storeAt(t, o.Keys, url(t))
				o.Unavailable = func(_ context.Context, c codes.Code) {
					reported = c
					before, _ = b.depth()
				}
			})
			fastest := time.Minute
			for i, noun := range []string{tasks.NounAppointment, tasks.NounPatient, tasks.NounProvider, tasks.NounPractice} {
				reported = ""
				began := time.Now()
				r := b.post("/v1/invalidations", fmt.Sprintf(`{"practice":"7","noun":%q,"id":"900001"}`, noun))
				fastest = min(fastest, time.Since(began))
				var got invalidation
				r.json(t, &got)
				// A loaded host may make any outage a slow one, so only the store is certain.
				store, ok := outage.StoreOf(got.Queued)
				if r.StatusCode != http.StatusAccepted || !ok || store != outage.Cache || len(got.Tasks) != 1 || got.Tasks[0].Kind != "entity.invalidate" {
					t.Fatalf("%s: %d %s", noun, r.StatusCode, r.body)
				}
				if reported != got.Queued || before != int64(i+1) {
					t.Errorf("%s: %q was reported after %d demands", noun, reported, before)
				}
				s, err := b.Tasks.Status(t.Context(), got.Tasks[0].ID)
				if err != nil || s.State != tasks.StateWaiting || s.Lane != tasks.LaneInteractive || s.Tenant != clinicA.String() {
					t.Errorf("%s: %+v, %v", noun, s, err)
				}
			}
			if fastest > readLimit+time.Second { // the client alone lets a frozen cache take more than three
				t.Errorf("the fastest response took %v", fastest)
			}
			reported = ""
			if err := b.queue.Close(); err != nil {
				t.Fatal(err)
			}
			if r := b.post("/v1/invalidations", `{"practice":"7","noun":"practice"}`); r.code(t) != codes.Unavailable || reported != "" {
				t.Errorf("without the queue: %d, reported %q", r.StatusCode, reported)
			}
		})
	}
}

// storeAt returns a store over the cache at a URL.
func storeAt(t *testing.T, keys *phi.Keys, url string) *practice.Store {
	t.Helper()
	rdb, err := redisconn.Dial(url, redisconn.Options{Role: redisconn.RoleCache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	data, err := phi.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.New(cache.Options{
		Redis: rdb, Sealer: keys.For, Key: func(context.Context, tenant.ID) (*phi.DataKey, error) { return data, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return practice.NewStore(c, keys)
}

// A change that the cache takes is not queued.
func TestChangeIsAppliedAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) {
		o.Unavailable = func(_ context.Context, c codes.Code) { t.Errorf("%s is reported", string(c)) }
	})
	r := b.post("/v1/invalidations", `{"practice":"7","noun":"patient","id":"1001"}`)
	var got map[string]any
	r.json(t, &got)
	if _, ok := got["queued"]; ok || r.StatusCode != http.StatusAccepted {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}
