package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestDialReadsEveryScheme(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"redis://user:secret@127.0.0.1:7000/3", "rediss://host", "unix:///tmp/sock?db=2",
		"redis+sentinel://user:secret@a:1,b/mymaster/2?sentinel_user=u&sentinel_password=p&tls=true",
		"redis+cluster://:secret@a,b:7001", "redis+cluster://[::1]:7000",
	} {
		c, err := Dial(url, DialOptions{})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if cluster, ok := c.(*redis.ClusterClient); ok != strings.Contains(url, "cluster") {
			t.Errorf("%s gives %T", url, c)
		} else if ok && (cluster.Options().MaxRetries > 0 || !cluster.Options().ContextTimeoutEnabled) {
			t.Errorf("%s: %+v", url, cluster.Options())
		}
		if single, ok := c.(*redis.Client); ok {
			o := single.Options()
			if o.MaxRetries != 0 || !o.ContextTimeoutEnabled || o.ReadTimeout != defaultTimeout {
				t.Errorf("%s: retries %d, context %v, timeout %v", url, o.MaxRetries, o.ContextTimeoutEnabled, o.ReadTimeout)
			}
			if wantTLS := strings.HasPrefix(url, "rediss") || strings.Contains(url, "tls=true"); (o.TLSConfig != nil) != wantTLS {
				t.Errorf("%s: TLS %v", url, o.TLSConfig != nil)
			}
		}
		_ = c.Close()
	}
}

