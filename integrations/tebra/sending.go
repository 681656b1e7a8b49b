package tebra

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

var errLate = errors.New("the grant is no longer valid")

// sending asks the Pass when a request could be sent, and records how far the request got. If a
// transport reports nothing, as test transports do, the request counts as sent.
type sending struct {
	pass   Pass // nil without a Gate
	cancel context.CancelFunc

	late, connRequested, headersWritten atomic.Bool
}

// confirm asks the Pass whether the request may be sent now.
func (s *sending) confirm(ctx context.Context) bool {
	if s.pass != nil && !s.pass.Confirm(ctx) {
		s.late.Store(true)
	}
	return !s.late.Load()
}

// traced returns ctx with hooks for the transport. Between the first question and the first byte, a
// connection may have to be made, so the Pass is asked again when there is one.
func (s *sending) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { s.connRequested.Store(true) },
		WroteHeaders: func() { s.headersWritten.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			if !s.confirm(ctx) {
				s.cancel()
				closeConn(info.Conn)
			}
		},
	})
}

// closeConn closes a connection on which nothing must be sent: HTTP/1 does not look whether the
// request has been canceled. HTTP/2 does, and other requests share its connection.
func closeConn(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol == "h2" {
		return
	}
	if conn != nil {
		_ = conn.Close()
	}
}

func (s *sending) unsent() bool { return s.connRequested.Load() && !s.headersWritten.Load() }
