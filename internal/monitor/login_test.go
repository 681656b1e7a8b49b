package monitor

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestEveryPathRequiresALogin(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.testClient(t)
	for _, path := range []string{"/now", "/now/events", "/asynqmon/", "/asynqmon/api/queues", "/asynqmon/static/js/main.5adda2da.chunk.js", "/asynqmon/api/redis_info"} {
		if a := v.get(path); a.code != http.StatusUnauthorized || strings.Contains(a.body, "queue") {
			t.Errorf("%s: %d %q", path, a.code, a.body)
		}
		if a := v.do(http.MethodGet, path, "", "", "Accept", "text/html"); a.code != http.StatusSeeOther || a.header.Get("Location") != "/login" {
			t.Errorf("%s in a browser: %d, to %q", path, a.code, a.header.Get("Location"))
		}
		if a := v.do(http.MethodGet, path, "", "", "Cookie", "rounds=AAAAAAAAAAAAAAAAAAAAAAAAAA"); a.code != http.StatusUnauthorized {
			t.Errorf("%s with a made-up session: %d", path, a.code)
		}
	}
	if a := v.post("/asynqmon/api/queues/sync:pause"); a.code != http.StatusUnauthorized {
		t.Errorf("pausing: %d", a.code)
	}
	if a := v.get("/login"); a.code != http.StatusOK || !strings.Contains(a.body, `type="password"`) {
		t.Errorf("the login page: %d", a.code)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	for name, password := range map[string]string{vic: annsPassword, "unknown": vicsPassword, "": "", ann: strings.Repeat("x", 200)} {
		v := s.testClient(t)
		if a := v.login(name, password); a.code != http.StatusUnauthorized || len(a.header["Set-Cookie"]) > 0 || !strings.Contains(a.body, "Name or password is wrong.") {
			t.Errorf("%q with a wrong password: %d", name, a.code)
		}
	}
	v := s.testClient(t)
	a := v.login(vic, vicsPassword)
	if a.code != http.StatusSeeOther || a.header.Get("Location") != "/now" {
		t.Fatalf("%d %s", a.code, a.body)
	}
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q has no %s", cookie, want)
		}
	}
	if a := v.get("/now"); a.code != http.StatusOK || !strings.Contains(a.body, "vic, viewer") {
		t.Errorf("%d %s", a.code, a.body)
	}
	if a := v.get("/login"); a.code != http.StatusSeeOther {
		t.Errorf("the login page with a session: %d", a.code)
	}
	stolen := strings.TrimPrefix(strings.Split(cookie, ";")[0], "rounds=")
	for _, k := range s.rdb.Keys(t.Context(), "*").Val() {
		if strings.Contains(k, stolen) || strings.Contains(s.rdb.Get(t.Context(), k).Val(), stolen) {
			t.Errorf("Redis contains the token, in %s", k)
		}
	}
	if a := v.post("/logout"); a.code != http.StatusSeeOther {
		t.Errorf("logout: %d", a.code)
	}
	if a := v.do(http.MethodGet, "/now", "", "", "Cookie", "rounds="+stolen); a.code != http.StatusUnauthorized {
		t.Errorf("the session is still valid after the logout: %d", a.code)
	}
}

func TestTooManyAttempts(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.testClient(t)
	a := v.login(vic, "guess")
	for range 10 {
		if a.code != http.StatusUnauthorized {
			break
		}
		a = v.login(vic, "guess")
	}
	if a.code != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", a.code, a.header.Get("Retry-After"))
	}
	if a := v.login(ann, annsPassword); a.code != http.StatusSeeOther {
		t.Errorf("another name cannot log in: %d", a.code)
	}
}

// A changed password, a changed role, a removed login and age each end a session.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, vic)
	key := s.rdb.Keys(t.Context(), "m1:{sessions}:*").Val()[0]
	value := s.rdb.Get(t.Context(), key).Val()
	if ttl := s.rdb.TTL(t.Context(), key).Val(); ttl > sessionIdle || ttl < sessionIdle-time.Minute {
		t.Errorf("kept for %v", ttl)
	}
	fields := strings.Fields(value)
	promoted, _ := s.logins.Find(vic)
	promoted.Role = access.Operator
	for what, spoilt := range map[string]string{
		"of another password": fields[0] + " " + strings.Repeat("0", 32) + " " + fields[2],
		"of another role":     fields[0] + " " + promoted.Fingerprint() + " " + fields[2],
		"of a removed login":  "bob " + fields[1] + " " + fields[2],
		"that is too old":     fields[0] + " " + fields[1] + " 1000",
		"that is malformed":   "x",
	} {
		s.rdb.Set(t.Context(), key, spoilt, time.Minute)
		if a := v.get("/now"); a.code != http.StatusUnauthorized {
			t.Errorf("a session %s: %d", what, a.code)
		}
	}
	s.rdb.Set(t.Context(), key, value, time.Minute)
	if a := v.get("/now"); a.code != http.StatusOK {
		t.Errorf("%d", a.code)
	}
	if ttl := s.rdb.TTL(t.Context(), key).Val(); ttl < 50*time.Minute {
		t.Errorf("after a request the session expires in %v", ttl)
	}
}

// No other site can make a user's browser act.
func TestOtherSitesCannotAct(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, ann)
	for name, headers := range map[string][]string{
		"another site":               {"Sec-Fetch-Site", "cross-site"},
		"another host of the site":   {"Sec-Fetch-Site", "same-site"},
		"an old browser with Origin": {"Sec-Fetch-Site", "", "Origin", "https://elsewhere.example"},
	} {
		for _, path := range []string{"/asynqmon/api/queues/sync:pause", "/logout", "/login"} {
			if a := v.do(http.MethodPost, path, "", "", headers...); a.code != http.StatusForbidden {
				t.Errorf("%s: %s: %d", name, path, a.code)
			}
		}
	}
	if a := v.get("/now"); a.code != http.StatusOK {
		t.Errorf("the session has ended: %d", a.code)
	}
}

// In production a cookie is sent over TLS only, and a Redis that loses tasks is refused.
func TestProduction(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	_, err := Open(t.Context(), Options{QueueURL: redistest.URL(t), LedgerURL: "sqlite:/nowhere", Logins: logins(t), Production: true})
	if !errors.Is(err, redisconn.ErrUnsuitable) || !strings.Contains(err.Error(), "append-only") {
		t.Errorf("a Redis without an append-only file: %v", err)
	}
	s.secure = true
	a := s.testClient(t).login(vic, vicsPassword)
	cookie := a.header.Get("Set-Cookie")
	if !strings.HasPrefix(cookie, "__Host-rounds=") || !strings.Contains(cookie, "Secure") || a.header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%q, %v", cookie, a.header)
	}
}

func TestOpenNamesTheInvalidOption(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		queue, ledger, want string
	}{
		"an invalid queue URL":  {"http://:hush@x", "sqlite:x", "ROUNDS_QUEUE_REDIS"},
		"an invalid ledger URL": {redistest.URL(t), "mysql://:hush@x", "ROUNDS_LEDGER"},
	} {
		_, err := Open(t.Context(), Options{QueueURL: c.queue, LedgerURL: c.ledger, Logins: logins(t)})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush") || errors.Is(err, lifecycle.ErrDependency) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.Context(), Options{QueueURL: redistest.URL(t), LedgerURL: "sqlite:x"}); err == nil {
		t.Error("no error without logins")
	}
}
