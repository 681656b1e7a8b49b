package flow

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
)

// Once a process drains, callers that wait are refused at once, and later ones too. Each may try
// again now, in another process. Calls that have their permit end as usual.
func TestDrainLetsNoCallThrough(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := withInterval(getPatient(), 700*time.Millisecond)
		open := enter(t, f, c)
		next := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val()
		done := make(chan error, 1)
		go func() {
			_, err := f.Enter(t.Context(), c)
			done <- err
		}()
		for rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val() == next {
			waitUntil(t, time.Now().Add(time.Millisecond))
		}
		began := time.Now()
		f.Drain()
		var r *Refused
		if err := <-done; !errors.As(err, &r) || r.Reason != codes.Draining || time.Since(began) > 300*time.Millisecond {
			t.Errorf("a caller that waits: %v after %v", err, time.Since(began))
		}
		if at, _ := refused(t, f, c, codes.Draining).NotBefore(); time.Until(at) > 0 {
			t.Errorf("it may try again in %v", time.Until(at))
		}
		if after := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val(); after != next {
			t.Error("the slot of a caller that waited was not refunded")
		}
		open.Done(t.Context(), tebra.Outcome{})
		if n := inFlight(f); n != 0 {
			t.Errorf("%d places were not released", n)
		}
	})
}
