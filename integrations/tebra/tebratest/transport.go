package tebratest

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
)

// Transport is an http.RoundTripper that calls a handler directly, without a network. It works
// inside a testing/synctest bubble, where a listener would block. The handler runs on the caller's
// goroutine. The simulator's handler returns when the request's context ends, except with
// FaultHangThenEffect, where the caller waits for the effect.
type Transport struct{ Handler http.Handler }

// Client returns an HTTP client that sends all requests to the server, regardless of their host.
func (s *Server) Client() *http.Client { return &http.Client{Transport: Transport{Handler: s}} }

// RoundTrip implements http.RoundTripper. As over a network, reading a body that is shorter than
// its Content-Length ends with io.ErrUnexpectedEOF.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := r.Clone(r.Context())
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	defer inner.Body.Close()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	rec := &recorder{header: http.Header{}}
	t.Handler.ServeHTTP(rec, inner)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if rec.wasReset {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	rec.WriteHeader(http.StatusOK) // no effect if the handler wrote one
	length := int64(rec.body.Len())
	var body io.Reader = &rec.body
	if want, err := strconv.ParseInt(rec.sent.Get("Content-Length"), 10, 64); err == nil && want > length {
		length, body = want, io.MultiReader(body, cutReader{})
	}
	return &http.Response{
		Status: strconv.Itoa(rec.status) + " " + http.StatusText(rec.status), StatusCode: rec.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rec.sent, ContentLength: length, Body: io.NopCloser(body), Request: r,
	}, nil
}

type cutReader struct{}

func (cutReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// recorder is a minimal http.ResponseWriter.
type recorder struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	body   bytes.Buffer

	wasReset bool
}

func (r *recorder) reset() { r.wasReset = true }

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.sent = status, r.header.Clone()
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}
