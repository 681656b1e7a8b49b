package tebra_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// simClient returns a client of a new simulator, called directly. before runs before every request.
func simClient(t testing.TB, config tebratest.Config, before func() error, edit func(*tebra.Options)) (*tebra.Client, *tebratest.Server) {
	t.Helper()
	sim, err := tebratest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	direct := tebratest.Transport{Handler: sim}
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		if before != nil {
			if err := before(); err != nil {
				return nil, err
			}
		}
		return direct.RoundTrip(r)
	})
	return newClient(t, transport, func(o *tebra.Options) {
		o.Credentials = sim.Clinics()[0].Account().Credentials()
		if edit != nil {
			edit(o)
		}
	}), sim
}

var errConnectionRefused = &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}

func TestUnsentCallsAreRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, failures := &gate{}, 3
		var seen []tebra.Observation
		client, sim := simClient(t, tebratest.Config{}, func() error {
			if failures--; failures >= 0 {
				return errConnectionRefused
			}
			return nil
		}, func(o *tebra.Options) { o.Gate, o.Observe = g, observeInto(&seen) })
		start := time.Now()
		if _, err := client.System.Throttles(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took == 0 || took > 2*time.Second {
			t.Errorf("took %v, want more than 0 and at most 2 s", took)
		}
		if len(g.outcomes) != 4 || !g.outcomes[0].NotSent || g.outcomes[0].Code != tebra.Unavailable || g.outcomes[0].Latency != 0 || g.outcomes[3] != (tebra.Outcome{Latency: g.outcomes[3].Latency}) {
			t.Errorf("outcomes %+v, want three unsent and a success", g.outcomes)
		}
		if len(sim.Calls(0)) != 1 || len(seen) != 1 || seen[0].Attempts != 4 {
			t.Errorf("%d requests, observed %+v; want 1 request in 4 attempts", len(sim.Calls(0)), seen)
		}
	})
}

func TestRetryEndsWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, _ := simClient(t, tebratest.Config{}, func() error { return errConnectionRefused }, nil)
		start := time.Now()
		_, err := client.System.Throttles(t.Context())
		var e *tebra.Error
		if !errors.As(err, &e) || e.Code != tebra.Unavailable || e.Sent {
			t.Errorf("got %+v, want unavailable and unsent", e)
		}
		if took := time.Since(start); took < time.Second || took > 2*time.Second {
			t.Errorf("gave up after %v, want 1 s to 2 s", took)
		}
	})
}

func TestSentCallsAreNotRetried(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]tebratest.Faults{
		"outage": {Outage: true}, "maintenance": {Maintenance: true}, "cut": {CutBody: true},
	} {
		client, sim := simClient(t, tebratest.Config{Faults: faults}, nil, nil)
		_, err := client.System.Throttles(t.Context())
		if !errors.Is(err, &tebra.Error{Code: tebra.Unavailable}) || len(sim.Calls(0)) != 1 {
			t.Errorf("%s: %v after %d requests, want unavailable after 1", name, err, len(sim.Calls(0)))
		}
	}
}

func TestOperationTimeouts(t *testing.T) {
	t.Parallel()
	for _, op := range tebra.Operations() {
		synctest.Test(t, func(t *testing.T) {
			g := &gate{}
			client, _ := simClient(t, tebratest.Config{Faults: tebratest.Faults{Hang: true}}, nil, func(o *tebra.Options) { o.Gate = g })
			start := time.Now()
			err := callExample(t.Context(), client, op.Name)
			var e *tebra.Error
			if !errors.As(err, &e) || e.Code != tebra.Timeout || !e.Sent || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %+v, want a timeout of a sent call", op.Name, e)
			}
			if took := time.Since(start); took != op.Timeout || g.outcomes[0].Latency != took {
				t.Errorf("%s: took %v, reported latency %v, want %v", op.Name, took, g.outcomes[0].Latency, op.Timeout)
			}
		})
	}
}

// callExample calls an operation by its name.
func callExample(ctx context.Context, c *tebra.Client, op string) error {
	call, ok := examples[op]
	if !ok {
		return errors.New("no example for " + op)
	}
	return call(ctx, c)
}

func TestCanceledCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		client, _ := simClient(t, tebratest.Config{Faults: tebratest.Faults{Hang: true}}, nil, func(o *tebra.Options) { o.Gate = g })
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := client.System.Throttles(ctx)
		if !errors.Is(err, &tebra.Error{Code: tebra.Canceled}) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want canceled", err)
		}
		if len(g.outcomes) != 1 || g.outcomes[0].Code != tebra.Canceled || g.outcomes[0].NotSent || g.ended {
			t.Errorf("outcomes %+v (context ended: %t), want one sent and canceled", g.outcomes, g.ended)
		}
	})
}

// A real network shows what the transport reports about the progress of a request.
func TestSentIsDerivedFromTheTransport(t *testing.T) {
	t.Parallel()
	hangUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(hangUp.Close)
	redirect := httptest.NewServer(http.RedirectHandler(hangUp.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirect.Close)
	secure := httptest.NewUnstartedServer(nil)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, tt := range []struct {
		name, url string
		code      tebra.Code
		reason    string
		sent      bool
	}{
		{"hangs up after the request", hangUp.URL, tebra.Unavailable, "connection", true},
		{"redirects", redirect.URL, tebra.Unavailable, "redirect", true},
		{"unknown certificate", secure.URL, tebra.Unavailable, "tls", false},
		{"no listener", gone.URL, tebra.Unavailable, "dial", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := tebra.New(tebra.Options{
				Endpoint: tt.url, Insecure: true, Account: "a", Credentials: tebra.Credentials{CustomerKey: "k", User: "u", Password: "p"},
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.System.Throttles(t.Context())
			var e *tebra.Error
			if !errors.As(err, &e) || e.Code != tt.code || e.Reason != tt.reason || e.Sent != tt.sent {
				t.Errorf("got %+v, want %s (%s) sent %t", e, tt.code, tt.reason, tt.sent)
			}
			if strings.Contains(e.Error(), "127.0.0.1") {
				t.Errorf("error contains the address: %v", e)
			}
		})
	}
}

// A context that ends between two attempts determines the error, not the last attempt.
func TestContextEndsBetweenAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := newClient(t, roundTripper(func(*http.Request) (*http.Response, error) { return nil, errConnectionRefused }), nil).System.Throttles(ctx)
		var e *tebra.Error
		if !errors.As(err, &e) || e.Code != tebra.Timeout || e.Sent || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %+v, want an unsent timeout", err)
		}
	})
}
