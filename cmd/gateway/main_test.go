package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// beGateway makes the test binary run as the program, so that tests can start a real process and
// signal it.
const beGateway = "ROUNDS_TEST_BE_GATEWAY"

func TestMain(m *testing.M) {
	if os.Getenv(beGateway) != "" {
		main()
	}
	redistest.Main(m)
}

var program = progtest.Program{
	Run: run, Environment: environment, Ready: "gateway ready",
	Needs:   []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_CACHE_REDIS", "ROUNDS_LEDGER", "ROUNDS_KEYS", "ROUNDS_API_KEYS"},
	Listens: []string{"ROUNDS_GATEWAY_ADDR", "ROUNDS_HEALTH_ADDR"},
}

// environment also has the caller's variable, ROUNDS_API_KEY.
func environment(t testing.TB) map[string]string {
	t.Helper()
	caller, secret, err := access.NewKey("desk", "clinic-a")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": redistest.URL(t), "ROUNDS_CACHE_REDIS": redistest.URL(t),
		"ROUNDS_LEDGER": "sqlite:" + filepath.Join(t.TempDir(), "ledger.db"), "ROUNDS_KEYS": progtest.Keyset(t, phi.Generate),
		"ROUNDS_API_KEYS": progtest.File(t, caller.Line()), "ROUNDS_GATEWAY_ADDR": progtest.Vacant(t), "ROUNDS_HEALTH_ADDR": "off",
		"ROUNDS_TENANTS": progtest.File(t, `tenants:
  - {id: clinic-a, timezone: America/Chicago, tebra: {customer_key: k, user: u, password: p}, practices: [{id: 7, name: North Side}]}
`),
		"ROUNDS_API_KEY": secret.Reveal(),
	}
}

func TestProgramContract(t *testing.T) {
	t.Parallel()
	program.Check(t)
}

// get sends a request to the gateway and returns the response with its body still open.
func get(ctx context.Context, t *testing.T, vars map[string]string, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+vars["ROUNDS_GATEWAY_ADDR"]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+vars["ROUNDS_API_KEY"])
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// On SIGTERM the gateway ends an open stream and answers a request in progress, within the ten
// seconds that platforms allow.
func TestStartsAndDrains(t *testing.T) {
	t.Parallel()
	vars := environment(t)
	gateway := program.Start(t, vars)
	stream := get(t.Context(), t, vars, "/v1/events")
	defer func() { _ = stream.Body.Close() }()
	first := make([]byte, 4)
	if _, err := io.ReadFull(stream.Body, first); err != nil || string(first) != "id: " {
		t.Fatalf("%q, %v", first, err)
	}
	cold := make(chan int, 1)
	go func() {
		resp := get(context.WithoutCancel(t.Context()), t, vars, "/v1/practices/7/board") // waits for data, but no worker runs
		defer func() { _ = resp.Body.Close() }()
		cold <- resp.StatusCode
	}()
	select {
	case got := <-cold:
		t.Errorf("a cold board is answered without waiting: %d", got)
	case <-time.After(200 * time.Millisecond):
	}
	gateway.Signal()
	rest, err := io.ReadAll(stream.Body)
	if err != nil || !strings.Contains(string(rest), "retry: ") {
		t.Errorf("the stream ends with %q, %v", rest, err)
	}
	if got := <-cold; got != http.StatusServiceUnavailable {
		t.Errorf("the request in progress: %d", got)
	}
	gateway.Ended(t, 10*time.Second)
}
