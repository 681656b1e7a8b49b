package cli

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// hush is a secret that must never be printed.
const hush = "hush-7f3a"

// bareHarness is a valid environment without services.
func bareHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{dir: t.TempDir()}
	h.vars = map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": "unix:///run/queue.sock", "ROUNDS_CACHE_REDIS": "unix:///run/cache.sock",
		"ROUNDS_LEDGER": "sqlite:rounds.db", "ROUNDS_KEYS": h.file(t, "rounds.keys", "{}"),
	}
	return h
}

// file writes a file that only its owner may read, and returns its path.
func (h *harness) file(t *testing.T, name, contents string) string {
	t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tenants returns the environment with another tenants file: a valid one with old replaced.
func (h *harness) tenants(t *testing.T, old, now string) map[string]string {
	t.Helper()
	const good = "tenants:\n  - id: clinic-a\n    timezone: America/Chicago\n    opening_hours: {mon: \"08:00-17:30\"}\n" +
		"    tebra: {customer_key: \"env:A_KEY\", user: \"env:A_USER\", password: \"env:A_PASSWORD\"}\n" +
		"    practices: [{id: 1, name: North Side}]\n"
	if !strings.Contains(good, old) {
		t.Fatalf("the file lacks the text to replace by %q", now)
	}
	return h.with(map[string]string{
		"ROUNDS_TENANTS": h.file(t, "bad.yaml", strings.Replace(good, old, now, 1)), "A_KEY": hush, "A_USER": "api@clinic-a.net",
		"A_PASSWORD": hush, "TWO_LINES": hush + "\n" + hush, "EXAMPLE": "changeme",
	})
}

// server starts a redis-server with args and returns its address.
func (h *harness) server(t *testing.T, args ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rc") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir, "--logfile", "log"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = os.RemoveAll(dir) })
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		if conn, err := net.Dial("unix", socket); err == nil {
			_ = conn.Close()
			return "unix://" + socket
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not start")
		}
	}
}

// badConfig is an environment with which no process may start. The report must name the variable,
// or the doctor's check, that is at fault.
type badConfig struct {
	name    string
	process string // process to validate; "doctor" runs the doctor
	vars    func(t *testing.T, h *harness) map[string]string
	fault   string // the variable or check
	text    string
}

func set(name, value string) func(*testing.T, *harness) map[string]string {
	return func(_ *testing.T, h *harness) map[string]string { return h.with(map[string]string{name: value}) }
}

func production(name, value string) func(*testing.T, *harness) map[string]string {
	return func(_ *testing.T, h *harness) map[string]string {
		return h.with(map[string]string{"ROUNDS_ENV": "production", name: value})
	}
}

func tenantsWith(old, now string) func(*testing.T, *harness) map[string]string {
	return func(t *testing.T, h *harness) map[string]string { return h.tenants(t, old, now) }
}

func setFile(name, contents string) func(*testing.T, *harness) map[string]string {
	return func(t *testing.T, h *harness) map[string]string {
		return h.with(map[string]string{name: h.file(t, "bad.file", contents)})
	}
}

