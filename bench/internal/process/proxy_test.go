package process

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// greeter starts a server that sends its name over each connection, and again after each byte.
func greeter(t *testing.T, name string) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 1)
			for _, err = c.Write([]byte(name)); err == nil; _, err = c.Write([]byte(name)) {
				if _, err = c.Read(b); err != nil {
					break
				}
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestProxyMovesCutsAndFreezes(t *testing.T) {
	t.Parallel()
	first, second := greeter(t, "1"), greeter(t, "2")
	p, err := StartProxy(t.Context(), "tcp", first)
	if err != nil {
		t.Fatal(err)
	}
	dial := func() net.Conn {
		t.Helper()
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	read := func(c net.Conn, within time.Duration) string {
		b := make([]byte, 1)
		_ = c.SetReadDeadline(time.Now().Add(within))
		if _, err := io.ReadFull(c, b); err != nil {
			return ""
		}
		return string(b)
	}
	const long, short = 10 * time.Second, 50 * time.Millisecond
	a := dial()
	if got := read(a, long); got != "1" {
		t.Fatalf("the first server sent %q", got)
	}
	p.Move(second)
	if got := read(a, long); got != "" {
		t.Errorf("a connection outlived the move: %q", got)
	}
	b := dial()
	if got := read(b, long); got != "2" {
		t.Errorf("after the move the server sent %q", got)
	}
	p.Freeze()
	_, _ = b.Write([]byte("x"))
	if got := read(b, short); got != "" {
		t.Errorf("a frozen proxy forwarded %q", got)
	}
	p.Thaw()
	if got := read(b, long); got != "2" {
		t.Errorf("after the thaw: %q", got)
	}
	if err := p.Cut(); err != nil {
		t.Fatal(err)
	}
	if got := read(b, long); got != "" {
		t.Errorf("a connection outlived the cut: %q", got)
	}
	if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Addr); err == nil {
		_ = c.Close()
		t.Error("a cut proxy accepts connections")
	}
	if err := p.Listen(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := read(dial(), long); got != "2" {
		t.Errorf("after the cut: %q", got)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
