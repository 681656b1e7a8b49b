package cli

import (
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// house is an environment in which everything is well, as far as development goes.
type house struct {
	vars   map[string]string
	vendor *tebratest.Server
	ledger *ledger.Ledger
	keys   *phi.Keys
	dir    string
}

// newHouse sets up Redis, a ledger with one tenant, a keyset and a vendor.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{dir: t.TempDir()}
	c, err := simFlags{seed: 1, accounts: 1, practices: 2, patients: 30, visits: 6, latency: "none"}.config()
	if err != nil {
		t.Fatal(err)
	}
	if h.vendor, err = tebratest.New(c); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h.vendor)
	t.Cleanup(srv.Close)
	redisURLs := map[string]string{"ROUNDS_QUEUE_REDIS": redistest.URL(t), "ROUNDS_CACHE_REDIS": redistest.URL(t)}
	if _, err := writeSimConfig(h.dir, srv.URL+tebratest.Path, c.Accounts, getenv(redisURLs)); err != nil {
		t.Fatal(err)
	}
	h.vars = environment(t, filepath.Join(h.dir, "rounds.env"))
	data, err := os.ReadFile(filepath.Join(h.dir, "rounds.keys"))
	if err != nil {
		t.Fatal(err)
	}
	if h.keys, err = phi.Parse(data); err != nil {
		t.Fatal(err)
	}
	if h.ledger, err = ledger.Open(t.Context(), h.vars["ROUNDS_LEDGER"]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.ledger.Close() })
	if err := h.ledger.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.applyTenant(t, ledger.Tenant{
		ID: "clinic-a", TimeZone: "America/Chicago",
		Practices: []ledger.Practice{{ID: "1", Name: "Example Practice 1"}, {ID: "2", Name: "Example Practice 2"}},
	})
	return h
}

func (h *house) applyTenant(t *testing.T, row ledger.Tenant) {
	t.Helper()
	sealed, err := h.keys.For(row.ID.String()).Seal([]byte("{}"), "tebra-credentials")
	if err != nil {
		t.Fatal(err)
	}
	row.Credentials = sealed
	if _, err := h.ledger.ApplyTenants(t.Context(), []ledger.Tenant{row}); err != nil {
		t.Fatal(err)
	}
}

// storeDataKey gives clinic-a a data key that was sealed with the given keyset.
func (h *house) storeDataKey(t *testing.T, keys *phi.Keys) {
	t.Helper()
	key, err := phi.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.ledger.DataKey(t.Context(), "clinic-a", func() ([]byte, error) { return keys.For("clinic-a").Wrap(key) })
	if err != nil {
		t.Fatal(err)
	}
}

// with returns the environment with some variables changed; an empty value removes one.
func (h *house) with(changes map[string]string) map[string]string {
	vars := maps.Clone(h.vars)
	maps.Copy(vars, changes)
	return vars
}

