package lifecycle

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

func TestStackUndoesInReverse(t *testing.T) {
	t.Parallel()
	var s Stack
	var order []string
	for _, name := range []string{"redis", "ledger", "server"} {
		s.Push(name, func(context.Context) error {
			order = append(order, name)
			return nil
		})
	}
	for range 2 { // the second Close finds nothing left
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"server", "ledger", "redis"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// A step that fails or panics is named in the error and in the log; the other steps still run.
func TestStackNamesFailedSteps(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := Stack{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	ran := 0
	s.Push("redis", func(context.Context) error { ran++; return errBoom })
	s.Push("ledger", func(context.Context) error { ran++; return nil })
	s.Push("server", func(context.Context) error { ran++; panic("patient 4711") })
	err := s.Close(t.Context())
	if ran != 3 {
		t.Errorf("%d steps ran, want 3", ran)
	}
	if want := "stop server: panic\nstop redis: boom"; err == nil || err.Error() != want || !errors.Is(err, errBoom) {
		t.Errorf("error %q, want %q", err, want)
	}
	if n := strings.Count(log.String(), "stop failed"); n != 2 || !strings.Contains(log.String(), "step=redis") ||
		strings.Contains(log.String(), "4711") {
		t.Errorf("log:\n%s", log.String())
	}
}

// Every step runs after the deadline has passed, with a context that has ended.
func TestStackPastDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var s Stack
		closed := false
		s.Push("redis", func(ctx context.Context) error { closed = true; return ctx.Err() })
		s.Push("drain", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		began := time.Now()
		err := s.Close(ctx)
		if !closed || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("closed %v after %v: %v", closed, time.Since(began), err)
		}
	})
}

func TestRollback(t *testing.T) {
	t.Parallel()
	build := func(fail error) (undone int, err error) {
		var s Stack
		defer s.Rollback(t.Context(), &err)
		s.Push("redis", func(context.Context) error { undone++; return nil })
		return undone, fail
	}
	if undone, err := build(nil); err != nil || undone != 0 {
		t.Errorf("a successful construction was undone %d times: %v", undone, err)
	}
	if undone, err := build(errBoom); !errors.Is(err, errBoom) || undone != 1 {
		t.Errorf("a failed construction was undone %d times: %v", undone, err)
	}
}

func TestGroupStopWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup(t.Context())
		var ended atomic.Bool
		if err := g.Go("slow", func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(3 * time.Second)
			ended.Store(true)
			return ctx.Err()
		}); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Stop(short); !errors.Is(err, context.DeadlineExceeded) || ended.Load() {
			t.Errorf("Stop with a short deadline returned %v, ended %v", err, ended.Load())
		}
		if err := g.Stop(t.Context()); err != nil || !ended.Load() {
			t.Errorf("Stop without a deadline returned %v, ended %v", err, ended.Load())
		}
		if err := g.Go("late", func(context.Context) error { return nil }); !errors.Is(err, ErrStopped) {
			t.Errorf("Go after Stop returned %v", err)
		}
	})
}

func TestGroupFailure(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		f    func(context.Context) error
		want string
	}{
		{"error", func(context.Context) error { return errBoom }, "reader: boom"},
		{"panic", func(context.Context) error { panic("patient 4711") }, "reader: panic"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := NewGroup(t.Context())
			if err := errors.Join(g.Go("reader", tc.f), g.Go("writer", func(ctx context.Context) error {
				<-ctx.Done()
				return errors.New("canceled")
			})); err != nil {
				t.Fatal(err)
			}
			if err := <-g.Failed(); err.Error() != tc.want {
				t.Errorf("failed with %q, want %q", err, tc.want)
			}
			for range 2 {
				if err := g.Stop(t.Context()); err == nil || err.Error() != tc.want {
					t.Errorf("Stop returned %v, want %q", err, tc.want)
				}
			}
		})
	}
}

// An error that a goroutine returns during a stop is not a failure; a panic is.
func TestGroupErrorsAfterStop(t *testing.T) {
	t.Parallel()
	g := NewGroup(t.Context())
	_ = g.Go("reader", func(ctx context.Context) error { <-ctx.Done(); return errBoom })
	if err := g.Stop(t.Context()); err != nil {
		t.Errorf("Stop returned %v", err)
	}
	g = NewGroup(t.Context())
	_ = g.Go("writer", func(ctx context.Context) error { <-ctx.Done(); panic("x") })
	if err := g.Stop(t.Context()); err == nil || err.Error() != "writer: panic" {
		t.Errorf("Stop returned %v", err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var grace time.Duration
		s := Service{
			Start: func(context.Context) error { return nil },
			Stop: func(ctx context.Context) error {
				if ctx.Err() != nil {
					t.Error("Stop gets a context that has ended")
				}
				deadline, _ := ctx.Deadline()
				grace = time.Until(deadline)
				return nil
			},
		}
		time.AfterFunc(time.Hour, cancel)
		began := time.Now()
		if err := Run(ctx, 8*time.Second, s); err != nil {
			t.Error(err)
		}
		if grace != 8*time.Second || time.Since(began) != time.Hour {
			t.Errorf("ran %v, then had %v to stop", time.Since(began), grace)
		}
		s.Start = func(context.Context) error { t.Error("started although ctx had ended"); return nil }
		if err := Run(ctx, time.Second, s); err != nil {
			t.Error(err)
		}
	})
}

