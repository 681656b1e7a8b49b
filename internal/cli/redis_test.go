package cli

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// guarded is an environment of two servers with the users of the compose file, as the operator.
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

// Every command works with the rights that an operator has, sends nothing that is refused, and shows no name of a
// person, whoever wrote it into Redis.
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
				t.Errorf("%v shows what it must not:\n%s", args, o.stdout)
			}
		}
	}
	for _, s := range []*redistest.Server{queueRedis, cacheRedis} {
		if refused := s.Refusals(t); len(refused) > 0 {
			t.Errorf("refused: %q", refused)
		}
	}

	m := document[memoryDoc](t, rounds(t, vars, "redis", "memory", "--json").stdout).Servers
	var families []string
	for _, f := range m[0].Families {
		families = append(families, f.Family)
		if f.Keys < 1 || f.Mean < 1000 || f.Bytes < f.Mean || f.Most < f.Mean {
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

	h := document[healthDoc](t, rounds(t, vars, "redis", "health", "--json", "--role", "queue").stdout)
	if len(h.Servers) != 1 || h.Servers[0].Version == "unknown" || h.Servers[0].Replication != "master" || len(h.Servers[0].Findings) != 5 || !h.OK {
		t.Errorf("%+v", h)
	}
	slow := document[slowlogDoc](t, rounds(t, vars, "redis", "slowlog", "--json", "--limit", "128").stdout).Servers[0].Entries
	if i := slices.IndexFunc(slow, func(s slowDoc) bool { return s.Command == "set" && s.Family == "asynq:{sync}:t" }); i < 0 || slow[i].Arguments < 2 || slow[i].Bytes < 100 {
		t.Errorf("%+v", slow)
	}
	clients := document[clientsDoc](t, rounds(t, vars, "redis", "clients", "--json").stdout).Servers[0]
	if i := slices.IndexFunc(clients.Clients, func(g clientGroup) bool { return g.Name == "worker-1" && g.User == "redistest" }); i < 0 || clients.Clients[i].Host != "local socket" {
		t.Errorf("%+v", clients)
	}
	l := document[latencyDoc](t, rounds(t, vars, "redis", "latency", "--json").stdout).Servers[0]
	if l.Pings != 50 || l.Least > l.Median || l.Median > l.P99 || l.P99 > l.Most || len(l.Commands) == 0 || l.Commands[0].Calls == 0 {
		t.Errorf("%+v", l)
	}
}

// A user with few rights, as a managed service may give, gets an answer about what is missing.
func TestRedisCommandsWithoutRights(t *testing.T) {
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

func TestRedisGone(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"ROUNDS_ENV": "dev", "ROUNDS_CACHE_REDIS": "redis://:hush@" + gone(t)}
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

func TestKeyGroup(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"asynq:{sync}:t:sync-abc-1": "asynq:{sync}:t", "asynq:{sync}:pending": "asynq:{sync}:pending", "asynq:{jane}:t:x": "asynq:{*}:t",
		"q1:{warm}:o:x": "q1:{warm}:o", "c1:{clinic-a}:d:patient:1:-:abc": "c1:{*}:d", "c1:{clinic-a}": "c1:{*}",
		"f1:{clinic-a}:GetPatient": "f1:{*}", "asynq:queues": "asynq:queues", "asynq:servers:{host:1:x}": "asynq:servers",
		"jane": "other", "patient:jane-doe": "other", "": "", "c1:{a}:Jane Doe": "c1:{*}", "c1:{a}:jane": "c1:{*}", "patient:{jane}:jane": "other", strings.Repeat("a", 1<<16): "other", "\x00": "other",
	} {
		if got := keyGroup(key); got != want {
			t.Errorf("%.40q: %q, want %q", key, got, want)
		}
	}
}

func TestReadSlow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want slowDoc
	}{
		{nil, slowDoc{Command: "unknown"}},
		{[]string{"GET", "c1:{a}:d:x"}, slowDoc{Command: "get", Family: "c1:{*}:d", Arguments: 1, Bytes: 10}},
		{[]string{"EVALSHA", "0123", "2", "asynq:{sync}:pending", "x"}, slowDoc{Command: "evalsha", Family: "asynq:{sync}:pending", Arguments: 4, Bytes: 26}},
		{[]string{"EVAL", "return 'Jane Doe'"}, slowDoc{Command: "eval", Arguments: 1, Bytes: 17}},
		{[]string{"AUTH", "jane", "hush"}, slowDoc{Command: "auth", Arguments: 2, Bytes: 8}},
		{[]string{"MEMORY", "USAGE", "jane"}, slowDoc{Command: "memory", Family: "other", Arguments: 2, Bytes: 9}},
		{[]string{"Jane Doe", "x"}, slowDoc{Command: "unknown", Family: "other", Arguments: 1, Bytes: 1}},
	} {
		got := readSlow(goredis.SlowLog{Args: c.args})
		got.At = time.Time{}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.args, diff)
		}
	}
}

