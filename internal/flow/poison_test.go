package flow

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func withFingerprint(fingerprint uint64) tebra.Call {
	c := getPatient()
	c.Fingerprint = fingerprint
	return c
}

var (
	fails   = tebra.Outcome{Code: tebra.Unavailable}
	foreign = tebra.Outcome{Code: tebra.Unavailable, Foreign: true}
	works   = tebra.Outcome{}
)

// One record that the vendor cannot read must not count as an outage, however often it is
// requested.
func TestOnePoisonCallOpensNothing(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	call(t, f, withFingerprint(13), fails)
	call(t, f, withFingerprint(1), works) // the vendor works, so 13 is poison
	for range 10 {
		call(t, f, withFingerprint(13), fails)
	}
	enter(t, f, withFingerprint(2)).Done(t.Context(), works)
}

// Refused credentials do not follow a record: whichever call meets them opens their breaker.
func TestRefusedCredentialsAreNoPoison(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t), func(o *Options) { o.Breakers.Credential = time.Second })
	for range 4 {
		call(t, f, withFingerprint(13), badCredentials)
		at, _ := refused(t, f, withFingerprint(13), codes.Breaker).NotBefore()
		waitUntil(t, at)
		call(t, f, withFingerprint(1), works) // the probe
	}
}

// A call that was poison before the outage never becomes the probe that decides for all callers.
func TestPoisonCallIsNotTheProbe(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	call(t, f, withFingerprint(13), fails)
	call(t, f, withFingerprint(1), works)
	openHost(t, f, getPatient())
	r := refused(t, f, withFingerprint(1), codes.Breaker)
	at, _ := r.NotBefore()
	waitUntil(t, at)
	_ = refused(t, f, withFingerprint(13), codes.Breaker)
	call(t, f, withFingerprint(1), works) // the probe, and the end of the outage
	call(t, f, withFingerprint(2), works)
}

// A call that failed as the probe leaves the next probe to other calls, if there are any.
func TestFailedProbeIsNotTheNext(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	openHost(t, f, getPatient())
	at, _ := refused(t, f, withFingerprint(13), codes.Breaker).NotBefore()
	waitUntil(t, at)
	call(t, f, withFingerprint(13), fails)
	at, _ = refused(t, f, withFingerprint(1), codes.Breaker).NotBefore()
	waitUntil(t, at)
	_ = refused(t, f, withFingerprint(13), codes.Breaker)
	call(t, f, withFingerprint(1), works)
	call(t, f, withFingerprint(13), works)
}

// Without other calls, a failed probe is the next probe too, only later.
func TestOnlyCallIsProbedAgain(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	openHost(t, f, getPatient())
	outcomes := []tebra.Outcome{fails, works}
	for len(outcomes) > 0 {
		p, err := f.Enter(t.Context(), withFingerprint(13))
		if err == nil {
			p.Done(t.Context(), outcomes[0])
			outcomes = outcomes[1:]
			continue
		}
		var r *Refused
		if !errors.As(err, &r) {
			t.Fatal(err)
		}
		at, _ := r.NotBefore()
		waitUntil(t, at)
	}
	call(t, f, withFingerprint(13), works)
}

func TestSuspects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s suspects
		now := time.Now
		step := func() { <-time.After(time.Second) }
		for n := range 3 {
			if s.failed(0, now()) != n+1 {
				t.Error("failures are not counted")
			}
		}
		step()
		s.succeeded(1, now())
		if s.isPoison(0) || s.unresolved() != 0 {
			t.Error("a call without a fingerprint is poison, or counts after a success")
		}
		if s.failed(12, now()) != 1 || s.isPoison(12) {
			t.Error("poison because of a success before the failure: an outage may begin between them")
		}
		step()
		began := now()
		step()
		s.failed(13, now())
		s.succeeded(1, began)
		if s.isPoison(13) {
			t.Error("poison because of a success that was sent before the failure")
		}
		step()
		s.succeeded(1, now())
		if !s.isPoison(13) {
			t.Fatal("not poison although another call has succeeded since")
		}
		s.forget()
		if !s.isPoison(13) {
			t.Error("an outage cleared a proven poison call")
		}
		s.succeeded(13, now())
		if s.isPoison(13) {
			t.Error("poison after its own success")
		}
		s.failed(14, now())
		s.forget()
		step()
		if s.succeeded(1, now()); s.isPoison(14) {
			t.Error("poison because of a failure in the outage")
		}
		s.failed(15, now())
		step()
		s.succeeded(1, now())
		<-time.After(suspectLife)
		if s.isPoison(15) {
			t.Error("poison forever")
		}
		for n := range uint64(maxSuspects + 50) {
			s.failed(100+n, now())
		}
		if len(s.calls) > maxSuspects {
			t.Errorf("%d calls are remembered", len(s.calls))
		}
		s.failed(16, now().Add(2*suspectLife))
		if _, ok := s.calls[16]; !ok {
			t.Error("old suspects leave no room for new ones")
		}
	})
}
