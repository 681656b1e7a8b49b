package flow

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestBudgets(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb, func(o *Options) { o.MaxWait = time.Second })
		if got, err := f.Budgets(t.Context(), clinic, "clinic-b"); err != nil || len(got) != 0 {
			t.Fatalf("before any call: %+v, %v", got, err)
		}
		patient := slowly(getPatient(), 600*time.Millisecond)
		call(t, f, interactive(patient), tebra.Outcome{})
		_ = refused(t, f, patient, PaceReason) // and is booked
		other := slowly(getPatient(), 600*time.Millisecond)
		other.Account, other.Operation, other.Class = "clinic-b", "GetAppointments", tebra.ReadList
		call(t, f, interactive(other), tebra.Outcome{Code: tebra.Throttled, Interval: 15 * time.Second})

		got, err := f.Budgets(t.Context(), clinic, "clinic-b", "clinic-c")
		if err != nil || len(got) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		a, b := got[0], got[1]
		// GetPatient's documented interval is a quarter of a second; the call came with another, which is not kept.
		if a.Tenant != clinic || a.Operation != "GetPatient" || a.Spacing != 300*time.Millisecond {
			t.Errorf("%+v", a)
		}
		if a.Next > time.Second || a.Blocked != 0 || a.Backlog == 0 {
			t.Errorf("after one call and one booking: %+v", a)
		}
		if b.Tenant != "clinic-b" || b.Operation != "GetAppointments" || b.Blocked < 5*time.Second || b.Next < b.Blocked {
			t.Errorf("after a throttle answer: %+v", b)
		}
		before := rdb.HGetAll(t.Context(), paceKey(clinic, "GetPatient")).Val()
		if _, err := f.Budgets(t.Context(), clinic); err != nil {
			t.Fatal(err)
		}
		after := rdb.HGetAll(t.Context(), paceKey(clinic, "GetPatient")).Val()
		for field, v := range before {
			if after[field] != v {
				t.Errorf("looking changed %s from %s to %s", field, v, after[field])
			}
		}
	})
}

func TestBudgetsOfManyTenants(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb)
	call(t, f, getPatient(), tebra.Outcome{})
	ids := append(manyTenants(2*glancesAtOnce/len(tebra.Operations())), clinic)
	if got, err := f.Budgets(t.Context(), ids...); err != nil || len(got) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	_ = rdb.Close()
	if _, err := f.Budgets(t.Context(), clinic); err == nil {
		t.Error("read without redis")
	}
}

func manyTenants(n int) []tenant.ID {
	out := make([]tenant.ID, n)
	for i := range out {
		out[i] = tenant.ID("clinic-" + strconv.Itoa(i))
	}
	return out
}
