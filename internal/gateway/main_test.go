package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// The tests' tenants and their keys. clinic-a has the practices 7 and 8, clinic-b has 9.
const (
	clinicA, clinicB = tenant.ID("clinic-a"), tenant.ID("clinic-b")
	keyA, keyB       = "key-of-clinic-a-0123456789", "key-of-clinic-b-0123456789"
)

var monday = civil.DateOf(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))

// bundle is a running gateway with its dependencies.
type bundle struct {
	*Gateway
	t      *testing.T
	url    string
	client *http.Client
	store  *practice.Store
	queue  *redis.Client
	events *redis.Client
	log    *syncBuffer
}

// syncBuffer is a buffer for concurrent use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *syncBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *syncBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// dependencies returns the options of a gateway with new, empty databases, and the queue's client.
// No worker runs.
func dependencies(t testing.TB) (Options, *redis.Client) {
	t.Helper()
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := keys.JSON()
	if err != nil {
		t.Fatal(err)
	}
	data, err := phi.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	queue, events := redistest.New(t), redistest.New(t)
	c, err := cache.New(cache.Options{
		Redis: events, Sealer: keys.For, Key: func(context.Context, tenant.ID) (*phi.DataKey, error) { return data, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := tasks.NewClient(tasks.ClientOptions{Redis: queue, Keys: keyset})
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Store: practice.NewStore(c, keys), Tasks: client, Events: events, Keys: keys,
		Tenant: func(_ context.Context, id tenant.ID) (ledger.Tenant, error) {
			switch id {
			case clinicA:
				return ledger.Tenant{ID: id, TimeZone: "America/Chicago", Practices: []ledger.Practice{{ID: "7"}, {ID: "8", TimeZone: "Asia/Kathmandu"}}}, nil
			case clinicB:
				return ledger.Tenant{ID: id, TimeZone: "America/New_York", Practices: []ledger.Practice{{ID: "9"}}}, nil
			}
			return ledger.Tenant{}, ledger.ErrNotFound
		},
		Callers: []access.Key{
			{Name: "desk-a", Tenant: clinicA, Digest: access.DigestOf(keyA)},
			{Name: "desk-b", Tenant: clinicB, Digest: access.DigestOf(keyB)},
		},
		Limits: Limits{ColdWait: 20 * time.Millisecond},
	}, queue
}

func setup(t *testing.T, change ...func(*Options)) *bundle {
	t.Helper()
	o, queue := dependencies(t)
	log := &syncBuffer{}
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	for _, c := range change {
		c(&o)
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(g)
	srv.Config.MaxHeaderBytes = MaxHeader
	srv.Start()
	transport := &http.Transport{}
	t.Cleanup(func() {
		g.Drain()
		transport.CloseIdleConnections()
		srv.Close()
		if err := g.Wait(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &bundle{
		Gateway: g, t: t, url: srv.URL, client: &http.Client{Transport: transport}, store: o.Store, queue: queue,
		events: redisOf(t, o.Events), log: log,
	}
}

func redisOf(t *testing.T, rdb redis.UniversalClient) *redis.Client {
	t.Helper()
	c, ok := rdb.(*redis.Client)
	if !ok {
		t.Fatal("not a plain client")
	}
	return c
}

// depth counts the tasks that run or wait for a worker.
func (b *bundle) depth() (n int64, err error) {
	lanes, err := queue.Stats(b.t.Context(), b.queue)
	for _, l := range lanes {
		n += l.Pending + l.Active
	}
	return n, err
}

// reply is a response whose body has been read.
type reply struct {
	*http.Response
	body []byte
}

// json decodes the body into v.
func (r reply) json(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
}

// code returns the code of a problem, and checks that the response is a complete one.
func (r reply) code(t *testing.T) codes.Code {
	t.Helper()
	var p problem
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("%d of type %q: %s", r.StatusCode, got, r.body)
	}
	r.json(t, &p)
	if p.Status != r.StatusCode || p.Title == "" || p.Type != "/problems/"+string(p.Code) || problems[p.Code].status != r.StatusCode {
		t.Errorf("%d with %+v", r.StatusCode, p)
	}
	return p.Code
}

// request returns a request with the key; headers are pairs of name and value.
func (b *bundle) request(method, path, key, body string, headers ...string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (b *bundle) do(r *http.Request) reply {
	b.t.Helper()
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{resp, body}
}

func (b *bundle) get(path string, headers ...string) reply {
	b.t.Helper()
	return b.do(b.request(http.MethodGet, path, keyA, "", headers...))
}

func (b *bundle) post(path, body string, headers ...string) reply {
	b.t.Helper()
	return b.do(b.request(http.MethodPost, path, keyA, body, headers...))
}

// applyDay stores the visits of monday as the vendor's answer.
func (b *bundle) applyDay(owner tenant.ID, practiceID string, visits ...practice.Appointment) {
	b.t.Helper()
	since, err := b.store.Begin(b.t.Context(), owner)
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = b.store.ApplyDay(b.t.Context(), owner, practice.Answer{Practice: practiceID, Date: monday, Visits: visits, Since: since})
	if err != nil {
		b.t.Fatal(err)
	}
}

// visit returns the practice's visit n on monday.
func visit(practiceID string, n int) practice.Appointment {
	start := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC).Add(time.Duration(n) * 10 * time.Minute)
	return practice.Appointment{
		ID: phi.Text(fmt.Sprint(900000 + n)), Practice: practiceID, Day: monday, Start: start, End: start.Add(10 * time.Minute),
		Patient: phi.Text(fmt.Sprint(1000 + n)), PatientName: phi.Text(fmt.Sprintf("Row Name%d", n)), Status: practice.Scheduled,
	}
}
