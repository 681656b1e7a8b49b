package redisconn

import (
	"errors"
	"strings"
	"testing"

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
		c, err := Dial(url, Options{})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if cluster, ok := c.(*redis.ClusterClient); ok != strings.Contains(url, "cluster") {
			t.Errorf("%s returns %T", url, c)
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
		hosts: []string{"a:1", "b:26379", "[::1]:2"}, user: "user", password: "sec/ret", sentinelUser: "u", sentinelPassword: "p",
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
		c, err := Dial(url, Options{})
		if !errors.Is(err, ErrURL) {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds the secret: %v", err)
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
		c, err := Dial(url, Options{})
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

func TestRolesSetRetries(t *testing.T) {
	t.Parallel()
	for _, role := range []Role{RoleQueue, RoleCache} {
		c, err := Dial(redistest.URL(t), Options{Role: role, PoolSize: 3})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		want := map[Role]int{RoleQueue: 0, RoleCache: cacheRetries}[role]
		if n := c.(*redis.Client).Options().MaxRetries; n != want { //nolint:forcetypeassert // unix is one server
			t.Errorf("%s client repeats %d times, want %d", role, n, want)
		}
	}
}
