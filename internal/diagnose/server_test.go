package diagnose

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

func TestKeyFamily(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"asynq:{sync}:t:sync-abc-1": "asynq:{sync}:t", "asynq:{sync}:pending": "asynq:{sync}:pending", "asynq:{jane}:t:x": "asynq:{*}:t",
		"q1:{warm}:o:x": "q1:{warm}:o", "q2:{lab.sync}:g:x": "q2:{lab.sync}:g", "c1:{lab.sync}:d:x": "c1:{*}:d", "c1:{clinic-a}:d:patient:1:-:abc": "c1:{*}:d", "c1:{clinic-a}": "c1:{*}",
		"f1:{clinic-a}:GetPatient": "f1:{*}", "asynq:queues": "asynq:queues", "asynq:servers:{host:1:x}": "asynq:servers",
		"jane": "other", "patient:jane-doe": "other", "": "", "c1:{a}:Jane Doe": "c1:{*}", "c1:{a}:jane": "c1:{*}", "patient:{jane}:jane": "other", strings.Repeat("a", 1<<16): "other", "\x00": "other",
	} {
		if got := keyFamily(key); got != want {
			t.Errorf("%.40q: %q, want %q", key, got, want)
		}
	}
}

func TestReadSlow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want SlowCommand
	}{
		{nil, SlowCommand{Command: "unknown"}},
		{[]string{"GET", "c1:{a}:d:x"}, SlowCommand{Command: "get", Family: "c1:{*}:d", Arguments: 1, Bytes: 10}},
		{[]string{"EVALSHA", "0123", "2", "asynq:{sync}:pending", "x"}, SlowCommand{Command: "evalsha", Family: "asynq:{sync}:pending", Arguments: 4, Bytes: 26}},
		{[]string{"EVAL", "return 'Jane Doe'"}, SlowCommand{Command: "eval", Arguments: 1, Bytes: 17}},
		{[]string{"AUTH", "jane", "hush"}, SlowCommand{Command: "auth", Arguments: 2, Bytes: 8}},
		{[]string{"MEMORY", "USAGE", "jane"}, SlowCommand{Command: "memory", Family: "other", Arguments: 2, Bytes: 9}},
		{[]string{"Jane Doe", "x"}, SlowCommand{Command: "unknown", Family: "other", Arguments: 1, Bytes: 1}},
	} {
		got := readSlow(redis.SlowLog{Args: c.args})
		got.At = time.Time{}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.args, diff)
		}
	}
}

func TestGradeLoad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		field, value string
		role         redisconn.Role
		check        string
		want         Grade
	}{
		"healthy":           {"", "", redisconn.RoleQueue, "queue-redis-memory", OK},
		"no limit":          {"maxmemory", "0", redisconn.RoleQueue, "queue-redis-memory", Warn},
		"queue nearly full": {"used_memory", "850", redisconn.RoleQueue, "queue-redis-memory", Warn},
		"queue is full":     {"used_memory", "990", redisconn.RoleQueue, "queue-redis-memory", Fail},
		"cache is full":     {"used_memory", "990", redisconn.RoleCache, "cache-redis-memory", OK},
		"queue evicts":      {"evicted_keys", "1", redisconn.RoleQueue, "queue-redis-evictions", Fail},
		"cache evicts":      {"evicted_keys", "1", redisconn.RoleCache, "cache-redis-evictions", Warn},
		"many clients":      {"connected_clients", "81", redisconn.RoleQueue, "queue-redis-clients", Warn},
		"too many clients":  {"connected_clients", "99", redisconn.RoleQueue, "queue-redis-clients", Fail},
		"clients refused":   {"rejected_connections", "1", redisconn.RoleQueue, "queue-redis-clients", Warn},
		"file not written":  {"aof_last_write_status", "err", redisconn.RoleQueue, "queue-redis-disk", Fail},
		"snapshot failed":   {"rdb_last_bgsave_status", "err", redisconn.RoleCache, "cache-redis-disk", Warn},
		"loading":           {"loading", "1", redisconn.RoleQueue, "queue-redis-disk", Warn},
		"replica":           {"role", "slave", redisconn.RoleQueue, "queue-redis-replicas", Fail},
		"nonsense":          {"used_memory", "Jane Doe", redisconn.RoleQueue, "queue-redis-memory", OK},
		"negative nonsense": {"maxmemory", "-9223372036854775808", redisconn.RoleQueue, "queue-redis-memory", OK},
		"empty INFO":        {"all", "", redisconn.RoleQueue, "queue-redis-clients", OK},
	} {
		info := map[string]string{"used_memory": "100", "maxmemory": "1000", "connected_clients": "1", "maxclients": "100", "role": "master"}
		info[c.field] = c.value
		if c.field == "all" {
			info = nil
		}
		found := gradeLoad(info, c.role)
		i := slices.IndexFunc(found, func(f Finding) bool { return f.Check == c.check })
		if f := found[i]; f.Grade != c.want || (f.Fix == "") != (c.want == OK) || f.Evidence == "" || f.Means == "" || strings.Contains(f.Evidence, "Jane") {
			t.Errorf("%s: %+v, want %s", name, f, c.want)
		}
	}
	big := map[string]string{"used_memory": fmt.Sprint(1 << 30), "maxmemory": fmt.Sprint(4 << 30), "mem_fragmentation_ratio": "2.1"}
	if f := gradeMemory(big, redisconn.RoleCache, "m"); f.Grade != Warn || !strings.Contains(f.Evidence, "2.1 times") {
		t.Errorf("fragmented: %+v", f)
	}
	good, bad := gradeLoad(nil, redisconn.RoleQueue), gradeLoad(map[string]string{"role": "slave"}, redisconn.RoleQueue)
	if w := worst(bad, good); w[4].Grade != Fail {
		t.Errorf("two servers: %+v, want the worse finding", w)
	}
}

