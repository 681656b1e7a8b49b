package deploytest

import (
	"bufio"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// roles are the two Redis roles.
var roles = []string{"queue", "cache"}

func start(t *testing.T, role string, extra ...string) *redistest.Server {
	t.Helper()
	dir := filepath.Join(repoRoot, "deploy", "redis")
	return redistest.Start(t, filepath.Join(dir, "redis-"+role+".conf"), filepath.Join(dir, "users-"+role+".acl"), extra...)
}

// forbidden lists commands that no user may send: they change or stop the server, leave it, show
// other users' activity, or list all keys.
var forbidden = [][]any{
	{"FLUSHALL"},
	{"FLUSHDB"},
	{"SWAPDB", 0, 1},
	{"SELECT", 1},
	{"MOVE", "asynq:x", 1},
	{"KEYS", "*"},
	{"RANDOMKEY"},
	{"CONFIG", "GET", "*"},
	{"CONFIG", "SET", "maxmemory", 1},
	{"CONFIG", "REWRITE"},
	{"CONFIG", "RESETSTAT"},
	{"ACL", "LIST"},
	{"ACL", "GETUSER", "worker"},
	{"ACL", "SETUSER", "worker", "+@all"},
	{"ACL", "DELUSER", "worker"},
	{"ACL", "LOAD"},
	{"ACL", "SAVE"},
	{"ACL", "LOG"},
	{"ACL", "LOG", "RESET"},
	{"ACL", "USERS"},
	{"SCRIPT", "FLUSH"},
	{"SCRIPT", "KILL"},
	{"SCRIPT", "DEBUG", "YES"},
	{"FUNCTION", "LOAD", "#!lua name=x\n"},
	{"FUNCTION", "FLUSH"},
	{"FCALL", "f", 0},
	{"DEBUG", "SLEEP", 0},
	{"DEBUG", "JMAP"},
	{"MODULE", "LIST"},
	{"MODULE", "LOAD", "/x.so"},
	{"SHUTDOWN", "NOSAVE"},
	{"REPLICAOF", "NO", "ONE"},
	{"SLAVEOF", "NO", "ONE"},
	{"FAILOVER"},
	{"PSYNC", "?", -1},
	{"SYNC"},
	{"ROLE"},
	{"CLUSTER", "INFO"},
	{"MIGRATE", "h", 1, "asynq:x", 0, 1},
	{"RESTORE", "asynq:x", 0, "x"},
	{"DUMP", "asynq:x"},
	{"MONITOR"},
	{"CLIENT", "KILL", "TYPE", "normal"},
	{"CLIENT", "PAUSE", 1},
	{"CLIENT", "NO-EVICT", "ON"},
	{"SAVE"},
	{"BGSAVE"},
	{"BGREWRITEAOF"},
	{"LASTSAVE"},
	{"SLOWLOG", "RESET"},
	{"LATENCY", "RESET"},
	{"RENAME", "asynq:x", "asynq:y"},
	{"COPY", "asynq:x", "asynq:y"},
	{"SORT", "asynq:x"},
	{"OBJECT", "FREQ", "asynq:x"},
	{"PERSIST", "asynq:x"},
	{"APPEND", "asynq:x", "y"},
	{"SETRANGE", "asynq:x", 1, "y"},
	{"PUBSUB", "CHANNELS"},
	{"PSUBSCRIBE", "*"},
	{"XTRIM", "c1:{clinic-a}:x", "MAXLEN", 0},
	{"XDEL", "c1:{clinic-a}:x", "1-0"},
}

// onlyFor lists commands that only the named users may send.
var onlyFor = map[string]struct {
	command []any
	users   []string // as role/user
}{
	"list all keys":  {[]any{"SCAN", 0}, []string{"queue/operator", "cache/operator"}},
	"count all keys": {[]any{"DBSIZE"}, []string{"queue/operator", "cache/operator"}},
	"slow commands":  {[]any{"SLOWLOG", "GET", 1}, []string{"queue/operator", "cache/operator"}},
	"connections":    {[]any{"CLIENT", "LIST"}, []string{"queue/operator", "cache/operator"}},
	"latency":        {[]any{"LATENCY", "LATEST"}, []string{"queue/operator", "cache/operator"}},
	"any script": {[]any{"EVAL", "return 1", 0}, []string{
		"queue/worker", "queue/scheduler", "queue/gateway", "queue/monitor", "queue/operator",
		"cache/worker", "cache/scheduler", "cache/gateway", "cache/operator",
	}},
	"the server's state": {[]any{"INFO", "server"}, []string{
		"queue/worker", "queue/scheduler", "queue/gateway", "queue/monitor", "queue/operator",
		"cache/worker", "cache/scheduler", "cache/gateway", "cache/operator",
	}},
}

// denied reports whether the server refused a command for lack of permission. Inside a script the
// message differs between Redis versions.
func denied(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "NOPERM") ||
		strings.Contains(err.Error(), "The user executing the script can't") || strings.Contains(err.Error(), "ACL failure in script"))
}

