package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Health is where a process is in its life. The zero value has not started. It knows nothing of Redis or the vendor on
// purpose: platforms kill what fails its liveness probe, and killing every worker does not bring Redis back.
type Health struct {
	started  atomic.Bool
	draining atomic.Bool
}

// Started says that the process does its work from now on.
func (h *Health) Started() { h.started.Store(true) }

// Drain says that the process takes no new work. It cannot be taken back.
func (h *Health) Drain() { h.draining.Store(true) }

// Ready tells whether the process takes new work: started, and not draining.
func (h *Health) Ready() bool { return h.started.Load() && !h.draining.Load() }

// Handler answers the probes with 200 or 503 and one word:
//
//	/livez     200 as long as the process can answer at all
//	/startupz  200 once started
//	/readyz    200 when started and not draining
func (h *Health) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", answer(func() (bool, string) { return true, "alive" }))
	mux.HandleFunc("GET /startupz", answer(func() (bool, string) { return h.started.Load(), "starting" }))
	mux.HandleFunc("GET /readyz", answer(func() (bool, string) {
		if h.draining.Load() {
			return false, "draining"
		}
		return h.Ready(), "starting"
	}))
	return mux
}

// answer writes ok, or 503 with the reason.
func answer(probe func() (ok bool, otherwise string)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		word := "ok"
		if ok, otherwise := probe(); !ok {
			w.WriteHeader(http.StatusServiceUnavailable)
			word = otherwise
		}
		_, _ = w.Write([]byte(word + "\n"))
	}
}

// probeLimit bounds everything about a probe: its headers are small and its answer is one word.
const probeLimit = 5 * time.Second

// Server serves one handler on one address until stopped.
type Server struct {
	listener net.Listener
	http     *http.Server
	group    *Group
}

// Serve listens on addr and serves h from a goroutine that Stop waits for. Port 0 takes any free port; see Addr. It is
// for short answers, such as probes: whoever reads slowly is cut off after five seconds.
func Serve(ctx context.Context, addr string, h http.Handler) (*Server, error) {
	return ServeHTTP(ctx, addr, &http.Server{
		Handler: h, ReadHeaderTimeout: probeLimit, ReadTimeout: probeLimit, WriteTimeout: probeLimit,
		IdleTimeout: 2 * probeLimit, MaxHeaderBytes: 8 << 10,
	})
}

// ServeHTTP is Serve for a server whose limits are the caller's. The server is not used for anything else.
func ServeHTTP(ctx context.Context, addr string, srv *http.Server) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{listener: l, http: srv, group: NewGroup(context.WithoutCancel(ctx))}
	err = s.group.Go("serve", func(context.Context) error {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return s, err
}

// Addr returns the address that the server listens on, with the port it got.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Failed delivers an error when the server stops serving by itself.
func (s *Server) Failed() <-chan error { return s.group.Failed() }

// Watch makes g fail when the server stops serving by itself.
func (s *Server) Watch(g *Group, name string) error {
	return g.Go(name, func(ctx context.Context) error {
		select {
		case err := <-s.Failed():
			return err
		case <-ctx.Done():
			return nil
		}
	})
}

// Stop lets answers that are on their way finish until ctx ends, then closes all connections, and waits for the
// server's goroutine.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	return errors.Join(err, s.group.Stop(context.WithoutCancel(ctx)))
}
