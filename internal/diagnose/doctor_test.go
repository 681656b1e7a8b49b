package diagnose

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

func TestRunFindsHealthySite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.storeDataKey(t, s.keys)
	d := run(t, s.vars, true)
	if !d.OK || d.Mode != "dev" {
		t.Errorf("%+v", d)
	}
	want := []string{
		"config", "queue-redis", "queue-redis-policy", "queue-redis-persistence", "queue-redis-scripts",
		"cache-redis", "cache-redis-policy", "cache-redis-persistence", "cache-redis-scripts", "redis-separation",
		"queue-redis-memory", "queue-redis-evictions", "queue-redis-clients", "queue-redis-disk", "queue-redis-replicas",
		"cache-redis-memory", "cache-redis-evictions", "cache-redis-clients", "cache-redis-disk", "cache-redis-replicas",
		"scheduler", "workers", "breakers", "logins", "budgets", "lanes",
		"keyset", "ledger", "ledger-schema", "ledger-tenants", "ledger-keyset", "dead-letters", "alerts", "vendor", "vendor-call",
		"clock-queue-redis", "clock-cache-redis",
	}
	var got []string
	for _, f := range d.Findings {
		got = append(got, f.Check)
		// In tests, one server without persistence and memory limit has both roles: warnings,
		// outside production.
		warned := f.Check == "queue-redis-persistence" || f.Check == "redis-separation" || strings.HasSuffix(f.Check, "-redis-memory")
		// No process has run here yet.
		warned = warned || f.Check == "scheduler" || f.Check == "workers"
		unknown := f.Check == "breakers" || f.Check == "logins" || f.Check == "budgets"
		if f.Grade != OK && !(warned && f.Grade == Warn && f.Fix != "") && !(unknown && f.Grade == Skip) {
			t.Errorf("%+v", f)
		}
		if f.Evidence == "" || f.Means == "" {
			t.Errorf("%s lacks evidence or meaning", f.Check)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
}

func TestRunCallsVendorOnlyOnRequest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	run(t, s.vars, false)
	if n := len(s.vendor.Calls(0)); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// TestRunFindsFault breaks one thing at a time.
func TestRunFindsFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		arrange  func(t *testing.T, s *site) map[string]string // returns the environment
		check    string
		evidence string
	}{
		"queue redis unreachable": {func(t *testing.T, s *site) map[string]string {
			return s.with("ROUNDS_QUEUE_REDIS", "redis://:hush@"+progtest.Vacant(t)+"/0")
		}, "queue-redis", "connection refused"},
		"cache redis unreachable": {func(t *testing.T, s *site) map[string]string {
			return s.with("ROUNDS_CACHE_REDIS", "redis://:hush@"+progtest.Vacant(t)+"/0")
		}, "cache-redis", "connection refused"},
		"queue redis silent": {func(t *testing.T, s *site) map[string]string {
			return s.with("ROUNDS_QUEUE_REDIS", "redis://:hush@"+progtest.Silent(t)+"/0")
		}, "queue-redis", "accepts connections, but"},
		"queue redis unset": {func(_ *testing.T, s *site) map[string]string {
			return s.with("ROUNDS_QUEUE_REDIS", "")
		}, "config", "ROUNDS_QUEUE_REDIS is not set"},
		"keyset is not a keyset": {func(_ *testing.T, s *site) map[string]string {
			return s.with("ROUNDS_KEYS", filepath.Join(s.dir, "tenants.yaml"))
		}, "keyset", "not a keyset"},
		"keyset of another deployment": {func(t *testing.T, s *site) map[string]string {
			other, err := phi.Generate()
			if err != nil {
				t.Fatal(err)
			}
			s.storeDataKey(t, other)
			return s.vars
		}, "ledger-keyset", "clinic-a"},
		"no ledger file": {func(_ *testing.T, s *site) map[string]string {
			return s.with("ROUNDS_LEDGER", "sqlite:"+filepath.Join(s.dir, "other.db"))
		}, "ledger", "does not exist"},
		"postgres unreachable": {func(t *testing.T, s *site) map[string]string {
			return s.with("ROUNDS_LEDGER", "postgres://rounds:hush@"+progtest.Vacant(t)+"/rounds")
		}, "ledger", "refused"},
		"ledger without a schema": {func(t *testing.T, s *site) map[string]string {
			return s.with("ROUNDS_LEDGER", "sqlite:"+s.file(t, "empty.db", ""))
		}, "ledger-schema", "sqlite code"},
		"no tenant": {func(t *testing.T, s *site) map[string]string {
			vars := s.with("ROUNDS_LEDGER", "sqlite:"+filepath.Join(s.dir, "fresh.db"))
			ledgertest.Open(t, vars["ROUNDS_LEDGER"])
			vars["ROUNDS_TENANTS"] = ""
			return vars
		}, "ledger-tenants", "no tenant"},
		"tenant without a practice": {func(t *testing.T, s *site) map[string]string {
			s.applyTenant(t, config.Tenant{ID: "clinic-a", TimeZone: "America/Chicago"})
			return s.vars
		}, "ledger-tenants", "clinic-a has no practice"},
		"vendor unreachable": {func(t *testing.T, s *site) map[string]string {
			return s.with("ROUNDS_TEBRA_ENDPOINT", "http://"+progtest.Vacant(t)+"/soap")
		}, "vendor", "connection refused"},
		"vendor certificate not trusted": {func(t *testing.T, s *site) map[string]string {
			srv := httptest.NewUnstartedServer(s.vendor)
			srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the server would log the failed handshake
			srv.StartTLS()
			t.Cleanup(srv.Close)
			return s.with("ROUNDS_TEBRA_ENDPOINT", srv.URL)
		}, "vendor", "not trusted"},
		"vendor refuses password": {func(t *testing.T, s *site) map[string]string {
			data, err := os.ReadFile(s.vars["ROUNDS_TENANTS"])
			if err != nil {
				t.Fatal(err)
			}
			s.file(t, "tenants.yaml", strings.Replace(string(data), "sim-password", "hush", 1))
			return s.vars
		}, "vendor-call", "unauthenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := c.arrange(t, newSite(t))
			begun := time.Now()
			d := run(t, vars, c.check == "vendor-call")
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
			if d.OK {
				t.Error("the report is ok")
			}
			hit := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.Check == c.check && f.Grade == Fail })
			if hit < 0 {
				t.Fatalf("no failed %s in:\n%+v", c.check, d.Findings)
			}
			if f := d.Findings[hit]; !strings.Contains(f.Evidence, c.evidence) || f.Means == "" || f.Fix == "" {
				t.Errorf("%+v, want evidence with %q, a meaning and a fix", f, c.evidence)
			}
			for _, f := range d.Findings {
				if f.Grade == Fail && f.Check != c.check {
					t.Errorf("%s failed too: %s", f.Check, f.Evidence)
				}
			}
			if text := fmt.Sprint(d); strings.Contains(text, "hush") {
				t.Errorf("a password is printed:\n%s", text)
			}
		})
	}
}

func TestRunCreatesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := filepath.Join(s.dir, "never.db")
	run(t, s.with("ROUNDS_LEDGER", "sqlite:"+path), false)
	if _, err := os.Stat(path); err == nil {
		t.Error("the ledger was created")
	}
	for _, name := range []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_CACHE_REDIS"} {
		rdb, err := redisconn.Dial(s.vars[name], redisconn.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := rdb.DBSize(t.Context()).Result(); err != nil || n != 0 {
			t.Errorf("%s: %d keys left (%v)", name, n, err)
		}
		_ = rdb.Close()
	}
}

func TestGradeClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		theirs time.Time
		travel time.Duration
		want   Grade
	}{
		"same":                        {now, 0, OK},
		"within half the travel time": {now.Add(2 * time.Second), 4 * time.Second, OK},
		"a little ahead":              {now.Add(1500 * time.Millisecond), 0, Warn},
		"a little behind":             {now.Add(-1500 * time.Millisecond), 0, Warn},
		"far behind":                  {now.Add(-time.Minute), 0, Fail},
		"far ahead":                   {now.Add(time.Hour), 0, Fail},
	} {
		f := gradeClock("clock", now, c.theirs, c.travel)
		if f.Grade != c.want || (f.Fix == "") != (c.want == OK) {
			t.Errorf("%s: %+v, want %s", name, f, c.want)
		}
	}
}

// TestGradeAspect matches findings of redisconn.Check with the aspect that each belongs to.
func TestGradeAspect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		aspect string
		note   redisconn.Finding
		want   Grade
	}{
		{"", redisconn.Finding{Code: "version", Fatal: true}, Fail},
		{"policy", redisconn.Finding{Code: "version", Fatal: true}, OK},
		{"", redisconn.Finding{Code: "replication"}, Warn},
		{"persistence", redisconn.Finding{Code: "replication", Fatal: true}, OK},
		{"policy", redisconn.Finding{Code: "policy", Fatal: true}, Fail},
		{"persistence", redisconn.Finding{Code: "policy", Fatal: true}, OK},
		{"persistence", redisconn.Finding{Code: "persistence"}, Warn},
		{"policy", redisconn.Finding{Code: "unknown"}, Warn},
		{"shared", redisconn.Finding{Code: "shared", Fatal: true}, Fail},
	} {
		f := gradeAspect(Finding{Grade: OK}, c.aspect, []redisconn.Finding{c.note})
		if f.Grade != c.want || (f.Fix == "") != (c.want == OK) {
			t.Errorf("%q with %+v: %+v, want %s and its fix", c.aspect, c.note, f, c.want)
		}
	}
}