func TestGroupClients(t *testing.T) {
	t.Parallel()
	text := "id=1 addr=10.0.0.5:1 name=worker age=10 idle=1 qbuf=5 omem=1 cmd=evalsha user=worker\n" +
		"id=2 addr=10.0.0.5:2 name=worker age=20 idle=0 qbuf=0 omem=99999999 cmd=client|list user=worker\n" +
		"id=3 addr=/tmp/jane/s:0 name=Jane\\x20Doe age=x cmd=NULL user=default\n\nnonsense\n"
	want := []ClientGroup{
		{User: "worker", Host: "10.0.0.5", Name: "worker", Connections: 2, Oldest: 20, Idle: 1, Buffers: 100000005, Commands: []string{"client.list", "evalsha"}},
		{User: "default", Host: "local socket", Name: "[11 bytes]", Connections: 1, Commands: []string{"NULL"}},
	}
	got := groupClients(text)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clients (-want +got):\n%s", diff)
	}
	advice := adviseClients(append(got, ClientGroup{User: "default", Host: "10.0.0.9"}), "")
	if len(advice) != 2 || !strings.Contains(advice[0], "reads too slowly") || !strings.Contains(advice[1], "10.0.0.9 connects as the default user") {
		t.Errorf("%q", advice)
	}
}

func TestLatencyAdvice(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]Latency{
		"nothing unusual":     {Median: 100, P99: 300},
		"slow from this host": {Median: 9000, P99: 10000},
		"much slower":         {Median: 100, P99: 90_000},
		"the disk":            {Median: 100, Events: []LatencyEvent{{Event: "aof-fsync-always"}}},
		"the server refuses":  {Median: 100},
	} {
		refused := ""
		if strings.HasPrefix(want, "the server") {
			refused = "the server refuses LATENCY: NOPERM"
		}
		if advice := l.advise(refused); len(advice) != 1 || !strings.Contains(advice[0], want) {
			t.Errorf("%s: %q", want, advice)
		}
	}
}

func TestBusiestCommands(t *testing.T) {
	t.Parallel()
	info := map[string]string{
		"cmdstat_get": "calls=10,usec=20,usec_per_call=2.00", "cmdstat_client|list": "calls=1,usec=900", "cmdstat_x": "calls=0,usec=0",
		"cmdstat_Jane Doe": "calls=1,usec=1", "other": "calls=1,usec=1", "cmdstat_bad": "calls=many",
	}
	for i := range 20 {
		info[fmt.Sprintf("cmdstat_c%02d", i)] = "calls=1,usec=0"
	}
	got := busiest(info)
	want := []CommandStats{{"client.list", 1, 900, 900}, {"get", 10, 20, 2}, {"[8 bytes]", 1, 1, 1}}
	if len(got) != maxCommands || !cmp.Equal(got[:3], want) {
		t.Errorf("%+v", got)
	}
}

func TestRefusalHidesAddresses(t *testing.T) {
	t.Parallel()
	refused, err := refusal("PING", &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}, Err: errors.New("refused")})
	if refused != "" || !errors.Is(err, redisconn.ErrUnavailable) || strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("%q, %v", refused, err)
	}
}

func TestBytesText(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 10239: "10239 B", 10240: "10 KiB", 10 << 20: "10 MiB", 10 << 30: "10 GiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// FuzzRedactionOfRedis feeds keys, clients and commands that other programs named. Only known names
// and lengths may be shown of them.
func FuzzRedactionOfRedis(f *testing.F) {
	f.Add("asynq:{sync}:t:x", "id=1 addr=10.0.0.5:1 name=worker age=10 cmd=get user=default", "EVALSHA")
	f.Add("patient:{Jane Doe}:jane", "id=1 name=Jane\\x20Doe addr=Jane:Doe", "Jane Doe")
	f.Add("c1:{a}:\x00", "id=\x00 \nid==", "get")
	f.Fuzz(func(t *testing.T, key, clients, command string) {
		const names = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/+"
		for _, group := range []string{keyFamily(key), readSlow(redis.SlowLog{Args: []string{command, key, key, key}}).Family} {
			known := group == "" || group == "other" || slices.Contains(ourNames, group)
			if space, rest, braces := strings.Cut(group, ":{"); !known {
				slot, part, _ := strings.Cut(rest, "}")
				if !braces || len(space) > 5 || slot != "*" && !queue.KnownLane(slot) || part != "" && !slices.Contains(ourParts, part[1:]) {
					t.Errorf("%q: family %q", key, group)
				}
			}
		}
		if c := readSlow(redis.SlowLog{Args: []string{command}}).Command; strings.Trim(c, names) != "" || len(c) > 20 {
			t.Errorf("%q: command %q", command, c)
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
