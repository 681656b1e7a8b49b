package flow

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func of(fingerprint uint64) tebra.Call {
	c := getPatient()
	c.Fingerprint = fingerprint
	return c
}

var (
	fails = tebra.Outcome{Code: tebra.Unavailable}
	works = tebra.Outcome{}
)

// One record that the vendor cannot read must not stand for an outage, however often it is tried.
func TestOneBadRecordOpensNothing(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	call(t, f, of(13), fails)
	call(t, f, of(1), works) // the vendor is well: 13 is at fault
	for range 10 {
		call(t, f, of(13), fails)
	}
	enter(t, f, of(2)).Done(t.Context(), works)
}

// A record that was bad before the outage never becomes the probe that decides for everybody.
func TestABadRecordIsNoProbe(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	call(t, f, of(13), fails)
	call(t, f, of(1), works)
	for n := range uint64(3) {
		call(t, f, of(20+n), fails)
	}
	r := refused(t, f, of(1), BreakerReason)
	at, _ := r.NotBefore()
	until(t, at)
	_ = refused(t, f, of(13), BreakerReason)
	call(t, f, of(1), works) // the probe, and the end of the outage
	call(t, f, of(2), works)
}

// A call that failed as the probe leaves the next one to others, if others come.
func TestAFailedProbeIsNotTheNext(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	for n := range uint64(3) {
		call(t, f, of(20+n), fails)
	}
	at, _ := refused(t, f, of(13), BreakerReason).NotBefore()
	until(t, at)
	call(t, f, of(13), fails)
	at, _ = refused(t, f, of(1), BreakerReason).NotBefore()
	until(t, at)
	_ = refused(t, f, of(13), BreakerReason)
	call(t, f, of(1), works)
	call(t, f, of(13), works)
}

// A record that is met in the ramp for the first time, where one failure is enough, opens the breaker once and no more.
func TestABadRecordInTheRampOpensOnce(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	heal := func(probe uint64) {
		t.Helper()
		at, _ := refused(t, f, of(probe), BreakerReason).NotBefore()
		until(t, at)
		call(t, f, of(probe), works)
	}
	for n := range uint64(3) {
		call(t, f, of(20+n), fails)
	}
	heal(1)
	call(t, f, of(13), fails)
	heal(2) // a call that was sent after 13 failed works: 13 is at fault
	for range 2 {
		call(t, f, of(13), fails)
		call(t, f, of(3), works)
	}
}

// Without anybody else it is the next probe all the same, only later.
func TestTheOnlyCallIsProbedAgain(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	for n := range uint64(3) {
		call(t, f, of(20+n), fails)
	}
	outcomes := []tebra.Outcome{fails, works}
	for len(outcomes) > 0 {
		p, err := f.Enter(t.Context(), of(13))
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
		until(t, at)
	}
	call(t, f, of(13), works)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f faults
		now := time.Now
		step := func() { <-time.After(time.Second) }
		f.fail(0, now())
		f.work(1, now().Add(time.Hour))
		if f.own(0) {
			t.Error("a call without a fingerprint is at fault")
		}
		began := now()
		step()
		f.fail(13, now())
		f.work(1, began)
		if f.own(13) {
			t.Error("at fault by a success that was sent before the failure")
		}
		step()
		f.work(1, now())
		if !f.own(13) {
			t.Fatal("not at fault although another call succeeded since")
		}
		f.excuse()
		if !f.own(13) {
			t.Error("an outage excused what was proved before")
		}
		f.work(13, now())
		if f.own(13) {
			t.Error("at fault after its own success")
		}
		f.fail(14, now())
		f.excuse()
		step()
		if f.work(1, now()); f.own(14) {
			t.Error("at fault for a failure that was the outage's")
		}
		f.fail(15, now())
		step()
		f.work(1, now())
		<-time.After(faultMemory)
		if f.own(15) {
			t.Error("at fault for ever")
		}
		for n := range uint64(maxFaults + 50) {
			f.fail(100+n, now())
		}
		if len(f.calls) > maxFaults {
			t.Errorf("%d calls are remembered", len(f.calls))
		}
		f.fail(16, now().Add(2*faultMemory))
		if _, ok := f.calls[16]; !ok {
			t.Error("old faults leave no room for new ones")
		}
	})
}
