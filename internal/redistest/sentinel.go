package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// StartSentinel starts a sentinel that watches a primary by a name and promotes one of its replicas
// half a second after the primary has stopped answering. It returns the sentinel's host and port.
func StartSentinel(t testing.TB, primary *Node, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	host, port, _ := net.SplitHostPort(primary.Addr)
	config := fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 1\n"+
		"sentinel down-after-milliseconds %[1]s 500\nsentinel failover-timeout %[1]s 2000\n", name, host, port)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatalf("redistest: %v", err)
	}
	return startNode(t, []string{file, "--sentinel"}).Addr
}
