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

// Health is the state of a process for the platform's probes. The zero value is a process that has
// not started. It does not depend on Redis or the vendor: platforms kill a process that fails its
// liveness probe, and killing every worker does not bring Redis back.
type Health struct {
	started  atomic.Bool
	draining atomic.Bool
}

// Started marks the process as working.
func (h *Health) Started() { h.started.Store(true) }

// Drain marks the process as taking no new work, for good.
func (h *Health) Drain() { h.draining.Store(true) }

// Ready reports whether the process takes new work: it has started and is not draining.
func (h *Health) Ready() bool { return h.started.Load() && !h.draining.Load() }

// Handler answers the probes with 200 or 503 and one word:
//
//	/livez     200 while the process can answer
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

// answer responds with "ok", or with 503 and the reason.
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

// probeLimit bounds each part of a probe: its headers are small and its answer is one word.
const probeLimit = 5 * time.Second

// Server serves one handler on one address until stopped.
type Server struct {
	listener net.Listener
	http     *http.Server
	group    *Group
}

// Serve listens on addr and serves h until Stop. Port 0 takes any free port; see Addr. Serve is for
// short answers such as probes: a client that reads slowly is cut off after five seconds.
func Serve(ctx context.Context, addr string, h http.Handler) (*Server, error) {
	return ServeHTTP(ctx, addr, &http.Server{
		Handler: h, ReadHeaderTimeout: probeLimit, ReadTimeout: probeLimit, WriteTimeout: probeLimit,
		IdleTimeout: 2 * probeLimit, MaxHeaderBytes: 8 << 10,
	})
}

// ServeHTTP is Serve with the caller's server and its limits. The server must not be used for
// anything else.
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

// Addr returns the address that the server listens on, with its actual port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Failed delivers an error when the server stops without being asked.
func (s *Server) Failed() <-chan error { return s.group.Failed() }

// Watch makes g fail when the server stops without being asked.
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

// Stop lets open requests finish until ctx ends, then closes all connections, and waits for the
// server's goroutine.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	return errors.Join(err, s.group.Stop(context.WithoutCancel(ctx)))
}