func TestForbiddenCommands(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		// The configuration disables both commands for all users; this test enables them so that
		// only the ACL can refuse them.
		server := start(t, role, "--enable-debug-command", "yes", "--enable-module-command", "yes")
		list := users(t, "deploy/redis/users-"+role+".acl")
		for name, u := range list {
			if !u.on {
				continue
			}
			t.Run(role+"/"+name, func(t *testing.T) {
				t.Parallel()
				c := server.Client(t, name, u.password)
				if err := c.Ping(t.Context()).Err(); err != nil {
					t.Fatalf("cannot log in: %v", err)
				}
				for _, command := range forbidden {
					if err := c.Do(t.Context(), command...).Err(); !denied(err) {
						t.Errorf("%v: %v", command, err)
					}
				}
				for what, only := range onlyFor {
					err := c.Do(t.Context(), only.command...).Err()
					if may := slices.Contains(only.users, role+"/"+name); denied(err) == may {
						t.Errorf("%s: %v, want allowed %v", what, err, may)
					}
				}
			})
		}
	}
}

// one maps each owner to one of its keys.
var one = map[string]string{
	"engine":      "asynq:{sync}:pending",
	"engine, all": "asynq:queues",
	"uniqueness":  "q2:{sync}:g:abc",
	"pace":        "f1:{clinic-a}:p:GetPatient",
	"calendar":    "f1c:{clinic-a}:b:GetPatient",
	"host":        "f1h:{vendor}:b",
	"status":      "s1:{status}:document",
	"sessions":    "m1:{sessions}:abc",
	"versions":    "c1:{clinic-a}:m",
	"entries":     "c1:{clinic-a}:v:board:1:x:abc",
	"events":      "c1:{clinic-a}:x",
	"unknown":     "unknown:key",
	"pattern":     "*",
}

// reaches lists the keys that each user reads and writes; all others must be refused.
var reaches = map[string]struct{ reads, writes []string }{
	"queue/worker":    {nil, []string{"engine", "engine, all", "uniqueness", "pace", "calendar", "host"}},
	"queue/scheduler": {[]string{"pace", "host"}, []string{"engine", "engine, all", "uniqueness", "calendar", "status"}},
	"queue/gateway":   {[]string{"pace", "host"}, []string{"engine", "engine, all", "uniqueness", "calendar"}},
	"queue/monitor":   {[]string{"status"}, []string{"engine", "engine, all", "uniqueness", "sessions"}},
	"queue/operator":  {slices.Collect(maps.Keys(one)), []string{"engine", "engine, all", "uniqueness", "calendar", "host"}},
	"queue/health":    {},
	"cache/worker":    {nil, []string{"versions", "entries", "events"}},
	"cache/scheduler": {nil, []string{"versions"}},
	"cache/gateway":   {nil, []string{"versions", "entries", "events"}},
	"cache/operator":  {slices.Collect(maps.Keys(one)), []string{"versions", "entries", "events"}},
	"cache/health":    {},
}

