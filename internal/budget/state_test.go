package budget

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
)

func TestStates(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p := newPace(t, rdb, func(o *Options) { o.MaxWait = time.Second })
		patient := getPatient(600 * time.Millisecond)
		list := Operation{Tenant: "clinic-b", Name: "GetAppointments", Interval: 600 * time.Millisecond}
		unused := Operation{Tenant: "clinic-b", Name: "GetPatient", Interval: time.Second}
		if got, err := p.States(t.Context(), patient, list); err != nil || len(got) != 0 {
			t.Fatalf("before any call: %+v, %v", got, err)
		}
		acquire(t, p, patient, interactive)
		throttled := acquire(t, p, list, interactive)
		sendNow(t, p, list, &throttled)
		p.Throttled(t.Context(), list, throttled, 15*time.Second)
		if _, err := newCalendar(t, rdb).Return(t.Context(), patient, 0); err != nil {
			t.Fatal(err)
		}

		before := rdb.HGetAll(t.Context(), patient.key()).Val()
		got, err := p.States(t.Context(), patient, unused, list)
		if err != nil || len(got) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		a, b := got[0], got[1]
		if a.Tenant != clinic || a.Operation != "GetPatient" || a.Spacing != 660*time.Millisecond || a.Interval != 600*time.Millisecond || a.Margin != 60*time.Millisecond {
			t.Errorf("%+v", a)
		}
		if a.Next > 2*time.Second || a.Blocked != 0 || a.Backlog == 0 {
			t.Errorf("after one call and one booking: %+v", a)
		}
		if b.Tenant != "clinic-b" || b.Operation != "GetAppointments" || b.Blocked < 5*time.Second || b.Next < b.Blocked || b.Interval != 15*time.Second || b.Spacing != b.Interval+b.Margin {
			t.Errorf("after a throttle response: %+v", b)
		}
		if diff := cmp.Diff(before, rdb.HGetAll(t.Context(), patient.key()).Val()); diff != "" {
			t.Errorf("reading changed the budget (-before +after):\n%s", diff)
		}
	})
}