var badConfigs = []badConfig{
	{"nothing set", "worker", func(*testing.T, *harness) map[string]string { return nil }, "ROUNDS_QUEUE_REDIS", "is not set"},
	{"unknown key", "worker", tenantsWith("timezone:", "time_zone:"), "ROUNDS_TENANTS", "unknown key"},
	{"key twice", "worker", tenantsWith("    tebra:", "    id: clinic-a\n    tebra:"), "ROUNDS_TENANTS", "not valid YAML"},
	{"alias bomb", "worker", tenantsWith("tenants:", "a: &a [x,x]\nb: &b [*a,*a,*a]\ntenants:"), "ROUNDS_TENANTS", "an anchor"},
	{"nesting bomb", "worker", tenantsWith("{mon:", strings.Repeat("[", 100_000)+"{mon:"), "ROUNDS_TENANTS", "nested too deeply"},
	{"tab", "worker", tenantsWith("    timezone", "\ttimezone"), "ROUNDS_TENANTS", "not valid YAML"},
	{"second document", "worker", tenantsWith("tenants:", "---\n{}\n---\ntenants:"), "ROUNDS_TENANTS", "second document"},
	{"empty secret", "worker", tenantsWith("env:A_KEY", "env:NOWHERE"), "ROUNDS_TENANTS", "empty tebra.customer_key"},
	{"secret of two lines", "worker", tenantsWith("env:A_PASSWORD", "env:TWO_LINES"), "ROUNDS_TENANTS", "more than one line"},
	{"secret of an example", "worker", func(t *testing.T, h *harness) map[string]string {
		vars := h.tenants(t, "env:A_PASSWORD", "env:EXAMPLE")
		vars["ROUNDS_ENV"] = "production"
		return vars
	}, "ROUNDS_TENANTS", "placeholder"},
	{"secret in clear", "worker", func(t *testing.T, h *harness) map[string]string {
		vars := h.tenants(t, "env:A_PASSWORD", hush)
		vars["ROUNDS_ENV"] = "production"
		return vars
	}, "ROUNDS_TENANTS", "in plain text"},
	{"secret in a file that is not there", "worker", tenantsWith("env:A_KEY", "file:/nowhere"), "ROUNDS_TENANTS", "does not exist"},
	{"keyset readable by all", "worker", func(t *testing.T, h *harness) map[string]string {
		path := h.file(t, "open.keys", "{}")
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		return h.with(map[string]string{"ROUNDS_ENV": "production", "ROUNDS_KEYS": path})
	}, "ROUNDS_KEYS", "all users can read"},
	{"file missing", "worker", set("ROUNDS_KEYS", "/nowhere"), "ROUNDS_KEYS", "does not exist"},
	{"file is a folder", "worker", set("ROUNDS_TENANTS", "/"), "ROUNDS_TENANTS", "not a regular file"},
	{"file is a device", "worker", set("ROUNDS_KEYS", "/dev/zero"), "ROUNDS_KEYS", "not a regular file"},
	{"file of a gigabyte", "worker", func(t *testing.T, h *harness) map[string]string {
		path := h.file(t, "huge", "")
		if err := os.Truncate(path, 1<<30); err != nil { // sparse
			t.Fatal(err)
		}
		return h.with(map[string]string{"ROUNDS_KEYS": path})
	}, "ROUNDS_KEYS", "too large"},
	{"redis scheme", "worker", set("ROUNDS_QUEUE_REDIS", "http://:"+hush+"@queue"), "ROUNDS_QUEUE_REDIS", "not Redis"},
	{"redis without encryption", "scheduler", production("ROUNDS_QUEUE_REDIS", "redis://:"+hush+"@queue.clinic.net"), "ROUNDS_QUEUE_REDIS", "not encrypted"},
	{"redis not a URL", "monitor", set("ROUNDS_QUEUE_REDIS", "redis://:"+hush+"%zz@queue"), "ROUNDS_QUEUE_REDIS", "not a URL"},
	{"redis of no address", "doctor", set("ROUNDS_CACHE_REDIS", "redis://:"+hush+"@nowhere.invalid"), "cache-redis", ""},
	{"redis is a replica", "doctor", func(t *testing.T, h *harness) map[string]string {
		return h.with(map[string]string{"ROUNDS_QUEUE_REDIS": h.server(t, "--replicaof", "127.0.0.1", "1")})
	}, "queue-redis-replicas", "is a replica"},
	{"redis drops live keys", "doctor", func(t *testing.T, h *harness) map[string]string {
		return h.with(map[string]string{"ROUNDS_CACHE_REDIS": h.server(t, "--maxmemory-policy", "allkeys-lru")})
	}, "cache-redis-policy", "allkeys"},
	{"queue may drop keys", "doctor", func(t *testing.T, h *harness) map[string]string {
		return h.with(map[string]string{"ROUNDS_QUEUE_REDIS": h.server(t, "--maxmemory-policy", "volatile-ttl")})
	}, "queue-redis-policy", "volatile"},
	{"queue without a file", "doctor", production("", ""), "queue-redis-persistence", "appendonly no"},
	{"one server for both", "worker", func(_ *testing.T, h *harness) map[string]string {
		return h.with(map[string]string{
			"ROUNDS_ENV": "production", "ROUNDS_QUEUE_REDIS": "rediss://:" + hush + "@redis.clinic.net/0", "ROUNDS_CACHE_REDIS": "rediss://:" + hush + "@REDIS.clinic.net:6379/1",
		})
	}, "ROUNDS_CACHE_REDIS", "same server"},
	{"keyset of another deployment", "doctor", func(t *testing.T, h *harness) map[string]string {
		other, err := phi.Generate()
		if err != nil {
			t.Fatal(err)
		}
		h.storeDataKey(t, other)
		return h.vars
	}, "ledger-keyset", "clinic-a"},
	{"time without a unit", "worker", set("ROUNDS_START_WAIT", "30"), "ROUNDS_START_WAIT", "not a time"},
	{"time in days", "gateway", set("ROUNDS_START_WAIT", "1d"), "ROUNDS_START_WAIT", "not a time"},
	{"negative time", "monitor", set("ROUNDS_START_WAIT", "-1s"), "ROUNDS_START_WAIT", "not a time"},
	{"endless time", "scheduler", set("ROUNDS_START_WAIT", "1000000h"), "ROUNDS_START_WAIT", "not a time"},
	{"tenant twice", "worker", tenantsWith("    practices: [{id: 1, name: North Side}]\n", "    practices: [{id: 1, name: North Side}]\n  - id: clinic-a\n"), "ROUNDS_TENANTS", "id of an earlier one"},
	{"tenant's name changes the slot", "worker", tenantsWith("id: clinic-a", `id: "a}{b"`), "ROUNDS_TENANTS", "no usable id"},
	{"tenant without credentials", "worker", tenantsWith(`tebra: {customer_key: "env:A_KEY", user: "env:A_USER", password: "env:A_PASSWORD"}`, "tebra: {}"), "ROUNDS_TENANTS", "empty tebra.user"},
	{"no tenant", "worker", setFile("ROUNDS_TENANTS", "tenants: []\n"), "ROUNDS_TENANTS", "lists no tenant"},
	{"too many tenants", "worker", setFile("ROUNDS_TENANTS", "tenants:\n"+strings.Repeat("- {id: a}\n", 10_001)), "ROUNDS_TENANTS", "more than 10000"},
	{"unknown zone", "worker", tenantsWith("America/Chicago", "../../etc/passwd"), "ROUNDS_TENANTS", "unknown timezone"},
	{"practice 2^63", "worker", tenantsWith("id: 1,", `id: "9223372036854775808",`), "ROUNDS_TENANTS", "practice 1 has no usable id"},
	{"endpoint in clear", "worker", production("ROUNDS_TEBRA_ENDPOINT", "http://vendor.com/"), "ROUNDS_TEBRA_ENDPOINT", "plain http"},
	{"endpoint is an address", "worker", production("ROUNDS_TEBRA_ENDPOINT", "https://[::ffff:10.0.0.1]/"), "ROUNDS_TEBRA_ENDPOINT", "public host name"},
	{"endpoint is metadata", "worker", production("ROUNDS_TEBRA_ENDPOINT", "https://metadata.google.internal/"), "ROUNDS_TEBRA_ENDPOINT", "public host name"},
	{"endpoint with a password", "worker", set("ROUNDS_TEBRA_ENDPOINT", "https://u:"+hush+"@vendor.com/"), "ROUNDS_TEBRA_ENDPOINT", "has a user"},
	{"certificates of the ledger", "doctor", set("ROUNDS_LEDGER", "postgres://u:"+hush+"@127.0.0.1/rounds?sslrootcert=/nowhere"), "ledger", "certificate"},
	{"ledger on one host", "worker", production("ROUNDS_LEDGER", "sqlite:/var/rounds.db"), "ROUNDS_LEDGER", "one host only"},
	{"keyset file without a keyset", "doctor", setFile("ROUNDS_KEYS", `{"primaryKeyId": 1, "key": "`+hush+`"}`), "keyset", "not a keyset"},
	{"mode", "worker", set("ROUNDS_ENV", "debug"), "ROUNDS_ENV", "neither"},
	{"collector", "worker", set("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:"+hush), "OTEL_EXPORTER_OTLP_ENDPOINT", "not an http"},
	{"port of the probes", "worker", set("ROUNDS_HEALTH_ADDR", ":99999"), "ROUNDS_HEALTH_ADDR", "no usable port"},
	{"port of the gateway", "gateway", set("ROUNDS_GATEWAY_ADDR", "0.0.0.0"), "ROUNDS_GATEWAY_ADDR", ""},
	{"port of the monitor", "monitor", set("ROUNDS_MONITOR_ADDR", ":"), "ROUNDS_MONITOR_ADDR", ""},
	{"API keys in clear", "gateway", setFile("ROUNDS_API_KEYS", "front clinic-a "+hush+"\n"), "ROUNDS_API_KEYS", ""},
	{"logins in clear", "monitor", setFile("ROUNDS_MONITOR_PASSWORD_FILE", "jane operator "+hush+"\n"), "ROUNDS_MONITOR_PASSWORD_FILE", ""},
}

