package flow

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
)

func TestBudgets(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb, func(o *Options) { o.MaxWait = time.Second })
		if got, err := f.Budgets(t.Context(), clinic, "clinic-b"); err != nil || len(got) != 0 {
			t.Fatalf("before any call: %+v, %v", got, err)
		}
		patient := withInterval(getPatient(), 600*time.Millisecond)
		call(t, f, interactive(patient), tebra.Outcome{})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		var r *Refused
		if _, err := f.Enter(ctx, patient); !errors.As(err, &r) || r.Reason != codes.Pace { // and is booked
			t.Errorf("enter: %v", err)
		}
		other := withInterval(getPatient(), 600*time.Millisecond)
		other.Account, other.Operation, other.Class = "clinic-b", "GetAppointments", tebra.ReadList
		call(t, f, interactive(other), tebra.Outcome{Code: tebra.Throttled, Interval: 15 * time.Second})

		got, err := f.Budgets(t.Context(), clinic, "clinic-b", "clinic-c")
		if err != nil || len(got) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		a, b := got[1], got[0] // what is blocked comes first
		// GetPatient's documented interval is a quarter of a second. The call used another one,
		// which is not stored.
		if a.Tenant != clinic || a.Operation != "GetPatient" || a.Spacing != 290*time.Millisecond {
			t.Errorf("%+v", a)
		}
		if a.Backlog == 0 {
			t.Errorf("after one call and one booking: %+v", a)
		}
		if b.Tenant != "clinic-b" || b.Operation != "GetAppointments" || b.Blocked < 5*time.Second {
			t.Errorf("after a throttle response: %+v", b)
		}
	})
}

// The vendor is not called before the time that it names, whatever its response was.
func TestRetryAfterBlocksTheOperation(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		for _, code := range []tebra.Code{tebra.Unavailable, tebra.Throttled} {
			c := getPatient()
			c.Operation = "Get" + string(code)
			call(t, f, interactive(c), tebra.Outcome{Code: code, RetryAfter: 30 * time.Second})
			at, _ := refused(t, f, interactive(c), codes.Blocked).NotBefore()
			if wait := time.Until(at); wait < 25*time.Second || wait > 31*time.Second {
				t.Errorf("%s: refused for %v", code, wait)
			}
		}
		call(t, f, interactive(getPatient()), tebra.Outcome{}) // other operations go on
	})
}
