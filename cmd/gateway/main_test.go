package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// beGateway makes the test binary the program itself, so that tests have a real process to talk to and to end.
const beGateway = "ROUNDS_TEST_BE_GATEWAY"

func TestMain(m *testing.M) {
	if os.Getenv(beGateway) != "" {
		main()
	}
	redistest.Main(m)
}

// heard is a log that tells when a text has been written to it.
type heard struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	want string
	seen chan struct{}
}

func hear(want string) *heard { return &heard{want: want, seen: make(chan struct{})} }

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := strings.Contains(h.buf.String(), h.want)
	n, err := h.buf.Write(p)
	if !before && strings.Contains(h.buf.String(), h.want) {
		close(h.seen)
	}
	return n, err
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.buf.String()
}

// wait fails the test unless the text comes.
func (h *heard) wait(t *testing.T) {
	t.Helper()
	select {
	case <-h.seen:
	case <-time.After(20 * time.Second):
		t.Fatalf("nobody says %q:\n%s", h.want, h)
	}
}

// vacant returns an address on which nobody listens.
func vacant(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// environment is a complete one for development, with a Redis of its own, and the key that opens it.
func environment(t *testing.T) (vars map[string]string, key string) {
	t.Helper()
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := keys.JSON()
	if err != nil {
		t.Fatal(err)
	}
	caller, secret, err := config.NewAPIKey("desk", "clinic-a")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": redistest.URL(t), "ROUNDS_CACHE_REDIS": redistest.URL(t),
		"ROUNDS_LEDGER": "sqlite:" + filepath.Join(dir, "ledger.db"), "ROUNDS_KEYS": file("keys", string(keyset)),
		"ROUNDS_API_KEYS": file("apikeys", caller.Line()), "ROUNDS_GATEWAY_ADDR": vacant(t), "ROUNDS_HEALTH_ADDR": "off",
		"ROUNDS_TENANTS": file("tenants.yaml", `tenants:
  - {id: clinic-a, timezone: America/Chicago, tebra: {customer_key: k, user: u, password: p}, practices: [{id: 7, name: North Side}]}
`),
	}, secret.Reveal()
}

func getenv(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestEveryMissingVariableIsNamed(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), nil, getenv(nil), &stdout, &stderr); code != 2 {
		t.Errorf("exit %d, want 2", code)
	}
	for _, name := range []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_CACHE_REDIS", "ROUNDS_LEDGER", "ROUNDS_KEYS", "ROUNDS_API_KEYS"} {
		if !strings.Contains(stderr.String(), name) {
			t.Errorf("%s is missing from:\n%s", name, stderr.String())
		}
	}
}

func TestArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	vars, _ := environment(t)
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--verbose"}, getenv(vars), &stdout, &stderr); code != 2 {
		t.Errorf("exit %d, want 2", code)
	}
}

func TestAnAddressThatIsTaken(t *testing.T) {
	t.Parallel()
	vars, _ := environment(t)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", vars["ROUNDS_GATEWAY_ADDR"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), nil, getenv(vars), &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), "ROUNDS_GATEWAY_ADDR") {
		t.Errorf("exit %d:\n%s", code, stderr.String())
	}
}

func TestUnreachableRedisIsSaidInTime(t *testing.T) {
	t.Parallel()
	vars, _ := environment(t)
	vars["ROUNDS_CACHE_REDIS"] = "redis://:hush@127.0.0.1:1/0"
	var stdout, stderr bytes.Buffer
	begun := time.Now()
	code := run(t.Context(), nil, getenv(vars), &stdout, &stderr)
	if took := time.Since(begun); code != 6 || took > 5*time.Second {
		t.Errorf("exit %d after %s, want 6 within 5 s", code, took)
	}
	if !strings.Contains(stderr.String(), "redis") || strings.Contains(stderr.String(), "hush") {
		t.Errorf("it says %q, want the name of what is gone and no password", stderr.String())
	}
}

// get asks the gateway and returns the answer with its body still open.
func get(ctx context.Context, t *testing.T, vars map[string]string, key, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+vars["ROUNDS_GATEWAY_ADDR"]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// Told to stop with a stream open and a request under way, the gateway ends the one and answers the other, within the ten
// seconds that platforms give.
func TestStartsAndDrains(t *testing.T) {
	t.Parallel()
	vars, key := environment(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stderr := hear("gateway answers")
	code := make(chan int, 1)
	go func() { code <- run(ctx, nil, getenv(vars), io.Discard, stderr) }()
	stderr.wait(t)
	stream := get(t.Context(), t, vars, key, "/v1/events")
	defer func() { _ = stream.Body.Close() }()
	first := make([]byte, 4)
	if _, err := io.ReadFull(stream.Body, first); err != nil || string(first) != "id: " {
		t.Fatalf("%q, %v", first, err)
	}
	cold := make(chan int, 1)
	go func() {
		resp := get(context.WithoutCancel(t.Context()), t, vars, key, "/v1/practices/7/board") // waits for a worker that there is not
		defer func() { _ = resp.Body.Close() }()
		cold <- resp.StatusCode
	}()
	select {
	case got := <-cold:
		t.Errorf("a cold board is answered at once: %d", got)
	case <-time.After(200 * time.Millisecond):
	}
	cancel()
	rest, err := io.ReadAll(stream.Body)
	if err != nil || !strings.Contains(string(rest), "retry: ") {
		t.Errorf("the stream ends with %q, %v", rest, err)
	}
	if got := <-cold; got != http.StatusServiceUnavailable {
		t.Errorf("the request under way: %d", got)
	}
	select {
	case got := <-code:
		if got != 0 {
			t.Errorf("exit %d:\n%s", got, stderr)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("does not stop:\n%s", stderr)
	}
}

func TestToldToStopWhileStarting(t *testing.T) {
	t.Parallel()
	vars, _ := environment(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, nil, getenv(vars), &stdout, &stderr); code != 0 {
		t.Errorf("exit %d, want 0:\n%s", code, stderr.String())
	}
}
