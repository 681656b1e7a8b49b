package tebra_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

func TestGrantOfACanceledCallIsVoid(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	g := &gate{grant: func(int) (time.Time, error) { cancel(); return time.Time{}, nil }}
	client, sim := simClient(t, tebratest.Config{}, nil, func(o *tebra.Options) { o.Gate = g })
	_, err := client.System.Throttles(ctx)
	if !errors.Is(err, context.Canceled) || len(sim.Calls(0)) != 0 {
		t.Errorf("got %v and %d requests, want canceled and none", err, len(sim.Calls(0)))
	}
	if want := []tebra.Outcome{{Code: tebra.Canceled, NotSent: true, Void: true}}; !cmp.Equal(g.outcomes, want) {
		t.Error(cmp.Diff(want, g.outcomes))
	}
}

func TestRefusalsAreReturnedUnchanged(t *testing.T) {
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
	if err != error(refusal) || !errors.As(err, &found) { //nolint:errorlint // the same error is guaranteed
		t.Errorf("got %v, want the refusal itself", err)
	}
	want := []tebra.Call{{Account: "account-a", Operation: "GetThrottles", Class: tebra.System, Interval: 5 * time.Second, Interactive: true}}
	if !cmp.Equal(g.calls, want, cmpopts.IgnoreFields(tebra.Call{}, "Fingerprint")) || len(g.outcomes) != 0 || len(sim.Calls(0)) != 0 {
		t.Errorf("gate received calls %+v and outcomes %+v; want one call", g.calls, g.outcomes)
	}
	if len(seen) != 1 || seen[0].Code != tebra.Refused || seen[0].Sent || !cmp.Equal(traced, []tebra.Code{tebra.Refused}) {
		t.Errorf("observed %+v, traced %v, want refused", seen, traced)
	}
}

// Fingerprints distinguish equal requests from different ones.
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

func TestLateGrantsAreReturned(t *testing.T) {
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
		if !errors.As(err, &e) || e.Code != tebra.Unavailable || !e.Late() {
			t.Errorf("got %+v, want unavailable (void) if all grants are late", e)
		}
	})
}

// The error after three late grants is Unavailable and unsent, like that of a refused connection. A
// retry would ask a congested Gate again for two seconds.
func TestLateGrantsAreNotRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{grant: func(int) (time.Time, error) { return time.Now(), nil }}
		var seen []tebra.Observation
		client, sim := simClient(t, tebratest.Config{}, nil, func(o *tebra.Options) { o.Gate, o.Observe = g, observeInto(&seen) })
		start := time.Now()
		_, err := client.System.Throttles(t.Context())
		var e *tebra.Error
		if !errors.As(err, &e) || e.Code != tebra.Unavailable || !e.Late() {
			t.Errorf("got %+v, want unavailable (void), unsent", e)
		}
		if took := time.Since(start); took != 0 || len(g.calls) != 3 || len(sim.Calls(0)) != 0 {
			t.Errorf("%d calls of Enter and %d requests in %v, want 3 and 0 at once", len(g.calls), len(sim.Calls(0)), took)
		}
		if len(seen) != 1 || seen[0].Attempts != 1 {
			t.Errorf("observed %+v, want one attempt", seen)
		}
	})
}

func TestPassIsDoneAfterAPanic(t *testing.T) {
	t.Parallel()
	g := &gate{}
	client, _ := simClient(t, tebratest.Config{}, func() error { panic("transport") }, func(o *tebra.Options) { o.Gate = g })
	func() {
		defer func() { _ = recover() }()
		_, _ = client.System.Throttles(t.Context())
	}()
	if len(g.outcomes) != 1 || g.outcomes[0].Code != tebra.Unknown {
		t.Errorf("outcomes %+v, want one unknown", g.outcomes)
	}
}

// A grant that ends while the connection is made is not used: the vendor receives nothing, and the
// next grant is used.
func TestGrantIsConfirmedOnTheConnection(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		received := make(chan string, 8)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			received <- r.Proto
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		server.EnableHTTP2 = http2
		server.StartTLS()
		t.Cleanup(server.Close)
		for refusals, want := range map[int]int{0: 1, 1: 1, 2: 1, 3: 0} {
			g := &connGate{refusals: refusals}
			client := newClient(t, server.Client().Transport, func(o *tebra.Options) { o.Gate, o.Endpoint = g, server.URL })
			_, err := client.System.Throttles(t.Context())
			var e *tebra.Error
			if !errors.As(err, &e) || e.Code != tebra.Unavailable || e.Sent != (want > 0) {
				t.Errorf("HTTP/2 %t, %d refusals: %+v", http2, refusals, err)
			}
			if len(received) != want {
				t.Errorf("HTTP/2 %t, %d refusals: the vendor received %d requests, want %d", http2, refusals, len(received), want)
			}
			for range len(received) {
				if proto := <-received; (proto == "HTTP/2.0") != http2 {
					t.Errorf("received %s", proto)
				}
			}
			for i, o := range g.outcomes {
				if void := i < refusals; o.Void != void || o.NotSent != void {
					t.Errorf("HTTP/2 %t, %d refusals: outcome %d is %+v", http2, refusals, i, o)
				}
			}
		}
	}
}

// connGate is a Gate whose first passes end when the transport has a connection.
type connGate struct {
	gate

	refusals int
}

func (g *connGate) Enter(ctx context.Context, c tebra.Call) (tebra.Pass, error) {
	p, err := g.gate.Enter(ctx, c)
	return &connPass{pass: p.(*pass), late: len(g.calls) <= g.refusals}, err
}

type connPass struct {
	*pass

	late  bool
	asked int
}

func (p *connPass) Confirm(context.Context) bool {
	p.asked++
	return p.asked == 1 || !p.late
}
