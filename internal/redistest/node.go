package redistest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Node is a redis-server on a port of the loopback, which can be a primary or a replica of another
// node. It keeps nothing on disk.
type Node struct {
	// Addr is the node's host and port.
	Addr string

	dir  string
	args []string
	cmd  *exec.Cmd
}

// StartNode starts a primary without data, which is killed when the test ends. Directives in extra
// are added to the node's own.
func StartNode(t testing.TB, extra ...string) *Node {
	t.Helper()
	args := []string{"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"}
	return startNode(t, append(args, extra...))
}

func startNode(t testing.TB, args []string) *Node {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	n := &Node{Addr: free.Addr().String(), dir: t.TempDir(), args: args}
	_ = free.Close()
	t.Cleanup(n.Kill)
	n.Start(t)
	return n
}

// Start starts the node again after a Kill, as a primary without data.
func (n *Node) Start(t testing.TB) {
	t.Helper()
	_, port, _ := net.SplitHostPort(n.Addr)
	args := append(slices.Clone(n.args), "--bind", "127.0.0.1", "--port", port, "--dir", n.dir, "--logfile", "log")
	n.cmd = exec.Command("redis-server", args...)
	if err := n.cmd.Start(); err != nil {
		t.Fatalf("redistest: start redis-server: %v", err)
	}
	c := n.Client(t)
	n.eventually(t, "the node answers", func() bool { return c.Ping(t.Context()).Err() == nil })
}

// Kill ends the node at once, like a crash. It does nothing while the node is not running.
func (n *Node) Kill() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
		n.cmd = nil
	}
}

// Client returns a client of the node, whatever its role, which is closed when the test ends.
func (n *Node) Client(t testing.TB) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: n.Addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Follow makes the node a replica of the primary and waits until it has all of the primary's data.
func (n *Node) Follow(t testing.TB, primary *Node) {
	t.Helper()
	primary.do(t, "ACL", "SETUSER", "default", "+psync", "+sync")
	n.Demote(t, primary)
	n.catchUp(t, primary)
}

func (n *Node) catchUp(t testing.TB, primary *Node) {
	t.Helper()
	mine, want := n.Client(t), offset(info(t, primary.Client(t))["master_repl_offset"])
	n.eventually(t, "the replica has caught up", func() bool {
		own := info(t, mine)
		if own["master_link_status"] != "up" {
			return false
		}
		have := offset(own["slave_repl_offset"])
		if have < 0 { // it was refused PSYNC before and fell back to SYNC, which counts nothing
			n.do(t, "CLIENT", "KILL", "TYPE", "master")
		}
		return have >= want
	})
}

func offset(field string) int64 {
	n, _ := strconv.ParseInt(field, 10, 64)
	return n
}

// Demote makes the node a replica of the primary without waiting for the primary's data.
func (n *Node) Demote(t testing.TB, primary *Node) {
	t.Helper()
	host, port, _ := net.SplitHostPort(primary.Addr)
	n.do(t, "REPLICAOF", host, port)
}

// Promote makes the node a primary. Its connections stay open.
func (n *Node) Promote(t testing.TB) {
	t.Helper()
	n.do(t, "REPLICAOF", "NO", "ONE")
}

// Isolate stops the replication from this node, until another node follows it: replicas keep the
// data that they have.
func (n *Node) Isolate(t testing.TB) {
	t.Helper()
	n.do(t, "ACL", "SETUSER", "default", "-psync", "-sync")
	n.do(t, "CLIENT", "KILL", "TYPE", "replica")
}

// WaitPromoted waits until the node is a primary.
func (n *Node) WaitPromoted(t testing.TB) {
	t.Helper()
	c := n.Client(t)
	n.eventually(t, "the node is promoted", func() bool { return info(t, c)["role"] == "master" })
}

func (n *Node) do(t testing.TB, args ...any) {
	t.Helper()
	c := n.Client(t)
	defer func() { _ = c.Close() }()
	if err := c.Do(context.WithoutCancel(t.Context()), args...).Err(); err != nil {
		t.Fatalf("redistest: %v: %v", args, err)
	}
}

func (n *Node) eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			log, _ := os.ReadFile(filepath.Join(n.dir, "log"))
			t.Fatalf("redistest: not within 20 s: %s\n%s", what, log[max(len(log)-4096, 0):])
		}
	}
}

// info returns the fields of a server's replication; none while it does not answer.
func info(t testing.TB, c *redis.Client) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(c.Info(t.Context(), "replication").Val()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields[name] = value
	}
	return fields
}