func TestRunFailures(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	failed <- errBoom
	errStop := errors.New("stuck")
	err := Run(t.Context(), time.Second, Service{
		Start:  func(context.Context) error { return nil },
		Stop:   func(context.Context) error { return errStop },
		Failed: failed,
	})
	if !errors.Is(err, errBoom) || !errors.Is(err, errStop) {
		t.Errorf("Run returned %v", err)
	}
	err = Run(t.Context(), time.Second, Service{
		Start: func(context.Context) error { return errBoom },
		Stop:  func(context.Context) error { t.Error("Stop is called although Start failed"); return nil },
	})
	if !errors.Is(err, errBoom) {
		t.Errorf("Run returned %v", err)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var h Health
	probe := func(path string) string {
		rec := httptest.NewRecorder()
		h.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return http.StatusText(rec.Code) + ": " + strings.TrimSpace(rec.Body.String())
	}
	check := func(stage string, live, startup, ready string) {
		t.Helper()
		got := []string{probe("/livez"), probe("/startupz"), probe("/readyz")}
		if diff := cmp.Diff([]string{live, startup, ready}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", stage, diff)
		}
	}
	check("before the start", "OK: ok", "Service Unavailable: starting", "Service Unavailable: starting")
	h.Started()
	check("running", "OK: ok", "OK: ok", "OK: ok")
	h.Drain()
	check("draining", "OK: ok", "OK: ok", "Service Unavailable: draining")
	if h.Ready() {
		t.Error("ready while draining")
	}
	if got := probe("/"); !strings.HasPrefix(got, "Not Found") {
		t.Errorf("unknown path: %s", got)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	h := new(Health)
	s, err := Serve(t.Context(), "127.0.0.1:0", h.Handler())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Serve(t.Context(), s.Addr(), h.Handler()); err == nil {
		t.Error("two servers share an address")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || string(body) != "ok\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := client.Do(req); err == nil {
		t.Error("still serving after Stop")
	}
}

// A broken listener is reported as a failure.
func TestServeFailure(t *testing.T) {
	t.Parallel()
	s, err := Serve(t.Context(), "127.0.0.1:0", new(Health).Handler())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.listener.Close()
	if err := <-s.Failed(); err == nil {
		t.Error("Failed delivers nil")
	}
	if err := s.Stop(t.Context()); err == nil {
		t.Error("Stop does not return the failure")
	}
}

func TestWatchFailsTheGroup(t *testing.T) {
	t.Parallel()
	g := NewGroup(t.Context())
	s, err := Serve(t.Context(), "127.0.0.1:0", new(Health).Handler())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Watch(g, "probes"); err != nil {
		t.Fatal(err)
	}
	_ = s.listener.Close()
	if err := <-g.Failed(); err == nil || !strings.HasPrefix(err.Error(), "probes: ") {
		t.Errorf("the group failed with %v", err)
	}
	_ = s.Stop(t.Context())
	if err := g.Stop(t.Context()); err == nil {
		t.Error("Stop does not return the failure")
	}
}

// An open request is cut off when the deadline passes, and Stop still waits for the server's
// goroutine.
func TestServeStopDeadline(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	s, err := Serve(t.Context(), "127.0.0.1:0", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	}))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr(), nil)
		if resp, err := (&http.Client{Transport: &http.Transport{}}).Do(req); err == nil {
			_ = resp.Body.Close()
		}
	})
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop returned %v", err)
	}
	close(release)
	wg.Wait()
}

// Ten goroutines start and stop small services fifty times each; TestMain checks for leaked
// goroutines.
func TestStress(t *testing.T) {
	t.Parallel()
	var running, begun atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 50 {
				cycle(t, &running, &begun)
			}
		})
	}
	wg.Wait()
	if running.Load() != 0 || begun.Load() == 0 {
		t.Errorf("%d of %d goroutines outlived their Stop", running.Load(), begun.Load())
	}
}

// cycle runs one small service whose owner stops it from several goroutines at once.
func cycle(t *testing.T, running, begun *atomic.Int64) {
	var stack Stack
	g := NewGroup(t.Context())
	stack.Push("group", g.Stop)
	health := new(Health)
	srv, err := Serve(t.Context(), "127.0.0.1:0", health.Handler())
	if err != nil {
		t.Error(err)
		return
	}
	stack.Push("health", srv.Stop)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = Run(ctx, 5*time.Second, Service{
		Failed: g.Failed(),
		Start: func(context.Context) error {
			for range 3 {
				if err := g.Go("loop", func(ctx context.Context) error {
					begun.Add(1)
					running.Add(1)
					defer running.Add(-1)
					<-ctx.Done()
					return nil
				}); err != nil {
					return err
				}
			}
			health.Started()
			cancel()
			return nil
		},
		Stop: func(ctx context.Context) error {
			health.Drain()
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { _ = stack.Close(ctx) })
			}
			err := g.Stop(ctx)
			wg.Wait()
			return err
		},
	})
	if err != nil {
		t.Error(err)
	}
}
