package redistest

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server of one test, configured as an operator would configure it.
type Server struct {
	socket string
	dir    string
}

// root is the user that Start adds to the ACL file: tests read the server's ACL log, which no other
// user may.
const root, rootPassword = "redistest", "redistest"

// Start starts a redis-server with a configuration file and an ACL file and stops it when the test
// ends. The server listens on a unix socket in a directory of its own, keeps its data there, and
// has one more user than the ACL file, with all rights; everything else is as the files configure
// it. Directives in extra override the file: "--port", "0".
func Start(t testing.TB, config, acl string, extra ...string) *Server {
	t.Helper()
	users, err := os.ReadFile(acl)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	dir, err := os.MkdirTemp("", "redistest") //nolint:usetesting // t.TempDir is too long a name for a socket
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{socket: filepath.Join(dir, "s"), dir: dir}
	all := strings.TrimRight(string(users), "\n") + "\nuser " + root + " on >" + rootPassword + " ~* &* +@all\n"
	if err := os.WriteFile(filepath.Join(dir, "users.acl"), []byte(all), 0o600); err != nil {
		t.Fatalf("redistest: %v", err)
	}
	args := append([]string{
		config, "--aclfile", filepath.Join(dir, "users.acl"), "--port", "0", "--unixsocket", s.socket,
		"--dir", dir, "--logfile", filepath.Join(dir, "log"),
	}, extra...)
	cmd := exec.Command("redis-server", args...)
	if err := cmd.Start(); err != nil {
		t.Fatalf("redistest: start redis-server: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if err := waitReady(s.socket, root, rootPassword); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Fatalf("redistest: %v\n%s", err, log)
	}
	return s
}

// URL returns the server's address for a user.
func (s *Server) URL(user, password string) string {
	return (&url.URL{Scheme: "unix", User: url.UserPassword(user, password), Path: s.socket}).String()
}

// RootURL returns the server's address for the user that Start added.
func (s *Server) RootURL() string { return s.URL(root, rootPassword) }

// Client returns a client that authenticates as the user and is closed when the test ends.
func (s *Server) Client(t testing.TB, user, password string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Network: "unix", Addr: s.socket, Username: user, Password: password,
		ContextTimeoutEnabled: true, DisableIdentity: true, MaxRetries: -1,
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Refusals returns what the server's ACL has refused since it started: for each log entry the user,
// the reason and the command, key or channel.
func (s *Server) Refusals(t testing.TB) []string {
	t.Helper()
	entries, err := s.Client(t, root, rootPassword).ACLLog(context.Background(), 0).Result()
	if err != nil {
		t.Fatalf("redistest: read the ACL log: %v", err)
	}
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.Username+" "+e.Reason+" "+e.Object)
	}
	return out
}
