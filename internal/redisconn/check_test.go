package redisconn

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	info := func(version, policy, aof string) map[string]string {
		return map[string]string{"redis_version": version, "maxmemory_policy": policy, "aof_enabled": aof, "master_replid": "ab12"}
	}
	without := func(field string) map[string]string {
		fields := info("7.0.15", "noeviction", "1")
		delete(fields, field)
		return fields
	}
	for _, row := range []struct {
		name       string
		info       map[string]string
		role       Role
		production bool
		want       string // codes, fatal ones with !
	}{
		{"good queue", info("7.0.15", "noeviction", "1"), RoleQueue, true, ""},
		{"good cache", info("6.2.0", "volatile-lru", "0"), RoleCache, true, ""},
		{"cache without eviction", info("8.0.0", "noeviction", "0"), RoleCache, true, ""},
		{"no append-only file in dev", info("7.0.15", "noeviction", "0"), RoleQueue, false, "persistence"},
		{"no append-only file in production", info("7.0.15", "noeviction", "0"), RoleQueue, true, "persistence!"},
		{"queue with volatile policy", info("7.0.15", "volatile-ttl", "1"), RoleQueue, false, "policy!"},
		{"queue with allkeys policy", info("7.0.15", "allkeys-lru", "1"), RoleQueue, false, "policy!"},
		{"cache with allkeys policy", info("7.0.15", "allkeys-lfu", "1"), RoleCache, false, "policy!"},
		{"cache without a replication ID in dev", without("master_replid"), RoleCache, false, "replication"},
		{"cache without a replication ID in production", without("master_replid"), RoleCache, true, "replication!"},
		{"queue without a replication ID", without("master_replid"), RoleQueue, true, ""},
		{"too old", info("6.0.16", "noeviction", "1"), RoleQueue, false, "version!"},
		{"much too old", info("5.9.0", "noeviction", "1"), RoleCache, false, "version!"},
		{"unreadable version", info("x", "noeviction", "1"), RoleCache, false, "version!"},
		{"nothing reported in dev", nil, RoleQueue, false, "unknown"},
		{"nothing reported in production", nil, RoleQueue, true, "unknown!"},
	} {
		var got []string
		for _, f := range classify(row.info, row.role, row.production) {
			code := f.Code
			if f.Fatal {
				code += "!"
			}
			got = append(got, code)
		}
		if s := strings.Join(got, " "); s != row.want {
			t.Errorf("%s: %q, want %q", row.name, s, row.want)
		}
	}
}

func TestCheckReadsTheServer(t *testing.T) {
	t.Parallel()
	a, b := redistest.New(t), redistest.New(t)
	got, err := Check(t.Context(), a, RoleQueue, true)
	if err != nil || len(got) != 1 || got[0].Code != "persistence" || !got[0].Fatal {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := Check(t.Context(), a, RoleCache, true); err != nil || len(got) != 0 {
		t.Errorf("as a cache: %+v, %v", got, err)
	}
	for _, production := range []bool{false, true} {
		got, err := CheckShared(t.Context(), a, b, production)
		if err != nil || len(got) != 1 || got[0].Code != "shared" || got[0].Fatal != production {
			t.Errorf("production %v: %+v, %v", production, got, err)
		}
	}
	mini := redistest.Mini(t)
	if got, err := CheckShared(t.Context(), a, mini, true); err != nil || len(got) != 0 {
		t.Errorf("two servers: %+v, %v", got, err)
	}
	if got, err := CheckShared(t.Context(), mini, mini, true); err != nil || len(got) != 0 {
		t.Errorf("embedded: %+v, %v", got, err)
	}
	_ = a.Close()
	if _, err := Check(t.Context(), a, RoleQueue, true); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
	if _, err := CheckShared(t.Context(), b, a, true); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}

func TestEnforce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	note, fatal := Finding{Code: "persistence", Text: "no append-only file"}, Finding{Code: "version", Text: "too old", Fatal: true}
	if err := Enforce(t.Context(), logger, "queue-redis", []Finding{note}); err != nil || !strings.Contains(log.String(), "code=persistence") {
		t.Errorf("%v; log: %s", err, log.String())
	}
	err := Enforce(t.Context(), logger, "queue-redis", []Finding{note, fatal})
	if want := "queue-redis: redis is set up in a way that loses data: too old"; !errors.Is(err, ErrUnsuitable) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
