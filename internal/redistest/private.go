package redistest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Private is a redis-server for one test, which can kill it and start it again on the same data.
type Private struct {
	dir, socket string
	args        []string
	cmd         *exec.Cmd
}

// NewPrivate returns a server that is not started yet. It is killed and its data removed when the
// test ends. Directives in extra override the server's own.
func NewPrivate(t testing.TB, extra ...string) *Private {
	t.Helper()
	dir, err := os.MkdirTemp("", "redistest") //nolint:usetesting // t.TempDir is too long a name for a socket
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	p := &Private{dir: dir, socket: filepath.Join(dir, "s"), args: extra}
	t.Cleanup(func() { p.Kill(); _ = os.RemoveAll(dir) })
	return p
}

// URL returns the server's address.
func (p *Private) URL() string { return "unix://" + p.socket }

// Start starts the server, which writes every change to its append-only file before it replies, and
// waits until it answers.
func (p *Private) Start(t testing.TB) {
	t.Helper()
	args := append([]string{
		"--port", "0", "--unixsocket", p.socket, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--dir", p.dir, "--logfile", "log",
	}, p.args...)
	p.cmd = exec.Command("redis-server", args...)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("redistest: start redis-server: %v", err)
	}
	if err := waitReady(p.socket, "", ""); err != nil {
		t.Fatalf("redistest: %v", err)
	}
}

// Kill ends the server at once, like a crash. It does nothing while the server is not running.
func (p *Private) Kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// Freeze stops the server's process: it accepts connections and answers nothing until Thaw.
func (p *Private) Freeze(t testing.TB) { p.signal(t, syscall.SIGSTOP) }

// Thaw continues a frozen server.
func (p *Private) Thaw(t testing.TB) { p.signal(t, syscall.SIGCONT) }

func (p *Private) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("redistest: %v", err)
	}
}
