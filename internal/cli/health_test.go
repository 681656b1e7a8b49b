package cli

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/lifecycle"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	var h lifecycle.Health
	srv := httptest.NewServer(h.Handler())
	t.Cleanup(srv.Close)
	is := func(path string, code int) {
		t.Helper()
		if out := rounds(t, nil, "health", srv.URL+path); out.code != code {
			t.Errorf("%s: exit %d, want %d: %s", path, out.code, code, out.stderr)
		}
	}
	is("/livez", exitOK)
	is("/startupz", exitCheck)
	is("/readyz", exitCheck)
	h.Started()
	is("/startupz", exitOK)
	is("/readyz", exitOK)
	h.Drain()
	is("/livez", exitOK)
	is("/readyz", exitCheck)
	is("/nothing", exitCheck)
}

func TestHealthIgnoresRedirectsAndProxies(t *testing.T) {
	t.Parallel()
	healthy := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(healthy.Close)
	srv := httptest.NewServer(http.RedirectHandler(healthy.URL, http.StatusFound))
	t.Cleanup(srv.Close)
	out := rounds(t, map[string]string{"HTTP_PROXY": healthy.URL}, "health", srv.URL, "--json")
	if f := failed(t, out.stdout); f.Code != "NOT_WELL" || out.code != exitCheck || !strings.Contains(f.What, "302") {
		t.Errorf("exit %d, %+v", out.code, f)
	}
}

func TestHealthWithoutAnswer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent := "http://" + l.Addr().String()
	if out := rounds(t, nil, "health", silent, "--timeout", "100ms"); out.code != exitTimeout {
		t.Errorf("a silent process: exit %d: %s", out.code, out.stderr)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if out := rounds(t, nil, "health", silent); out.code != exitDependency {
		t.Errorf("no process: exit %d: %s", out.code, out.stderr)
	}
}

func TestHealthAddress(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "127.0.0.1:8081", "ftp://127.0.0.1/", "http:///livez", "http://user:pass@127.0.0.1/", "http://[::1", "http://a b/"} {
		if out := rounds(t, nil, "health", bad); out.code != exitUsage {
			t.Errorf("%q: exit %d", bad, out.code)
		}
	}
	if out := rounds(t, nil, "health"); out.code != exitUsage {
		t.Errorf("no address: exit %d", out.code)
	}
}