// gone is an address on which nothing listens: the port was free a moment ago.
func gone(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// mute is an address that takes connections and never says a word.
func mute(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestDoctorFindsAllWell(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.storeDataKey(t, h.keys)
	o := rounds(t, h.vars, "doctor", "--call-vendor", "--json")
	d := document[diagnosis](t, o.stdout)
	if o.code != exitOK || !d.OK || o.stderr != "" {
		t.Errorf("exit %d, stderr %q, report:\n%s", o.code, o.stderr, o.stdout)
	}
	want := []string{
		"config", "queue-redis", "queue-redis-policy", "queue-redis-persistence", "queue-redis-scripts",
		"cache-redis", "cache-redis-policy", "cache-redis-persistence", "cache-redis-scripts", "redis-separation",
		"queue-redis-memory", "queue-redis-evictions", "queue-redis-clients", "queue-redis-disk", "queue-redis-replicas",
		"cache-redis-memory", "cache-redis-evictions", "cache-redis-clients", "cache-redis-disk", "cache-redis-replicas", "lanes",
		"keyset", "ledger", "ledger-schema", "ledger-tenants", "ledger-keyset", "dead-letters", "vendor", "vendor-call",
		"clock-queue-redis", "clock-cache-redis",
	}
	var got []string
	for _, f := range d.Findings {
		got = append(got, f.Check)
		// One server without a file and without a limit plays both roles in tests: warnings, outside production.
		warned := f.Check == "queue-redis-persistence" || f.Check == "redis-separation" || strings.HasSuffix(f.Check, "-redis-memory")
		if f.Verdict != verdictOK && !(warned && f.Verdict == verdictWarn && f.Fix != "") {
			t.Errorf("%+v", f)
		}
		if f.Evidence == "" || f.Means == "" {
			t.Errorf("%s has no evidence or no meaning", f.Check)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
}

func TestDoctorMakesNoCallUnasked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rounds(t, h.vars, "doctor")
	if n := len(h.vendor.Calls(0)); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// TestDoctorFindsWhatIsBroken breaks one thing at a time.
func TestDoctorFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breakIt func(t *testing.T, h *house) map[string]string // returns the environment
		check   string
		saying  string
	}{
		"queue redis gone": {func(t *testing.T, h *house) map[string]string {
			return h.with(map[string]string{"ROUNDS_QUEUE_REDIS": "redis://:hush@" + gone(t) + "/0"})
		}, "queue-redis", "connection refused"},
		"cache redis gone": {func(t *testing.T, h *house) map[string]string {
			return h.with(map[string]string{"ROUNDS_CACHE_REDIS": "redis://:hush@" + gone(t) + "/0"})
		}, "cache-redis", "connection refused"},
		"queue redis mute": {func(t *testing.T, h *house) map[string]string {
			return h.with(map[string]string{"ROUNDS_QUEUE_REDIS": "redis://:hush@" + mute(t) + "/0"})
		}, "queue-redis", "takes connections, but"},
		"queue redis unset": {func(_ *testing.T, h *house) map[string]string {
			return h.with(map[string]string{"ROUNDS_QUEUE_REDIS": ""})
		}, "config", "ROUNDS_QUEUE_REDIS is not set"},
		"keyset is another file": {func(_ *testing.T, h *house) map[string]string {
			return h.with(map[string]string{"ROUNDS_KEYS": filepath.Join(h.dir, "tenants.yaml")})
		}, "keyset", "not a keyset"},
		"keyset of another deployment": {func(t *testing.T, h *house) map[string]string {
			other, err := phi.Generate()
			if err != nil {
				t.Fatal(err)
			}
			h.storeDataKey(t, other)
			return h.vars
		}, "ledger-keyset", "clinic-a"},
		"no ledger file": {func(_ *testing.T, h *house) map[string]string {
			return h.with(map[string]string{"ROUNDS_LEDGER": "sqlite:" + filepath.Join(h.dir, "other.db")})
		}, "ledger", "does not exist"},
		"postgres gone": {func(t *testing.T, h *house) map[string]string {
			return h.with(map[string]string{"ROUNDS_LEDGER": "postgres://rounds:hush@" + gone(t) + "/rounds"})
		}, "ledger", "refused"},
		"ledger without a schema": {func(t *testing.T, h *house) map[string]string {
			path := filepath.Join(h.dir, "empty.db")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return h.with(map[string]string{"ROUNDS_LEDGER": "sqlite:" + path})
		}, "ledger-schema", "sqlite code"},
		"no tenant": {func(t *testing.T, h *house) map[string]string {
			path := filepath.Join(h.dir, "fresh.db")
			fresh, err := ledger.Open(t.Context(), "sqlite:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer fresh.Close()
			if err := fresh.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			return h.with(map[string]string{"ROUNDS_LEDGER": "sqlite:" + path, "ROUNDS_TENANTS": ""})
		}, "ledger-tenants", "no tenant"},
		"tenant without a practice": {func(t *testing.T, h *house) map[string]string {
			h.applyTenant(t, ledger.Tenant{ID: "clinic-a", TimeZone: "America/Chicago"})
			return h.vars
		}, "ledger-tenants", "clinic-a has no practice"},
		"vendor gone": {func(t *testing.T, h *house) map[string]string {
			return h.with(map[string]string{"ROUNDS_TEBRA_ENDPOINT": "http://" + gone(t) + "/soap"})
		}, "vendor", "connection refused"},
		"vendor without a certificate": {func(t *testing.T, h *house) map[string]string {
			srv := httptest.NewUnstartedServer(h.vendor)
			srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains about the handshake that we want to fail
			srv.StartTLS()
			t.Cleanup(srv.Close)
			return h.with(map[string]string{"ROUNDS_TEBRA_ENDPOINT": srv.URL})
		}, "vendor", "not trusted"},
		"vendor refuses the password": {func(t *testing.T, h *house) map[string]string {
			file := h.vars["ROUNDS_TENANTS"]
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(data), "sim-password-1", "hush", 1)
			if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			return h.vars
		}, "vendor-call", "unauthenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := c.breakIt(t, newHouse(t))
			begun := time.Now()
			args := []string{"doctor", "--json"}
			if c.check == "vendor-call" {
				args = append(args, "--call-vendor")
			}
			o := rounds(t, vars, args...)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			d := document[diagnosis](t, o.stdout)
			if o.code != exitCheck || d.OK {
				t.Errorf("exit %d, ok %v; want 7 and false", o.code, d.OK)
			}
			hit := slices.IndexFunc(d.Findings, func(f finding) bool { return f.Check == c.check && f.Verdict == verdictFail })
			if hit < 0 {
				t.Fatalf("no failed %s in:\n%s", c.check, o.stdout)
			}
			if f := d.Findings[hit]; !strings.Contains(f.Evidence, c.saying) || f.Means == "" || f.Fix == "" {
				t.Errorf("%+v, want evidence with %q, a meaning and a fix", f, c.saying)
			}
			for _, f := range d.Findings {
				if f.Verdict == verdictFail && f.Check != c.check {
					t.Errorf("%s failed too: %s", f.Check, f.Evidence)
				}
			}
			if strings.Contains(o.stdout+o.stderr, "hush") {
				t.Errorf("a password is shown:\n%s", o.stdout)
			}
		})
	}
}

func TestDoctorSaysInWordsHowToFix(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := rounds(t, h.with(map[string]string{"ROUNDS_QUEUE_REDIS": "redis://" + gone(t)}), "doctor")
	for _, want := range []string{"fail  queue-redis ", "  means  without it nothing", "  fix    start it", "skip  queue-redis-policy", "ok    keyset"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is missing from:\n%s", want, o.stdout)
		}
	}
	if o.code != exitCheck || !strings.Contains(o.stderr, "checks failed") {
		t.Errorf("exit %d, stderr %q", o.code, o.stderr)
	}
}