func TestWeighLoad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		field, value string
		role         redisconn.Role
		check, want  string
	}{
		"all well":           {"", "", redisconn.RoleQueue, "queue-redis-memory", verdictOK},
		"no limit":           {"maxmemory", "0", redisconn.RoleQueue, "queue-redis-memory", verdictWarn},
		"queue fills":        {"used_memory", "850", redisconn.RoleQueue, "queue-redis-memory", verdictWarn},
		"queue is full":      {"used_memory", "990", redisconn.RoleQueue, "queue-redis-memory", verdictFail},
		"cache is full":      {"used_memory", "990", redisconn.RoleCache, "cache-redis-memory", verdictOK},
		"queue evicts":       {"evicted_keys", "1", redisconn.RoleQueue, "queue-redis-evictions", verdictFail},
		"cache evicts":       {"evicted_keys", "1", redisconn.RoleCache, "cache-redis-evictions", verdictWarn},
		"many clients":       {"connected_clients", "81", redisconn.RoleQueue, "queue-redis-clients", verdictWarn},
		"too many clients":   {"connected_clients", "99", redisconn.RoleQueue, "queue-redis-clients", verdictFail},
		"clients refused":    {"rejected_connections", "1", redisconn.RoleQueue, "queue-redis-clients", verdictWarn},
		"file not written":   {"aof_last_write_status", "err", redisconn.RoleQueue, "queue-redis-disk", verdictFail},
		"snapshot failed":    {"rdb_last_bgsave_status", "err", redisconn.RoleCache, "cache-redis-disk", verdictWarn},
		"loading":            {"loading", "1", redisconn.RoleQueue, "queue-redis-disk", verdictWarn},
		"a replica":          {"role", "slave", redisconn.RoleQueue, "queue-redis-replicas", verdictFail},
		"nonsense":           {"used_memory", "Jane Doe", redisconn.RoleQueue, "queue-redis-memory", verdictOK},
		"negative nonsense":  {"maxmemory", "-9223372036854775808", redisconn.RoleQueue, "queue-redis-memory", verdictOK},
		"server says little": {"all", "", redisconn.RoleQueue, "queue-redis-clients", verdictOK},
	} {
		info := map[string]string{"used_memory": "100", "maxmemory": "1000", "connected_clients": "1", "maxclients": "100", "role": "master"}
		info[c.field] = c.value
		if c.field == "all" {
			info = nil
		}
		found := weighLoad(info, c.role)
		i := slices.IndexFunc(found, func(f finding) bool { return f.Check == c.check })
		if f := found[i]; f.Verdict != c.want || (f.Fix == "") != (c.want == verdictOK) || f.Evidence == "" || f.Means == "" || strings.Contains(f.Evidence, "Jane") {
			t.Errorf("%s: %+v, want %s", name, f, c.want)
		}
	}
	big := map[string]string{"used_memory": fmt.Sprint(1 << 30), "maxmemory": fmt.Sprint(4 << 30), "mem_fragmentation_ratio": "2.1"}
	if f := weighMemory(big, redisconn.RoleCache, "m"); f.Verdict != verdictWarn || !strings.Contains(f.Evidence, "2.1 times") {
		t.Errorf("fragmented: %+v", f)
	}
	good, bad := weighLoad(nil, redisconn.RoleQueue), weighLoad(map[string]string{"role": "slave"}, redisconn.RoleQueue)
	if w := worst(bad, good); w[4].Verdict != verdictFail {
		t.Errorf("of two servers the worse one counts: %+v", w)
	}
}

