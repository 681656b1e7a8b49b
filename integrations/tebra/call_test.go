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

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// simClient returns a client of a fresh simulator, called directly. before runs ahead of every request that is sent.
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
	a := sim.Clinics()[0].Account()
	return newClient(t, transport, func(o *tebra.Options) {
		o.Credentials = tebra.Credentials{CustomerKey: phi.Text(a.CustomerKey), User: phi.Text(a.User), Password: phi.Text(a.Password)}
		if edit != nil {
			edit(o)
		}
	}), sim
}

var errConnectionRefused = &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}

func TestOnlyUnsentCallsAreRepeatedInCall(t *testing.T) {
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
			t.Errorf("took %v, want more than nothing and at most 2 s", took)
		}
		if len(g.outcomes) != 4 || !g.outcomes[0].NotSent || g.outcomes[0].Code != tebra.Unavailable || g.outcomes[0].Latency != 0 || g.outcomes[3] != (tebra.Outcome{Latency: g.outcomes[3].Latency}) {
			t.Errorf("gate heard %+v, want three unsent and a success", g.outcomes)
		}
		if len(sim.Calls(0)) != 1 || len(seen) != 1 || seen[0].Attempts != 4 {
			t.Errorf("vendor saw %d calls, observed %+v; want 1 call in 4 attempts", len(sim.Calls(0)), seen)
		}
	})
}

func TestInCallRetryEndsWithinTwoSeconds(t *testing.T) {
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

func TestSentCallsAreNotRepeated(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]tebratest.Faults{
		"outage": {Outage: true}, "maintenance": {Maintenance: true}, "cut": {CutBody: true},
	} {
		client, sim := simClient(t, tebratest.Config{Faults: faults}, nil, nil)
		_, err := client.System.Throttles(t.Context())
		if !errors.Is(err, &tebra.Error{Code: tebra.Unavailable}) || len(sim.Calls(0)) != 1 {
			t.Errorf("%s: %v after %d calls, want unavailable after 1", name, err, len(sim.Calls(0)))
		}
	}
}

func TestOperationsHaveTheirOwnDeadline(t *testing.T) {
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
				t.Errorf("%s: took %v, gate heard %v, want %v", op.Name, took, g.outcomes[0].Latency, op.Timeout)
			}
		})
	}
}

// drive calls the operation by its name, with the least that it wants.
func callExample(ctx context.Context, c *tebra.Client, op string) error {
	call, ok := examples[op]
	if !ok {
		return errors.New("no example of " + op)
	}
	return call(ctx, c)
}

func TestCallersMayLeave(t *testing.T) {
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
			t.Errorf("gate heard %+v (ended context: %t), want one sent and canceled", g.outcomes, g.ended)
		}
	})
}

func TestGrantIsVoidWhenTheCallerLeftBeforeSending(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	g := &gate{grant: func(int) (time.Time, error) { cancel(); return time.Time{}, nil }}
	client, sim := simClient(t, tebratest.Config{}, nil, func(o *tebra.Options) { o.Gate = g })
	_, err := client.System.Throttles(ctx)
	if !errors.Is(err, context.Canceled) || len(sim.Calls(0)) != 0 {
		t.Errorf("got %v and %d calls, want canceled and none", err, len(sim.Calls(0)))
	}
	if want := []tebra.Outcome{{Code: tebra.Canceled, NotSent: true, Void: true}}; !cmp.Equal(g.outcomes, want) {
		t.Error(cmp.Diff(want, g.outcomes))
	}
}

func TestRefusalsPassThroughUntouched(t *testing.T) {
	t.Parallel()
	refusal := &notNow{at: time.Date(2026, 2, 24, 9, 0, 0, 0, time.UTC)}
	g := &gate{grant: func(int) (time.Time, error) { return time.Time{}, refusal }}
	var seen []tebra.Observation
	var traced []tebra.Code
	client, sim := simClient(t, tebratest.Config{}, nil, func(o *tebra.Options) {
		o.Gate, o.Observe = g, observeInto(&seen)
		o.Trace = func(ctx context.Context, _ string) (context.Context, func(tebra.Code)) {
			return ctx, func(c tebra.Code) { traced = append(traced, c) }
		}
	})
	_, err := client.System.Throttles(tebra.Interactive(t.Context()))
	var found interface{ NotBefore() (time.Time, string) }
	if err != error(refusal) || !errors.As(err, &found) { //nolint:errorlint // identity is what is promised
		t.Errorf("got %v, want the very refusal", err)
	}
	want := []tebra.Call{{Account: "account-a", Operation: "GetThrottles", Class: tebra.System, Interval: 5 * time.Second, Interactive: true}}
	if !cmp.Equal(g.calls, want, cmpopts.IgnoreFields(tebra.Call{}, "Fingerprint")) || len(g.outcomes) != 0 || len(sim.Calls(0)) != 0 {
		t.Errorf("gate was asked %+v and heard %+v; want one question", g.calls, g.outcomes)
	}
	if len(seen) != 1 || seen[0].Code != tebra.Refused || seen[0].Sent || !cmp.Equal(traced, []tebra.Code{tebra.Refused}) {
		t.Errorf("observed %+v, traced %v, want refused", seen, traced)
	}
}

