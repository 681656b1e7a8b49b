package redisconn_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// check fails the test unless err means that the cache is unavailable with the code, or "" for an
// error that is no outage.
func check(t *testing.T, err error, code codes.Code, slow bool) {
	t.Helper()
	if err == nil {
		t.Fatal("the command succeeded")
	}
	got := redisconn.Outage(outage.Cache, err)
	o := outage.Of(got)
	switch {
	case code == "" && (o != nil || !errors.Is(got, err)):
		t.Errorf("%v is %v", err, o)
	case code != "" && (o == nil || o.Code() != code || o.Slow != slow || !errors.Is(got, err)):
		t.Errorf("%v is %+v, want %s", err, o, string(code))
	}
}

var write = redis.NewScript(`return redis.call('SET', KEYS[1], 'v')`)

func TestOutagesOfServers(t *testing.T) {
	t.Parallel()
	server := redistest.NewPrivate(t)
	server.Start(t)
	c, err := redisconn.Dial(server.URL(), redisconn.Options{Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ctx := t.Context()
	set := func() error { return c.Set(ctx, "k", "v", 0).Err() }
	script := func() error { return write.Run(ctx, c, []string{"k"}).Err() }
	if err := errors.Join(set(), script()); err != nil {
		t.Fatal(err)
	}
	check(t, c.LPush(ctx, "k", "v").Err(), "", false)
	check(t, c.Eval(ctx, "return nothing.at.all", nil).Err(), "", false)
	check(t, c.Get(ctx, "missing").Err(), "", false)
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	check(t, c.Set(canceled, "k", "v", 0).Err(), "", false)

	c.ConfigSet(ctx, "maxmemory", "1")
	check(t, set(), codes.CacheFull, false)
	check(t, script(), codes.CacheFull, false)
	c.ConfigSet(ctx, "maxmemory", "0")
	c.ConfigSet(ctx, "min-replicas-to-write", "1")
	check(t, set(), codes.CacheReadOnly, false)
	c.ConfigSet(ctx, "min-replicas-to-write", "0")

	server.Freeze(t)
	check(t, set(), codes.CacheUnavailable, true)
	server.Thaw(t)
	for set() != nil {
		if ctx.Err() != nil {
			t.Fatal("the server does not thaw")
		}
	}
	server.Kill()
	check(t, set(), codes.CacheUnavailable, false) // the connection ends
	check(t, set(), codes.CacheUnavailable, false) // none can be made
	_ = c.Close()
	check(t, set(), "", false)
}

// A server to which no connection can be made is unavailable, whatever the reason is.
func TestFailedConnectionsAreOutages(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewTLSServer(nil)
	t.Cleanup(untrusted.Close)
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	sentinel := redistest.StartSentinel(t, redistest.StartNode(t), "primary")
	for _, url := range []string{
		"rediss://" + untrusted.Listener.Addr().String(), "redis+cluster://" + untrusted.Listener.Addr().String() + "?tls=true",
		"redis+sentinel://" + sentinel + "/unknown", "redis+sentinel://127.0.0.1:1/primary", "redis+cluster://127.0.0.1:1", "redis://127.0.0.1:1",
	} {
		c, err := redisconn.Dial(url, redisconn.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		err = c.Set(t.Context(), "k", "v", 0).Err()
		check(t, err, codes.CacheUnavailable, false)
		if shown := redisconn.Clean(err); !errors.Is(shown, redisconn.ErrUnavailable) || strings.Contains(shown.Error(), ":") {
			t.Errorf("%s is shown as %v", url, shown)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	var d net.Dialer
	_, err := d.DialContext(canceled, "tcp", "127.0.0.1:1")
	check(t, err, "", false)
}

func TestReplicaIsReadOnly(t *testing.T) {
	t.Parallel()
	primary, replica := redistest.StartNode(t), redistest.StartNode(t)
	replica.Follow(t, primary)
	c := replica.Client(t)
	check(t, c.Set(t.Context(), "k", "v", 0).Err(), codes.CacheReadOnly, false)
	check(t, write.Run(t.Context(), c, []string{"k"}).Err(), codes.CacheReadOnly, false)
}

type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

// The replies of scripts on Redis 6.2, and of servers that cannot be brought about here.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for text, code := range map[reply]codes.Code{
		"ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when used memory > 'maxmemory'.":                codes.CacheFull,
		"ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica.": codes.CacheReadOnly,
		"ERR Error running script (call to f_1): @user_script:1: user_script:1: attempt to index a nil value: -OOM":                       "",
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.":                                codes.CacheFull,
		"LOADING Redis is loading the dataset in memory":                                                                                  codes.CacheUnavailable,
		"ERR max number of clients reached":     codes.CacheUnavailable,
		"NOAUTH Authentication required.":       codes.CacheUnavailable,
		"NOPERM User worker has no permissions": "",
		"ERR value is not OOM":                  "",
	} {
		check(t, text, code, false)
	}
}
