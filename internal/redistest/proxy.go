package redistest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy forwards connections to an address that a test can change, like the name or the virtual
// address of a primary.
type Proxy struct {
	// Addr is the host and port of the proxy.
	Addr string

	mu     sync.Mutex
	target string
	open   map[net.Conn]bool
	done   sync.WaitGroup
}

// NewProxy starts a proxy, which is closed when the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, open: make(map[net.Conn]bool)}
	p.done.Go(func() { p.accept(l) })
	t.Cleanup(func() { _ = l.Close(); p.Drop(); p.done.Wait() })
	return p
}

// Move forwards connections to another address from now on. Open connections keep their target.
func (p *Proxy) Move(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Drop closes all open connections.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}

func (p *Proxy) accept(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		p.done.Go(func() { p.forward(in, target) })
	}
}

func (p *Proxy) forward(in net.Conn, target string) {
	out, err := net.Dial("tcp", target)
	if err != nil {
		_ = in.Close()
		return
	}
	p.mu.Lock()
	p.open[in] = true
	p.mu.Unlock()
	p.done.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
	_, _ = io.Copy(in, out)
	_ = in.Close()
	p.mu.Lock()
	delete(p.open, in)
	p.mu.Unlock()
}
