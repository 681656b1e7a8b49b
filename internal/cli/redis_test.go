package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// guarded starts two servers with the users of the compose file and returns the operator's
// environment.
func guarded(t *testing.T, extra ...string) (vars map[string]string, queueRedis, cacheRedis *redistest.Server) {
	t.Helper()
	folder := filepath.Join("..", "..", "deploy", "redis")
	start := func(role string) *redistest.Server {
		return redistest.Start(t, filepath.Join(folder, "redis-"+role+".conf"), filepath.Join(folder, "users-"+role+".acl"), extra...)
	}
	queueRedis, cacheRedis = start("queue"), start("cache")
	return map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": queueRedis.URL("operator", "operator-dev"),
		"ROUNDS_CACHE_REDIS": cacheRedis.URL("operator", "operator-dev"),
	}, queueRedis, cacheRedis
}

// Every command works with the operator's permissions, causes no refusal, and never prints a
// person's name that another program wrote to Redis.
func TestRedisCommandsAsOperator(t *testing.T) {
	t.Parallel()
	vars, queueRedis, cacheRedis := guarded(t, "--slowlog-log-slower-than", "0", "--latency-monitor-threshold", "1")
	for _, s := range []*redistest.Server{queueRedis, cacheRedis} {
		c := s.Client(t, "redistest", "redistest")
		for _, key := range []string{"asynq:{sync}:t:x", "q1:{sync}:g:x", "c1:{clinic-a}:d:patient:1:x:y", "Jane Doe", "patient:{Jane Doe}:jane"} {
			if err := c.Set(t.Context(), key, strings.Repeat("Jane Doe ", 200), 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Do(t.Context(), "CLIENT", "SETNAME", "worker-1").Err(); err != nil {
			t.Fatal(err)
		}
		if err := c.Do(t.Context(), "DEBUG", "SLEEP", "0.01").Err(); err != nil && !strings.Contains(err.Error(), "DEBUG") {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"health"}, {"latency", "--pings", "3"}, {"memory", "--sample", "1000"}, {"slowlog", "--limit", "128"}, {"clients"},
	} {
		for _, format := range []string{"--json", "--timeout=20s"} {
			o := rounds(t, vars, append([]string{"redis", format}, args...)...)
			if o.code != exitOK || o.stderr != "" {
				t.Errorf("%v: %+v", args, o)
			}
			if strings.Contains(strings.ToLower(o.stdout), "jane") || strings.Contains(o.stdout, "operator-dev") {
				t.Errorf("%v prints a name or a password:\n%s", args, o.stdout)
			}
		}
	}
	for _, s := range []*redistest.Server{queueRedis, cacheRedis} {
		if refused := s.Refusals(t); len(refused) > 0 {
			t.Errorf("refused: %q", refused)
		}
	}

	m := document[serversDoc[diagnose.Memory]](t, rounds(t, vars, "redis", "memory", "--json").stdout).Servers
	var families []string
	for _, f := range m[0].Families {
		families = append(families, f.Family)
		if f.Keys < 1 || f.Mean < 1000 || f.Bytes < f.Mean || f.Max < f.Mean {
			t.Errorf("%+v", f)
		}
	}
	slices.Sort(families)
	if want := []string{"asynq:{sync}:t", "c1:{*}:d", "other", "q1:{sync}:g"}; m[0].Keys != 5 || m[0].Sampled != 5 || !slices.Equal(families, want) {
		t.Errorf("%+v, families %q", m[0], families)
	}
	if len(m) != 2 || m[0].Role != "queue" || m[1].Role != "cache" || m[0].Used == 0 || len(m[0].Advice) == 0 {
		t.Errorf("%+v", m)
	}

	h := document[serversDoc[diagnose.Health]](t, rounds(t, vars, "redis", "health", "--json", "--role", "queue").stdout)
	if len(h.Servers) != 1 || h.Servers[0].Version == "unknown" || h.Servers[0].Replication != "master" || len(h.Servers[0].Findings) != 5 || !*h.OK {
		t.Errorf("%+v", h)
	}
	slow := document[serversDoc[diagnose.Slowlog]](t, rounds(t, vars, "redis", "slowlog", "--json", "--limit", "128").stdout).Servers[0].Entries
	if i := slices.IndexFunc(slow, func(s diagnose.SlowCommand) bool { return s.Command == "set" && s.Family == "asynq:{sync}:t" }); i < 0 || slow[i].Arguments < 2 || slow[i].Bytes < 100 {
		t.Errorf("%+v", slow)
	}
	clients := document[serversDoc[diagnose.Clients]](t, rounds(t, vars, "redis", "clients", "--json").stdout).Servers[0]
	if i := slices.IndexFunc(clients.Clients, func(g diagnose.ClientGroup) bool { return g.Name == "worker-1" && g.User == "redistest" }); i < 0 || clients.Clients[i].Host != "local socket" {
		t.Errorf("%+v", clients)
	}
	l := document[serversDoc[diagnose.Latency]](t, rounds(t, vars, "redis", "latency", "--json").stdout).Servers[0]
	if l.Pings != 50 || l.Min > l.Median || l.Median > l.P99 || l.P99 > l.Max || len(l.Commands) == 0 || l.Commands[0].Calls == 0 {
		t.Errorf("%+v", l)
	}
}

// A user with few permissions, as on a managed service, gets a sentence about each refused command.
func TestRedisCommandsWithoutPermissions(t *testing.T) {
	t.Parallel()
	_, s, _ := guarded(t)
	root := s.Client(t, "redistest", "redistest")
	if err := root.Do(t.Context(), "ACL", "SETUSER", "poor", "on", ">hush", "~*", "+ping", "+info", "+dbsize").Err(); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": s.URL("poor", "hush")}
	for noun, refused := range map[string]string{"latency": "LATENCY", "memory": "SCAN", "slowlog": "SLOWLOG", "clients": "CLIENT LIST"} {
		o := rounds(t, vars, "redis", noun, "--role", "queue")
		if o.code != exitOK || !strings.Contains(o.stdout, "the server refuses "+refused+": NOPERM") {
			t.Errorf("%s: %+v", noun, o)
		}
	}
	wrong := map[string]string{"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": s.URL("poor", "wrong")}
	for _, noun := range []string{"health", "latency", "memory", "slowlog", "clients"} {
		o := rounds(t, wrong, "redis", noun, "--role", "queue", "--json")
		if o.code != exitDependency && o.code != exitOK || strings.Contains(o.stdout, "wrong") {
			t.Errorf("%s with a wrong password: %+v", noun, o)
		}
	}
}

func TestRedisUnreachable(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"ROUNDS_ENV": "dev", "ROUNDS_CACHE_REDIS": "redis://:hush@" + progtest.Vacant(t)}
	for _, noun := range []string{"health", "latency", "memory", "slowlog", "clients"} {
		o := rounds(t, vars, "redis", noun, "--role", "cache", "--json")
		if f := failed(t, o.stdout); o.code != exitDependency || f.Code != "DEPENDENCY" || strings.Contains(o.stdout, "hush") || strings.Contains(o.stdout, "127.0.0.1") {
			t.Errorf("%s: %+v", noun, o)
		}
	}
}

func TestRedisBadUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"health", "--role", "main"},
		{"latency", "--pings", "0"},
		{"latency", "--pings", "1000000000"},
		{"memory", "--sample", "-1"},
		{"memory", "--sample", "1000000000"},
		{"slowlog", "--limit", "0"},
		{"clients", "all"},
		{"config"},
	} {
		o := rounds(t, nil, append([]string{"redis", "--json"}, args...)...)
		if f := failed(t, o.stdout); o.code != exitUsage || f.Code != "USAGE" {
			t.Errorf("%v: %+v", args, o)
		}
	}
}