// By the fingerprint a gate tells equal requests from different ones.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	g := &gate{}
	client, sim := simClient(t, tebratest.Config{Throttles: tebratest.Throttles{Off: true}}, nil, func(o *tebra.Options) { o.Gate = g })
	people := sim.Clinics()[0].Patients()
	for _, id := range []string{people[0].ID, people[1].ID, people[0].ID} {
		if _, err := client.Patients.Get(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.System.Throttles(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, second, again, other := g.calls[0].Fingerprint, g.calls[1].Fingerprint, g.calls[2].Fingerprint, g.calls[3].Fingerprint
	if first == 0 || first != again || first == second || first == other || second == other {
		t.Errorf("fingerprints of a, b, a and another operation: %x %x %x %x", first, second, again, other)
	}
}

func TestLateGrantsAreGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{grant: func(n int) (time.Time, error) {
			if n < 3 {
				return time.Now(), nil
			}
			return time.Now().Add(time.Millisecond), nil
		}}
		client, sim := simClient(t, tebratest.Config{}, nil, func(o *tebra.Options) { o.Gate = g })
		if _, err := client.System.Throttles(t.Context()); err != nil {
			t.Fatal(err)
		}
		void := tebra.Outcome{NotSent: true, Void: true}
		if want := []tebra.Outcome{void, void, {}}; !cmp.Equal(g.outcomes, want) || len(sim.Calls(0)) != 1 {
			t.Error(cmp.Diff(want, g.outcomes))
		}
		g.grant = func(int) (time.Time, error) { return time.Now().Add(-time.Hour), nil }
		_, err := client.System.Throttles(t.Context())
		var e *tebra.Error
		if !errors.As(err, &e) || e.Code != tebra.Unavailable || e.Reason != "void" || e.Sent {
			t.Errorf("got %+v, want an end to grants that are always late", e)
		}
	})
}

// The error of three late grants is Unavailable and unsent, like a refused connection. Retrying it would ask a
// congested gate again for two seconds.
func TestLateGrantsAreNotRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{grant: func(int) (time.Time, error) { return time.Now(), nil }}
		var seen []tebra.Observation
		client, sim := simClient(t, tebratest.Config{}, nil, func(o *tebra.Options) { o.Gate, o.Observe = g, observeInto(&seen) })
		start := time.Now()
		_, err := client.System.Throttles(t.Context())
		var e *tebra.Error
		if !errors.As(err, &e) || e.Code != tebra.Unavailable || e.Reason != "void" || e.Sent {
			t.Errorf("got %+v, want unavailable (void), unsent", e)
		}
		if took := time.Since(start); took != 0 || len(g.calls) != 3 || len(sim.Calls(0)) != 0 {
			t.Errorf("%d calls of Enter and %d requests in %v, want 3 and none at once", len(g.calls), len(sim.Calls(0)), took)
		}
		if len(seen) != 1 || seen[0].Attempts != 1 {
			t.Errorf("observed %+v, want one attempt", seen)
		}
	})
}

func TestEveryPassIsDoneEvenIfObserversPanic(t *testing.T) {
	t.Parallel()
	g := &gate{}
	client, _ := simClient(t, tebratest.Config{}, func() error { panic("transport") }, func(o *tebra.Options) { o.Gate = g })
	func() {
		defer func() { _ = recover() }()
		_, _ = client.System.Throttles(t.Context())
	}()
	if len(g.outcomes) != 1 || g.outcomes[0].Code != tebra.Unknown {
		t.Errorf("gate heard %+v, want one unknown outcome", g.outcomes)
	}
}

// Over a real network: what the transport reports about how far a request got.
func TestUnsentIsKnownFromTheWire(t *testing.T) {
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
		{"redirects", redirect.URL, tebra.Malformed, "redirect", true},
		{"unknown certificate", secure.URL, tebra.Unavailable, "tls", false},
		{"nobody listens", gone.URL, tebra.Unavailable, "dial", false},
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
				t.Errorf("error names the address: %v", e)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	good := tebra.Options{Account: "a", Credentials: tebra.Credentials{CustomerKey: "secret-key", User: "u", Password: "secret-password"}}
	for name, edit := range map[string]func(*tebra.Options){
		"account":      func(o *tebra.Options) { o.Account = "" },
		"customer key": func(o *tebra.Options) { o.Credentials.CustomerKey = "" },
		"user":         func(o *tebra.Options) { o.Credentials.User = "" },
		"password":     func(o *tebra.Options) { o.Credentials.Password = "secret-\x00password" },
		"bytes":        func(o *tebra.Options) { o.MaxBytes = -1 },
		"zones":        func(o *tebra.Options) { o.Zones = tebra.Greenwich + 1 },
		"https":        func(o *tebra.Options) { o.Endpoint = "http://127.0.0.1/x" },
		"user or":      func(o *tebra.Options) { o.Endpoint = "https://secret-key:x@example.test/" },
		"absolute":     func(o *tebra.Options) { o.Endpoint = "secret-key" },
		"not https":    func(o *tebra.Options) { o.Endpoint, o.Insecure = "ftp://example.test", true },
	} {
		o := good
		edit(&o)
		_, err := tebra.New(o)
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want an error that names the option and tells no secret", name, err)
		}
	}
	if _, err := tebra.New(good); err != nil {
		t.Errorf("good options: %v", err)
	}
}
