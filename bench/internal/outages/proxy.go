package outages

import (
	"context"
	"errors"
	"net"
	"sync"
)

// proxy forwards connections of the loopback to a store, and can be cut or frozen.
type proxy struct {
	address         string // of the proxy
	network, target string

	mu     sync.Mutex
	l      net.Listener
	open   map[net.Conn]bool
	thawed chan struct{} // closed unless the proxy is frozen
	done   sync.WaitGroup
}

func newProxy(network, target string) (*proxy, error) {
	p := &proxy{address: "127.0.0.1:0", network: network, target: target, open: map[net.Conn]bool{}, thawed: make(chan struct{})}
	close(p.thawed)
	return p, p.listen()
}

// listen accepts connections until cut is called.
func (p *proxy) listen() error {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", p.address)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.l, p.address = l, l.Addr().String()
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

// cut refuses new connections and closes all others.
func (p *proxy) cut() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.l.Close()
	for c := range p.open {
		_ = c.Close()
	}
	return err
}

// freeze makes the store accept connections and bytes, and answer nothing.
func (p *proxy) freeze() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thawed = make(chan struct{})
	return nil
}

// thaw forwards what arrived meanwhile.
func (p *proxy) thaw() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.thawed:
	default:
		close(p.thawed)
	}
	return nil
}

func (p *proxy) close() error {
	err := errors.Join(p.thaw(), ignoreClosed(p.cut()))
	p.done.Wait()
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *proxy) gate() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.thawed
}

func (p *proxy) serve(from net.Conn) {
	var d net.Dialer
	to, err := d.DialContext(context.Background(), p.network, p.target)
	if err != nil {
		_ = from.Close()
		return
	}
	p.mu.Lock()
	p.open[from], p.open[to] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(to, from) })
	both.Go(func() { p.copy(from, to) })
	both.Wait()
	p.mu.Lock()
	delete(p.open, from)
	delete(p.open, to)
	p.mu.Unlock()
}

// copy forwards one direction until either side ends, and then ends both.
func (p *proxy) copy(to, from net.Conn) {
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
