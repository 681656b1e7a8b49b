package cli

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// piped is a listener with one in-memory connection, for a synctest bubble.
type piped struct {
	conns chan net.Conn
	ended chan struct{}
}

func (l piped) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}
func (l piped) Close() error   { close(l.ended); return nil }
func (l piped) Addr() net.Addr { return &net.TCPAddr{} }

// A client may wait for a response without limit, but its request must arrive in time.
func TestSimLimitsTimeOfRequests(t *testing.T) {
	t.Parallel()
	const request = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="http://www.kareo.com/api/schemas/"><s:Body>` +
		`<GetThrottles><request><RequestHeader/></request></GetThrottles></s:Body></s:Envelope>`
	for name, tt := range map[string]struct {
		missing int // bytes of the body that are never sent
		want    time.Duration
	}{"response hangs": {0, 5 * time.Minute}, "request incomplete": {9, 30 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			vendor, err := tebratest.New(tebratest.Config{Faults: tebratest.Faults{Hang: true}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			l := piped{make(chan net.Conn, 1), make(chan struct{})}
			served := make(chan error, 1)
			go func() { served <- serve(ctx, l, vendor) }()
			near, far := net.Pipe()
			l.conns <- far
			began := time.Now()
			_ = near.SetReadDeadline(began.Add(5 * time.Minute))
			_, err = fmt.Fprintf(near, "POST %s HTTP/1.1\r\nHost: sim\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n"+
				"SOAPAction: http://www.kareo.com/api/schemas/KareoServices/GetThrottles\r\n\r\n%s", tebratest.Path, len(request)+tt.missing, request)
			if err != nil {
				t.Error(err)
			}
			status, _ := bufio.NewReader(near).ReadString('\n') // an error means that the client timed out first
			if took := time.Since(began); took != tt.want || (tt.missing > 0) != strings.Contains(status, "500") {
				t.Errorf("%s: %q after %v, want %v", name, status, took, tt.want)
			}
			_ = near.Close()
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}
