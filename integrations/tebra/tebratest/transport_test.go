package tebratest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// closeRecorder is a body that records whether it was closed.
type closeRecorder struct {
	io.Reader

	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

// A handler produces the same response directly as over a network.
func TestTransportMatchesANetwork(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
		"text":    func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) },
		"late header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-First", "1")
			_, _ = w.Write([]byte("text"))
			w.Header().Set("X-Second", "2")
		},
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("text"))
		},
	} {
		network := httptest.NewServer(handler)
		var got [2]string
		for i, transport := range []http.RoundTripper{tebratest.Transport{Handler: handler}, network.Client().Transport} {
			sent := &closeRecorder{Reader: strings.NewReader("hello")}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, network.URL, sent)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: %v", name, err)
			}
			got[i] = resp.Status + " " + resp.Header.Get("X-First") + resp.Header.Get("X-Second") + string(body)
			if err != nil {
				got[i] += " cut"
			}
			if err := resp.Body.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if i == 0 && !sent.closed { // over a network, the time of closing is unspecified
				t.Errorf("%s: the request body is not closed", name)
			}
		}
		network.Close()
		if got[0] != got[1] {
			t.Errorf("%s: got %q, over a network %q", name, got[0], got[1])
		}
	}
}

func TestTransportEndsWithItsContext(t *testing.T) {
	t.Parallel()
	waits := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	// The context ends before the call, and during it.
	for _, wait := range []time.Duration{-time.Second, time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		sent := &closeRecorder{Reader: strings.NewReader("hello")}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sim", sent)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tebratest.Transport{Handler: waits}.RoundTrip(r)
		if !errors.Is(err, context.DeadlineExceeded) || !sent.closed {
			t.Errorf("%v: %v, request body closed: %t", wait, err, sent.closed)
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
		cancel()
	}
}
