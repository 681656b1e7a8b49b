package process

import (
	"context"
	"io"
	"net"
	"sync"
)

// Proxy forwards connections to an address that can change, like the name of a primary.
type Proxy struct {
	Addr string

	listener net.Listener
	mu       sync.Mutex
	target   string
	open     map[net.Conn]bool
	done     sync.WaitGroup
}

// StartProxy starts a proxy on a free port.
func StartProxy(ctx context.Context, target string) (*Proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: l.Addr().String(), listener: l, target: target, open: map[net.Conn]bool{}}
	p.done.Go(p.accept)
	return p, nil
}

// Move closes all connections and forwards new ones to another address.
func (p *Proxy) Move(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
	for c := range p.open {
		_ = c.Close()
	}
}

// Close ends the proxy.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.Move("")
	p.done.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.forward(in) })
	}
}

func (p *Proxy) forward(in net.Conn) {
	defer func() { _ = in.Close() }()
	out, err := p.dial()
	if err != nil {
		return
	}
	p.done.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
	_, _ = io.Copy(in, out)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, out)
	_ = out.Close()
}

// dial connects to the target and registers the connection, so that Move closes it.
func (p *Proxy) dial() (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := (&net.Dialer{}).Dial("tcp", p.target) // a loopback address accepts or refuses at once
	if err == nil {
		p.open[out] = true
	}
	return out, err
}
