package main

import (
	"bytes"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/workflow-bolt/rounds/internal/monitor"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// The monitor cannot open what the queues contain: it links neither the sealing package, nor the
// library that it uses, nor the wiring that imports both.
func TestLinksNoKeys(t *testing.T) {
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
		case "cmd/monitor", "internal/access", "internal/alarm", "internal/breaker", "internal/civil", "internal/codes", "internal/config", "internal/ledger", "internal/lifecycle", "internal/monitor", "internal/outage", "internal/queue",
			"internal/redisconn", "internal/secret", "internal/status", "internal/telemetry", "internal/telemetry/logging", "internal/tenant", "internal/zone":
		default:
			t.Errorf("it links %s", name)
		}
	}
	if !ours["internal/monitor"] {
		t.Errorf("go list lists no package of the module: %s", out)
	}
}

var program = progtest.Program{
	Run: run, Environment: environment, Ready: "monitor ready",
	Needs:   []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_LEDGER", "ROUNDS_MONITOR_PASSWORD_FILE"},
	Listens: []string{"ROUNDS_MONITOR_ADDR", "ROUNDS_HEALTH_ADDR"},
}

const password = "a password for one test"

// line is the line of the login file, with the lowest cost that is accepted.
var line = sync.OnceValues(func() (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	return "ann operator " + string(hash), err
})

func environment(t testing.TB) map[string]string {
	t.Helper()
	ann, err := line()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": redistest.URL(t), "ROUNDS_LEDGER": "sqlite:" + filepath.Join(t.TempDir(), "ledger.db"),
		"ROUNDS_MONITOR_ADDR": "127.0.0.1:0", "ROUNDS_MONITOR_PASSWORD_FILE": progtest.File(t, ann+"\n"), "ROUNDS_HEALTH_ADDR": "off",
	}
}

func TestProgramContract(t *testing.T) {
	t.Parallel()
	program.Check(t)
}

func TestRequiresNoKeys(t *testing.T) {
	t.Parallel()
	o := program.End(t.Context(), nil)
	if !strings.Contains(o.Stderr, "ROUNDS_LEDGER") {
		t.Errorf("it does not report what it requires:\n%s", o.Stderr)
	}
	for _, name := range []string{"ROUNDS_KEYS", "ROUNDS_CACHE_REDIS"} {
		if strings.Contains(o.Stderr, name) {
			t.Errorf("it requires %s, which the monitor must not have", name)
		}
	}
}

func TestStopsWithAnOpenStream(t *testing.T) {
	t.Parallel()
	p := program.Start(t, environment(t))
	_, rest, _ := strings.Cut(p.Log.String(), "addr=")
	waitForEnd := openStream(t, strings.Fields(rest)[0])
	p.Signal()
	p.Ended(t, grace+2*time.Second)
	waitForEnd()
}

// openStream logs in and opens the stream of the page Now. The returned function waits for its end.
func openStream(t *testing.T, addr string) (wait func()) {
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
		t.Fatalf("stream: %d", stream.StatusCode)
	}
	return func() {
		var rest bytes.Buffer
		_, _ = rest.ReadFrom(stream.Body)
		_ = stream.Body.Close()
		if !strings.Contains(rest.String(), "event: lanes") {
			t.Errorf("the stream delivered %q", rest.String())
		}
	}
}

// The limits of a server of probes would cut off asynqmon's script on a slow line, and the response
// to an action on many tasks.
func TestSiteHasTimeToRespond(t *testing.T) {
	t.Parallel()
	s := siteServer(http.NotFoundHandler())
	if s.WriteTimeout <= monitor.ActLimit || s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.IdleTimeout == 0 {
		t.Errorf("%+v", s)
	}
}