func TestDoctorInterrupted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	code := Run(ctx, []string{"doctor", "--json"}, getenv(h.vars), strings.NewReader(""), &out, &out)
	if f := failed(t, out.String()); code != exitInterrupted || f.Code != "INTERRUPTED" {
		t.Errorf("exit %d, %+v", code, f)
	}
}

func TestDoctorLeavesNoTrace(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	path := filepath.Join(h.dir, "never.db")
	rounds(t, h.with(map[string]string{"ROUNDS_LEDGER": "sqlite:" + path}), "doctor")
	if _, err := os.Stat(path); err == nil {
		t.Error("doctor made a ledger")
	}
	for _, name := range []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_CACHE_REDIS"} {
		rdb, err := redisconn.Dial(h.vars[name], redisconn.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := rdb.DBSize(t.Context()).Result(); err != nil || n != 0 {
			t.Errorf("%s: %d keys left (%v)", name, n, err)
		}
		_ = rdb.Close()
	}
}

func TestWeighClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		theirs time.Time
		travel time.Duration
		want   string
	}{
		"same":                 {now, 0, verdictOK},
		"half the travel away": {now.Add(2 * time.Second), 4 * time.Second, verdictOK},
		"a little ahead":       {now.Add(1500 * time.Millisecond), 0, verdictWarn},
		"a little behind":      {now.Add(-1500 * time.Millisecond), 0, verdictWarn},
		"far behind":           {now.Add(-time.Minute), 0, verdictFail},
		"far ahead":            {now.Add(time.Hour), 0, verdictFail},
	} {
		f := weighClock("clock", now, c.theirs, c.travel)
		if f.Verdict != c.want || (f.Fix == "") != (c.want == verdictOK) {
			t.Errorf("%s: %+v, want %s", name, f, c.want)
		}
	}
}

// TestWeighAspects holds the findings of the queue's check against the line each belongs to.
func TestWeighAspects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		aspect string
		note   redisconn.Finding
		want   string
	}{
		{"", redisconn.Finding{Code: "version", Fatal: true}, verdictFail},
		{"policy", redisconn.Finding{Code: "version", Fatal: true}, verdictOK},
		{"policy", redisconn.Finding{Code: "policy", Fatal: true}, verdictFail},
		{"persistence", redisconn.Finding{Code: "policy", Fatal: true}, verdictOK},
		{"persistence", redisconn.Finding{Code: "persistence"}, verdictWarn},
		{"policy", redisconn.Finding{Code: "unknown"}, verdictWarn},
		{"shared", redisconn.Finding{Code: "shared", Fatal: true}, verdictFail},
	} {
		f := weigh(finding{Verdict: verdictOK}, c.aspect, []redisconn.Finding{c.note})
		if f.Verdict != c.want || (f.Fix == "") != (c.want == verdictOK) {
			t.Errorf("%q with %+v: %+v, want %s and its fix", c.aspect, c.note, f, c.want)
		}
	}
}
