package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Every route that is not public refuses requests without a known key.
func TestEveryRouteRequiresKey(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	private := 0
	for pattern, rt := range b.routes {
		method, path, _ := strings.Cut(pattern, " ")
		if rt.public {
			continue
		}
		private++
		for _, key := range []string{"", "not-a-key"} {
			if r := b.do(b.request(method, strings.NewReplacer("{", "", "}", "").Replace(path), key, "")); r.code(t) != codes.Unauthenticated {
				t.Errorf("%s: %d", pattern, r.StatusCode)
			}
		}
	}
	if private != 7 {
		t.Errorf("%d routes require a key, want 7", private)
	}
	for _, path := range []string{"/openapi.json", "/problems/cold"} {
		if r := b.do(b.request(http.MethodGet, path, "", "")); r.StatusCode != http.StatusOK {
			t.Errorf("%s without a key: %d", path, r.StatusCode)
		}
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Limits.Rate, o.Limits.Burst, o.Limits.Unauthenticated = 0.001, 5, 3 })
	for i := range 8 {
		r := b.get("/v1/tasks/x")
		want := codes.NotFound
		if i >= 5 {
			want = codes.TooManyRequests
		}
		if got := r.code(t); got != want || (want == codes.TooManyRequests) != (r.Header.Get("Retry-After") != "") {
			t.Errorf("request %d: %s %v", i, got, r.Header)
		}
	}
	for i := range 8 {
		got := b.do(b.request(http.MethodGet, "/v1/tasks/x", "guess", "")).code(t)
		if i < 3 && got != codes.Unauthenticated || i == 7 && got != codes.TooManyRequests {
			t.Errorf("guess %d: %s", i, got)
		}
	}
	if got := b.do(b.request(http.MethodGet, "/v1/tasks/x", keyB, "")).code(t); got != codes.NotFound {
		t.Errorf("guesses use up the limit of a known key: %s", got)
	}
}

func TestConcurrentRequestLimit(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}, 2), make(chan struct{})
	b := setup(t, func(o *Options) {
		o.Limits.Concurrent = 2
		read := o.Tenant
		o.Tenant = func(ctx context.Context, id tenant.ID) (ledger.Tenant, error) {
			entered <- struct{}{}
			<-release
			return read(ctx, id)
		}
	})
	done := make(chan reply, 2)
	for range 2 {
		r := b.request(http.MethodGet, "/v1/practices/9/board", keyA, "")
		go func() { done <- b.do(r) }()
		<-entered
	}
	if r := b.get("/v1/practices/9/board"); r.code(t) != codes.TooManyRequests {
		t.Errorf("a third concurrent request: %d", r.StatusCode)
	}
	close(release)
	for range 2 {
		if r := <-done; r.code(t) != codes.NotFound {
			t.Errorf("%d", r.StatusCode)
		}
	}
	if r := b.get("/v1/practices/9/board"); r.code(t) != codes.NotFound {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
}

// A panic becomes a 500 and a log line without the panic's value, and the gateway goes on serving.
func TestPanicReturnsInternalError(t *testing.T) {
	t.Parallel()
	first := true
	b := setup(t, func(o *Options) {
		read := o.Tenant
		o.Tenant = func(ctx context.Context, id tenant.ID) (ledger.Tenant, error) {
			if first {
				first = false
				panic("patient " + marker)
			}
			return read(ctx, id)
		}
	})
	r := b.get("/v1/practices/9/board")
	if r.code(t) != codes.Internal || bytes.Contains(r.body, []byte(marker)) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if log := b.log.String(); !strings.Contains(log, "request panicked") || !strings.Contains(log, "guard_test.go") || strings.Contains(log, marker) {
		t.Errorf("log %s", log)
	}
	if r := b.get("/v1/practices/9/board"); r.code(t) != codes.NotFound {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
}

// If Redis does not answer, requests fail as unavailable.
func TestRedisUnavailable(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) {
		gone := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
		t.Cleanup(func() { _ = gone.Close() })
		o.Events = gone
	})
	if r := b.get("/v1/events"); r.code(t) != codes.Unavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	if err := b.queue.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []reply{b.post("/v1/tasks", goodDemand), b.get("/v1/tasks/sync-aaaaaaaaaaaaaaaaaaaaaaaaaa-1772442000000000")} {
		if r.code(t) != codes.Unavailable {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
	}
	if log := b.log.String(); !strings.Contains(log, "route=create-task") || !strings.Contains(log, "code=unavailable") {
		t.Errorf("log %s", log)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, breakOption := range map[string]func(*Options){
		"no store": func(o *Options) { o.Store = nil }, "no tasks": func(o *Options) { o.Tasks = nil },
		"no events": func(o *Options) { o.Events = nil }, "no keys": func(o *Options) { o.Keys = nil },
		"no tenants": func(o *Options) { o.Tenant = nil }, "no callers": func(o *Options) { o.Callers = nil },
		"an invalid tenant": func(o *Options) { o.Callers[0].Tenant = "Clinic A" },
	} {
		o, _ := dependencies(t)
		breakOption(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWaitReportsDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.follow(keyA)
	f.next(eventReady)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("time is up")
	cancel(why)
	if err := b.Wait(ctx); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}