// TestBadConfig: every environment is refused in bounded time, with a report that names the fault,
// is the same twice and repeats no value.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	var refused atomic.Int64
	t.Cleanup(func() { // after the subtests
		t.Logf("%d environments, %d refused with a fault and a fix", len(badConfigs), refused.Load())
		if len(badConfigs) < 40 {
			t.Errorf("only %d environments", len(badConfigs))
		}
	})
	for _, c := range badConfigs {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"doctor", "--json"}
			h := newHarness
			if c.process != "doctor" {
				args, h = []string{"config", "validate", c.process, "--json"}, bareHarness
			}
			vars := c.vars(t, h(t))
			begun := time.Now()
			o, again := rounds(t, vars, args...), rounds(t, vars, args...)
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if o.code != exitCheck || again.code != exitCheck {
				t.Errorf("exit %d, then %d", o.code, again.code)
			}
			first := faultIn(t, c, o.stdout)
			if second := faultIn(t, c, again.stdout); first != second {
				t.Errorf("%q, then %q", first, second)
			}
			if !strings.Contains(first, c.text) || first == "" {
				t.Errorf("%s: %q, want %q in:\n%s", c.fault, first, c.text, o.stdout)
			}
			if strings.Contains(o.stdout+o.stderr, hush) {
				t.Errorf("a value is repeated:\n%s%s", o.stdout, o.stderr)
			}
			if !t.Failed() {
				refused.Add(1)
			}
		})
	}
}

// faultIn returns what the report states about the variable or check at fault.
func faultIn(t *testing.T, c badConfig, stdout string) string {
	t.Helper()
	if c.process == "doctor" {
		for _, f := range document[diagnose.Report](t, stdout).Findings {
			if f.Check == c.fault && f.Grade == diagnose.Fail {
				if f.Fix == "" || f.Means == "" {
					t.Errorf("%+v has no fix", f)
				}
				return f.Evidence + "; " + f.Means
			}
		}
		return ""
	}
	var wrong []string
	for _, p := range document[configDoc](t, stdout).Problems {
		if p.Variable == c.fault && p.Fix != "" {
			wrong = append(wrong, p.Wrong)
		}
	}
	return strings.Join(wrong, "; ")
}