func TestParseMulti(t *testing.T) {
	t.Parallel()
	got, err := parseMulti("redis+sentinel://user:sec%2Fret@a:1,b,[::1]:2/mymaster/2?sentinel_user=u&sentinel_password=p&tls=true")
	if err != nil {
		t.Fatal(err)
	}
	want := multiURL{
		hosts: []string{"a:1", "b:26379", "[::1]:2"}, user: "user", password: "sec/ret", sentinelUser: "u", sentPw: "p",
		path: []string{"mymaster", "2"}, tls: true,
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(multiURL{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDialErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "host:6379", "http://:hunter2@host", "redis://:hunter2@host:port", "redis://:hunter2@host/notanumber",
		"redis://:hunter2@ho st", "redis://:hunter2@host?hunter2=hunter2", "redis+cluster://:hunter2@a/3", "redis+cluster://:hunter2@a,,b",
		"redis+sentinel://:hunter2@a", "redis+sentinel://:hunter2@a/m/x", "redis+sentinel://:hunter2@a/m/1/2",
		"redis+sentinel://:hunter2@a/m?hunter2=1", "redis+sentinel://:hunter2@a/m?tls=hunter2", "redis+sentinel://:hunter2%zz@a/m", "redis+cluster://a#hunter2",
	} {
		c, err := Dial(url, DialOptions{})
		if !errors.Is(err, ErrURL) {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells the secret: %v", err)
		}
		if c != nil {
			_ = c.Close()
		}
	}
}

func FuzzDial(f *testing.F) {
	f.Add("redis+sentinel://user:hunter2@a:1,b/mymaster/2?tls=true")
	f.Add("redis://:hunter2@host:6379/1")
	f.Add("redis+cluster://[::1]:7000,[::2]/?tls=maybe")
	f.Add("unix://user:hunter2@/run/redis.sock?db=x")
	f.Fuzz(func(t *testing.T, url string) {
		c, err := Dial(url, DialOptions{})
		if (c == nil) == (err == nil) {
			t.Errorf("client %v, error %v", c, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows a password: %v", err)
		}
		if c != nil {
			_ = c.Close()
		}
	})
}

func TestDialWorks(t *testing.T) {
	t.Parallel()
	for _, role := range []Role{RoleQueue, RoleCache} {
		c, err := Dial(redistest.URL(t), DialOptions{Role: role, PoolSize: 3})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		must(t, c.Set(t.Context(), "k", "v", 0).Err())
		want := map[Role]int{RoleQueue: 0, RoleCache: cacheRetries}[role]
		if n := c.(*redis.Client).Options().MaxRetries; n != want { //nolint:forcetypeassert // unix is one server
			t.Errorf("%s client repeats %d times, want %d", role, n, want)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	info := func(version, policy, aof string) map[string]string {
		return map[string]string{"redis_version": version, "maxmemory_policy": policy, "aof_enabled": aof}
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
		{"cache may refuse", info("8.0.0", "noeviction", "0"), RoleCache, true, ""},
		{"no file in dev", info("7.0.15", "noeviction", "0"), RoleQueue, false, "persistence"},
		{"no file in production", info("7.0.15", "noeviction", "0"), RoleQueue, true, "persistence!"},
		{"queue evicts", info("7.0.15", "volatile-ttl", "1"), RoleQueue, false, "policy!"},
		{"queue evicts all", info("7.0.15", "allkeys-lru", "1"), RoleQueue, false, "policy!"},
		{"cache evicts all", info("7.0.15", "allkeys-lfu", "1"), RoleCache, false, "policy!"},
		{"too old", info("6.0.16", "noeviction", "1"), RoleQueue, false, "version!"},
		{"much too old", info("5.9.0", "noeviction", "1"), RoleCache, false, "version!"},
		{"odd version", info("x", "noeviction", "1"), RoleCache, false, "version!"},
		{"silent in dev", nil, RoleQueue, false, "unknown"},
		{"silent in production", nil, RoleQueue, true, "unknown!"},
	} {
		var got []string
		for _, f := range judge(row.info, row.role, row.production) {
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

func TestCheckAsksTheServer(t *testing.T) {
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

func TestRunIDChangesWithARestart(t *testing.T) {
	t.Parallel()
	server := newPrivateRedis(t)
	server.start(t)
	c := dialPrivate(t, server)
	first, err := RunID(t.Context(), c)
	must(t, err)
	again, err := RunID(t.Context(), c)
	must(t, err)
	server.kill()
	server.start(t)
	var second string
	eventually(t, "redis is back", func() bool { second, err = RunID(t.Context(), c); return err == nil })
	must(t, err)
	if first == "" || first != again || first == second {
		t.Errorf("run ids %q, %q, after the restart %q", first, again, second)
	}
	for range 2 {
		if id, err := RunID(t.Context(), redistest.Mini(t)); err != nil || id != embeddedRunID {
			t.Errorf("embedded: %q, %v", id, err)
		}
	}
}

func TestCleanKeepsTextsOut(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		in   error
		want string
	}{
		{nil, "<nil>"},
		{errLost, "redis unavailable"},
		{context.Canceled, "context canceled"},
		{context.DeadlineExceeded, "redis unavailable: context deadline exceeded"},
		{redis.ErrClosed, "redis unavailable"},
		{reply("OOM command not allowed when used memory > 'maxmemory'."), "redis refused: OOM"},
		{reply("something odd about patient 7"), "redis refused: ERR"},
		{reply("ERR user_script:1: attempt to index"), "redis refused: ERR"},
	} {
		got := "<nil>"
		if err := clean(row.in); err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("clean(%v) = %q, want %q", row.in, got, row.want)
		}
	}
}

type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestBackoffIsBounded(t *testing.T) {
	t.Parallel()
	for n := range 100 {
		if d := backoff(n+1, 50*time.Millisecond, 2*time.Second); d <= 0 || d > 2*time.Second+time.Millisecond {
			t.Errorf("try %d waits %v", n, d)
		}
	}
}

func TestWholeSeconds(t *testing.T) {
	t.Parallel()
	for in, want := range map[time.Duration]time.Duration{
		0: time.Second, 1: time.Second, time.Second: time.Second, 1500 * time.Millisecond: 2 * time.Second,
	} {
		if got := wholeSeconds(in); got != want {
			t.Errorf("wholeSeconds(%v) = %v, want %v", in, got, want)
		}
	}
}
