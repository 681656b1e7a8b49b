package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/workflow-bolt/rounds/internal/monitor"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// What shows operators the queues can open nothing of what lies in them: it links neither the seals, nor the library that
// makes them, nor the wiring that knows both.
func TestLinksNothingThatOpens(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/workflow-bolt/rounds/"
	ours := map[string]bool{}
	for pkg := range strings.Lines(string(out)) {
		pkg = strings.TrimSpace(pkg)
		if name, ok := strings.CutPrefix(pkg, module); ok {
			ours[name] = true
		}
		if strings.Contains(pkg, "tink") {
			t.Errorf("it links %s", pkg)
		}
	}
	for name := range ours {
		switch name {
		case "cmd/monitor", "internal/config", "internal/ledger", "internal/lifecycle", "internal/monitor", "internal/queue",
			"internal/status", "internal/telemetry", "internal/tenant":
		default:
			t.Errorf("it links %s", name)
		}
	}
	if !ours["internal/monitor"] {
		t.Errorf("go list told nothing of use: %s", out)
	}
}

// heard is a log that tells when a text has been written to it.
type heard struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	want string
	seen chan struct{}
}

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

const password = "a password for one test"

// line is the password file of all tests, with the cheapest hash that is taken.
var line = sync.OnceValues(func() (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	return "ann operator " + string(hash), err
})

// environment is a complete one for development, with a Redis of its own.
func environment(t *testing.T) map[string]string {
	t.Helper()
	ann, err := line()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	logins := filepath.Join(dir, "logins")
	if err := os.WriteFile(logins, []byte(ann+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": redistest.URL(t), "ROUNDS_LEDGER": "sqlite:" + filepath.Join(dir, "ledger.db"),
		"ROUNDS_MONITOR_ADDR": "127.0.0.1:0", "ROUNDS_MONITOR_PASSWORD_FILE": logins, "ROUNDS_HEALTH_ADDR": "off",
	}
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
	for _, name := range []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_LEDGER", "ROUNDS_MONITOR_PASSWORD_FILE"} {
		if !strings.Contains(stderr.String(), name) {
			t.Errorf("%s is missing from:\n%s", name, stderr.String())
		}
	}
	for _, name := range []string{"ROUNDS_KEYS", "ROUNDS_CACHE_REDIS"} {
		if strings.Contains(stderr.String(), name) {
			t.Errorf("%s is asked for, and the monitor must not have it", name)
		}
	}
}

func TestArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--verbose"}, getenv(environment(t)), &stdout, &stderr); code != 2 {
		t.Errorf("exit %d, want 2", code)
	}
}

func TestUnreachableStoresAreSaidInTime(t *testing.T) {
	t.Parallel()
	mute, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mute.Close() })
	for name, c := range map[string]struct{ variable, value, said string }{
		"nobody listens":          {"ROUNDS_QUEUE_REDIS", "redis://:hush@127.0.0.1:1/0", "redis"},
		"nobody answers":          {"ROUNDS_QUEUE_REDIS", "redis://:hush@" + mute.Addr().String(), "redis"},
		"no ledger":               {"ROUNDS_LEDGER", "postgres://rounds:hush@127.0.0.1:1/rounds", "ledger"},
		"a ledger that is silent": {"ROUNDS_LEDGER", "postgres://rounds:hush@" + mute.Addr().String() + "/rounds", "ledger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := environment(t)
			vars[c.variable] = c.value
			var stdout, stderr bytes.Buffer
			begun := time.Now()
			code := run(t.Context(), nil, getenv(vars), &stdout, &stderr)
			if took := time.Since(begun); code != 6 || took > 6*time.Second {
				t.Errorf("exit %d after %s, want 6 within five seconds", code, took)
			}
			if !strings.Contains(stderr.String(), c.said) || strings.Contains(stderr.String(), "hush") {
				t.Errorf("it says %q, want the name of what is gone and no password", stderr.String())
			}
		})
	}
}

func TestStartsServesAndStops(t *testing.T) {
	t.Parallel()
	vars := environment(t)
	vars["ROUNDS_HEALTH_ADDR"] = "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &heard{want: "monitor serves", seen: make(chan struct{})}
	code := make(chan int, 1)
	go func() { code <- run(ctx, nil, getenv(vars), &bytes.Buffer{}, stderr) }()
	select {
	case <-stderr.seen:
	case got := <-code:
		t.Fatalf("ended with %d:\n%s", got, stderr)
	case <-time.After(20 * time.Second):
		t.Fatalf("does not start:\n%s", stderr)
	}
	_, rest, _ := strings.Cut(stderr.String(), "addr=")
	addr := strings.Fields(rest)[0]
	follow := login(t, addr)
	cancel()
	select {
	case got := <-code:
		if got != 0 {
			t.Errorf("exit %d after being told to stop, want 0:\n%s", got, stderr)
		}
	case <-time.After(grace + 2*time.Second):
		t.Fatalf("does not stop in time, with a page open:\n%s", stderr)
	}
	follow()
}

// login opens a page that follows, and returns a function that waits for its end.
func login(t *testing.T, addr string) (wait func()) {
	t.Helper()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	send := func(method, path, body string, cookies ...*http.Cookie) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	in := send(http.MethodPost, "/login", "name=ann&password="+strings.ReplaceAll(password, " ", "+"))
	_ = in.Body.Close()
	if in.StatusCode != http.StatusSeeOther {
		t.Fatalf("login: %d", in.StatusCode)
	}
	stream := send(http.MethodGet, "/now/events", "", in.Cookies()...)
	if stream.StatusCode != http.StatusOK {
		t.Fatalf("following: %d", stream.StatusCode)
	}
	return func() {
		var rest bytes.Buffer
		_, _ = rest.ReadFrom(stream.Body)
		_ = stream.Body.Close()
		if !strings.Contains(rest.String(), "event: lanes") {
			t.Errorf("the page that followed got %q", rest.String())
		}
	}
}

func TestToldToStopWhileStarting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, nil, getenv(environment(t)), &stdout, &stderr); code != 0 {
		t.Errorf("exit %d, want 0:\n%s", code, stderr.String())
	}
}

func TestAnAddressThatIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for _, variable := range []string{"ROUNDS_MONITOR_ADDR", "ROUNDS_HEALTH_ADDR"} {
		vars := environment(t)
		vars[variable] = taken.Addr().String()
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), nil, getenv(vars), &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), variable) {
			t.Errorf("%s: exit %d: %s", variable, code, stderr.String())
		}
	}
}

// The limits of a server of probes would cut off asynqmon's script on a slow line, and the answer to an action on many.
func TestTheSiteHasTimeToAnswer(t *testing.T) {
	t.Parallel()
	s := siteServer(http.NotFoundHandler())
	if s.WriteTimeout <= monitor.ActLimit || s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.IdleTimeout == 0 {
		t.Errorf("%+v", s)
	}
}