// TestForeignKeys tries every owner's key as every user, with a command that the user may send,
// directly and in a script.
func TestForeignKeys(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, role := range roles {
		server := start(t, role)
		for name, u := range users(t, "deploy/redis/users-"+role+".acl") {
			if !u.on {
				continue
			}
			tried[role+"/"+name] = true
			t.Run(role+"/"+name, func(t *testing.T) {
				t.Parallel()
				c := server.Client(t, name, u.password)
				r := reaches[role+"/"+name]
				for owner, key := range one {
					writes := slices.Contains(r.writes, owner)
					reads := writes || slices.Contains(r.reads, owner)
					try(t, c, u, reads, "HMGET", key, "f")
					try(t, c, u, reads, "HGET", key, "f")
					try(t, c, u, writes, "HDEL", key, "f")
					try(t, c, u, writes, "HSET", key, "f", "v")
					try(t, c, u, writes, "DEL", key)
				}
			})
		}
	}
	if len(tried) != len(reaches) {
		t.Errorf("tried %v, the table has %d users", slices.Sorted(maps.Keys(tried)), len(reaches))
	}
}

// try sends a command, and sends it again in a script if the user may run scripts. A user without
// the command is refused for every key.
func try(t *testing.T, c *redis.Client, u user, allowed bool, command string, args ...any) {
	t.Helper()
	allowed = allowed && slices.Contains(u.rules, "+"+strings.ToLower(command))
	if err := c.Do(t.Context(), append([]any{command}, args...)...).Err(); denied(err) == allowed {
		t.Errorf("%s %v: %v, want allowed %v", command, args, err, allowed)
	}
	if !slices.Contains(u.rules, "+eval") {
		return
	}
	// The key is not declared, as in asynq's own scripts.
	source := "return redis.call(unpack(ARGV))"
	if err := c.Do(t.Context(), append([]any{"EVAL", source, 0, command}, args...)...).Err(); denied(err) == allowed {
		t.Errorf("%s %v in a script: %v, want allowed %v", command, args, err, allowed)
	}
}

func TestForeignChannels(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		role, user, channel string
		publish, subscribe  bool
	}{
		{"queue", "worker", "asynq:cancel", false, true},
		{"queue", "monitor", "asynq:cancel", true, false},
		{"queue", "operator", "asynq:cancel", true, false},
		{"queue", "gateway", "asynq:cancel", false, false},
		{"queue", "scheduler", "asynq:cancel", false, false},
		{"queue", "worker", "c1:{clinic-a}:b", false, false},
		{"cache", "worker", "c1:{clinic-a}:b", true, false},
		{"cache", "gateway", "c1:{clinic-a}:b", true, true},
		{"cache", "operator", "c1:{clinic-a}:b", true, true},
		{"cache", "scheduler", "c1:{clinic-a}:b", false, false},
		{"cache", "gateway", "asynq:cancel", false, false},
	} {
		t.Run(tc.role+"/"+tc.user+" "+tc.channel, func(t *testing.T) {
			t.Parallel()
			server := start(t, tc.role)
			c := server.Client(t, tc.user, users(t, "deploy/redis/users-"+tc.role+".acl")[tc.user].password)
			if err := c.Publish(t.Context(), tc.channel, "x").Err(); denied(err) == tc.publish {
				t.Errorf("publish: %v, want allowed %v", err, tc.publish)
			}
			sub := c.Subscribe(t.Context(), tc.channel)
			_, err := sub.ReceiveTimeout(t.Context(), 5*time.Second)
			if denied(err) == tc.subscribe {
				t.Errorf("subscribe: %v, want allowed %v", err, tc.subscribe)
			}
			_ = sub.Close()
		})
	}
}