func TestGroupClients(t *testing.T) {
	t.Parallel()
	text := "id=1 addr=10.0.0.5:1 name=worker age=10 idle=1 qbuf=5 omem=1 cmd=evalsha user=worker\n" +
		"id=2 addr=10.0.0.5:2 name=worker age=20 idle=0 qbuf=0 omem=99999999 cmd=client|list user=worker\n" +
		"id=3 addr=/tmp/jane/s:0 name=Jane\\x20Doe age=x cmd=NULL user=default\n\nnonsense\n"
	want := []clientGroup{
		{User: "worker", Host: "10.0.0.5", Name: "worker", Connections: 2, Oldest: 20, Idle: 1, Buffers: 100000005, Commands: []string{"client.list", "evalsha"}},
		{User: "default", Host: "local socket", Name: "[11 bytes]", Connections: 1, Commands: []string{"NULL"}},
	}
	got := groupClients(text)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clients (-want +got):\n%s", diff)
	}
	c := serverClients{Clients: append(got, clientGroup{User: "default", Host: "10.0.0.9"})}
	c.advise("")
	if len(c.Advice) != 2 || !strings.Contains(c.Advice[0], "reads too slowly") || !strings.Contains(c.Advice[1], "10.0.0.9 connects as the default user") {
		t.Errorf("%q", c.Advice)
	}
}

func TestLatencyAdvice(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]serverLatency{
		"nothing stands out": {Median: 100, P99: 300},
		"slow from here":     {Median: 9000, P99: 10000},
		"much slower":        {Median: 100, P99: 90_000},
		"the disk":           {Median: 100, Events: []eventDoc{{Event: "aof-fsync-always"}}},
		"the server refuses": {Median: 100},
	} {
		said := ""
		if strings.HasPrefix(want, "the server") {
			said = "the server refuses LATENCY: NOPERM"
		}
		l.advise(said)
		if len(l.Advice) != 1 || !strings.Contains(l.Advice[0], want) {
			t.Errorf("%s: %q", want, l.Advice)
		}
	}
}

func TestBusiest(t *testing.T) {
	t.Parallel()
	info := map[string]string{
		"cmdstat_get": "calls=10,usec=20,usec_per_call=2.00", "cmdstat_client|list": "calls=1,usec=900", "cmdstat_x": "calls=0,usec=0",
		"cmdstat_Jane Doe": "calls=1,usec=1", "other": "calls=1,usec=1", "cmdstat_bad": "calls=many",
	}
	for i := range 20 {
		info[fmt.Sprintf("cmdstat_c%02d", i)] = "calls=1,usec=0"
	}
	got := busiest(info)
	want := []commandDoc{{"client.list", 1, 900, 900}, {"get", 10, 20, 2}, {"[8 bytes]", 1, 1, 1}}
	if len(got) != shownCommands || !cmp.Equal(got[:3], want) {
		t.Errorf("%+v", got)
	}
}

func TestRefusalHidesTheClientsWords(t *testing.T) {
	t.Parallel()
	said, err := refusal("PING", &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}, Err: errors.New("refused")})
	if said != "" || !errors.Is(err, redisconn.ErrUnavailable) || strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("%q, %v", said, err)
	}
}

func TestBytesText(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 10239: "10239 B", 10240: "10 KiB", 10 << 20: "10 MiB", 10 << 30: "10 GiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// Whatever strangers called their keys, clients and commands: what is shown of them is names of ours, or a length.
func FuzzShownOfRedis(f *testing.F) {
	f.Add("asynq:{sync}:t:x", "id=1 addr=10.0.0.5:1 name=worker age=10 cmd=get user=default", "EVALSHA")
	f.Add("patient:{Jane Doe}:jane", "id=1 name=Jane\\x20Doe addr=Jane:Doe", "Jane Doe")
	f.Add("c1:{a}:\x00", "id=\x00 \nid==", "get")
	f.Fuzz(func(t *testing.T, key, clients, command string) {
		const names = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/+"
		for _, group := range []string{keyGroup(key), readSlow(goredis.SlowLog{Args: []string{command, key, key, key}}).Family} {
			known := group == "" || group == "other" || slices.Contains(ourNames, group)
			if space, rest, braces := strings.Cut(group, ":{"); !known {
				slot, part, _ := strings.Cut(rest, "}")
				if !braces || len(space) > 5 || slot != "*" && !queue.KnownLane(slot) || part != "" && !slices.Contains(ourParts, part[1:]) {
					t.Errorf("%q is of the family %q", key, group)
				}
			}
		}
		if c := readSlow(goredis.SlowLog{Args: []string{command}}).Command; strings.Trim(c, names) != "" || len(c) > 20 {
			t.Errorf("%q is the command %q", command, c)
		}
		for _, g := range groupClients(clients) {
			for _, s := range append([]string{g.User, g.Name}, g.Commands...) {
				if strings.Trim(s, names) != "" && !strings.HasPrefix(s, "[") || len(s) > 200 {
					t.Errorf("%q is shown", s)
				}
			}
			if g.Host != "local socket" && net.ParseIP(g.Host) == nil || g.Connections < 1 {
				t.Errorf("%+v", g)
			}
		}
	})
}
