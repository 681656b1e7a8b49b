package process

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Proxy forwards connections of the loopback to a server. The server's address can change, like
// that of the name of a primary, and the proxy can be cut off and frozen.
type Proxy struct {
	Addr string

	network  string // of the server's address
	mu       sync.Mutex
	listener net.Listener
	isCut    bool
	target   string
	open     map[net.Conn]bool
	thawed   chan struct{} // closed unless the proxy is frozen
	done     sync.WaitGroup
}

// StartProxy starts a proxy on a free port. The network of the target is tcp or unix.
func StartProxy(ctx context.Context, network, target string) (*Proxy, error) {
	p := &Proxy{Addr: "127.0.0.1:0", network: network, target: target, isCut: true, open: map[net.Conn]bool{}, thawed: make(chan struct{})}
	close(p.thawed)
	return p, p.Listen(ctx)
}

// Listen accepts connections again after Cut, on the same port.
func (p *Proxy) Listen(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.Addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener, p.Addr, p.isCut = l, l.Addr().String(), false
	p.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.done.Go(func() { p.serve(c) })
		}
	})
	return nil
}

// Move closes all connections and forwards new ones to another address.
func (p *Proxy) Move(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
	p.closeOpen()
}

// Cut refuses new connections and closes all others.
func (p *Proxy) Cut() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isCut {
		return nil
	}
	p.isCut = true
	err := p.listener.Close()
	p.closeOpen()
	return err
}

// Freeze makes the server accept connections and bytes, and answer nothing.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thawed = make(chan struct{})
}

// Thaw forwards what arrived since Freeze.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.thawed:
	default:
		close(p.thawed)
	}
}

// Close ends the proxy.
func (p *Proxy) Close() error {
	p.Thaw()
	err := p.Cut()
	p.done.Wait()
	return err
}

// closeOpen closes all connections. The caller holds mu.
func (p *Proxy) closeOpen() {
	for c := range p.open {
		_ = c.Close()
	}
}

func (p *Proxy) serve(from net.Conn) {
	to, err := p.dial(from)
	if err != nil {
		_ = from.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.copy(to, from) })
	both.Go(func() { p.copy(from, to) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, from)
	delete(p.open, to)
}

var errCut = errors.New("the proxy is cut off")

// dial connects to the target and registers both connections, so that Move and Cut close them.
func (p *Proxy) dial(from net.Conn) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isCut {
		return nil, errCut
	}
	to, err := (&net.Dialer{}).DialContext(context.Background(), p.network, p.target) // a local address accepts or refuses at once
	if err == nil {
		p.open[from], p.open[to] = true, true
	}
	return to, err
}

// copy forwards one direction until either side ends, and then ends both.
func (p *Proxy) copy(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			<-p.gate()
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// gate returns a channel that is closed when bytes may pass.
func (p *Proxy) gate() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.thawed
}