func TestLoginRequired(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		server := start(t, role)
		for _, login := range [][2]string{{"", ""}, {"default", ""}, {"default", "default"}, {"worker", ""}, {"worker", "wrong"}, {"unknown", "x"}} {
			err := server.Client(t, login[0], login[1]).Ping(t.Context()).Err()
			if err == nil || !strings.Contains(err.Error(), "NOAUTH") && !strings.Contains(err.Error(), "WRONGPASS") {
				t.Errorf("%s: %q logs in: %v", role, login[0], err)
			}
		}
	}
}

// TestRedisConfigurationTypos misspells lines of the configuration and ACL files one at a time: the
// server must refuse to start, so that no hardening is lost silently.
func TestRedisConfigurationTypos(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(repoRoot, "deploy", "redis")
	for _, role := range roles {
		conf, acl := read(t, "deploy/redis/redis-"+role+".conf"), read(t, "deploy/redis/users-"+role+".acl")
		refuses := func(name, conf, acl string) {
			t.Run(role+" "+name, func(t *testing.T) {
				t.Parallel()
				if starts(t, conf, acl) {
					t.Error("the server starts")
				}
			})
		}
		for line := range strings.Lines(conf) {
			if word, _, ok := strings.Cut(line, " "); ok && word != "#" {
				refuses(word, strings.Replace(conf, "\n"+line, "\n"+word+"x"+strings.TrimPrefix(line, word), 1), acl)
			}
		}
		refuses("unknown command", conf, strings.Replace(acl, "+ping", "+pingg", 1))
		refuses("unknown subcommand", conf, strings.Replace(acl, "+memory|usage", "+memory|use", 1)+"user x +memory|use\n")
		refuses("unknown word", conf, strings.Replace(acl, "resetkeys", "resetkey", 1))
		refuses("no user", conf, strings.Replace(acl, "user worker", "usr worker", 1))
		refuses("user twice", conf, acl+"user worker on\n")
	}
	if !starts(t, read(t, "deploy/redis/redis-queue.conf"), read(t, "deploy/redis/users-queue.acl")) {
		t.Errorf("the server does not start with the files of %s as they are", dir)
	}
}

// starts reports whether a server starts with these files. It kills the server at once.
func starts(t *testing.T, conf, acl string) bool {
	t.Helper()
	dir, err := os.MkdirTemp("", "redisconf") //nolint:usetesting // t.TempDir is too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for name, text := range map[string]string{"conf": conf, "acl": acl} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "redis-server", filepath.Join(dir, "conf"),
		"--aclfile", filepath.Join(dir, "acl"), "--port", "0", "--unixsocket", filepath.Join(dir, "s"), "--dir", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "eady to accept connections") {
			ready = true
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait() // the output already shows the result
	return ready
}

// TestUserRules checks that every user is off or has a password, starts without permissions, and
// has no command category.
func TestUserRules(t *testing.T) {
	t.Parallel()
	for _, role := range roles {
		list := users(t, "deploy/redis/users-"+role+".acl")
		if u, ok := list["default"]; !ok || u.on || u.password != "" {
			t.Errorf("%s: the default user is not off", role)
		}
		for name, u := range list {
			if u.on && u.password != name+"-dev" {
				t.Errorf("%s/%s: the password is not the development password", role, name)
			}
			for _, want := range []string{"-@all", "resetkeys", "resetchannels"} {
				if !slices.Contains(u.rules, want) && name != "default" {
					t.Errorf("%s/%s lacks %s", role, name, want)
				}
			}
			for _, r := range u.rules {
				if strings.HasPrefix(r, "+@") || r == "nopass" || r == "allkeys" || r == "allchannels" || r == "~*" || r == "&*" || r == "allcommands" {
					t.Errorf("%s/%s is granted %s", role, name, r)
				}
			}
			if seen := len(slices.Compact(slices.Sorted(slices.Values(u.rules)))); seen != len(u.rules) {
				t.Errorf("%s/%s has a duplicate rule", role, name)
			}
		}
	}
}
