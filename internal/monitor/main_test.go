package monitor

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/crypto/bcrypt"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/secret"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// Logins of the tests. Their hashes are cheap to compute, or each test would take a second.
const (
	vic, vicsPassword = "vic", "vic looks at things"
	ann, annsPassword = "ann", "ann changes things"
)

func hash(t testing.TB, password string) secret.Value {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Value(h)
}

func logins(t testing.TB) []access.Login {
	t.Helper()
	return []access.Login{
		{Name: vic, Role: access.Viewer, Hash: hash(t, vicsPassword)}, {Name: ann, Role: access.Operator, Hash: hash(t, annsPassword)},
	}
}

// logBuffer is a log that several goroutines write to.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *logBuffer) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *logBuffer) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// testSite is a monitor with its stores, served on loopback.
type testSite struct {
	*Monitor
	url       string
	rdb       redis.UniversalClient // the queue's Redis, as other processes use it
	logBuffer *logBuffer
}

func newTestSite(t testing.TB) *testSite {
	t.Helper()
	address := redistest.URL(t)
	file := "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
	ledgertest.Open(t, file)
	j := &logBuffer{}
	m, err := Open(t.Context(), Options{
		QueueURL: address, LedgerURL: file, Logins: logins(t), Logger: slog.New(slog.NewTextHandler(j, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(m.Handler())
	t.Cleanup(func() {
		m.Drain()
		server.Close()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	rdb, err := redisconn.Dial(address, redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	return &testSite{Monitor: m, url: server.URL, rdb: rdb, logBuffer: j}
}

// testClient is an HTTP client with cookies that behaves like a browser.
type testClient struct {
	t        testing.TB
	testSite *testSite
	client   *http.Client
}

func (s *testSite) testClient(t testing.TB) *testClient {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &testClient{t: t, testSite: s, client: &http.Client{
		Jar: jar, Timeout: 20 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// as returns a client that has logged in.
func (s *testSite) as(t testing.TB, name string) *testClient {
	t.Helper()
	v := s.testClient(t)
	if a := v.login(name, map[string]string{vic: vicsPassword, ann: annsPassword}[name]); a.code != http.StatusSeeOther || a.header.Get("Location") != "/now" {
		t.Fatalf("%s cannot log in: %d %s", name, a.code, a.body)
	}
	return v
}

// response is a received response.
type response struct {
	code   int
	header http.Header
	body   string
}

// do sends a request as a browser does from one of our own pages.
func (v *testClient) do(method, path, kind, body string, headers ...string) response {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.testSite.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return response{resp.StatusCode, resp.Header, string(data)}
}

func (v *testClient) get(path string) response {
	v.t.Helper()
	return v.do(http.MethodGet, path, "", "")
}

func (v *testClient) post(path string) response {
	v.t.Helper()
	return v.do(http.MethodPost, path, "", "")
}

func (v *testClient) login(name, password string) response {
	v.t.Helper()
	return v.do(http.MethodPost, "/login", "application/x-www-form-urlencoded", url.Values{"name": {name}, "password": {password}}.Encode())
}

// digest returns a well-formed digest of one repeated character.
func digest(char string) string { return strings.Repeat(char, 26) }

// plantedMarker is in every payload and in every error text that is not a code. It must not be on
// any page.
const plantedMarker = "Zqx7Marker"

// enqueue adds one task of a demand at the given time, and returns its ID.
func (s *testSite) enqueue(t testing.TB, lane, char string, at time.Time) string {
	t.Helper()
	receipts, err := queue.NewProducer(s.rdb).Enqueue(t.Context(), []queue.Demand{{
		Lane: lane, Digest: digest(char), Kind: "schedule.sync", Timeout: time.Minute,
		Encode: func(string) ([]byte, map[string]string, error) {
			return []byte(`{"patient":"` + plantedMarker + `"}`), map[string]string{queue.HeaderEnqueuedAt: at.UTC().Format(time.RFC3339Nano)}, nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return receipts[0].ID
}

// failPending makes a worker take every pending task of the lane and fail for good with the error
// text.
func (s *testSite) failPending(t testing.TB, lane, text string) {
	t.Helper()
	s.run(t, lane, permanentError(text))
}

// permanentError is an error for which asynq archives the task.
type permanentError string

func (d permanentError) Error() string { return string(d) }
func (permanentError) Unwrap() error   { return asynq.SkipRetry }

// run makes asynq process the pending tasks of the lane, each with the given error as its result.
func (s *testSite) run(t testing.TB, lane string, result error) {
	t.Helper()
	srv := asynq.NewServerFromRedisClient(s.rdb, asynq.Config{
		Concurrency: 10, Queues: map[string]int{lane: 1}, TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
	})
	if err := srv.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return result })); err != nil {
		t.Fatal(err)
	}
	defer srv.Shutdown()
	s.eventually(t, "all tasks processed", func() bool {
		return s.count(t, lane, "pending") == 0 && s.count(t, lane, "active") == 0
	})
}

// count returns how many tasks are in a state, independently of our own code.
func (s *testSite) count(t testing.TB, lane, state string) int64 {
	t.Helper()
	key := "asynq:{" + lane + "}:" + state
	if state == "pending" || state == "active" {
		return s.rdb.LLen(t.Context(), key).Val()
	}
	return s.rdb.ZCard(t.Context(), key).Val()
}

func (s *testSite) eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("timed out waiting for: %s", what)
		}
	}
}
