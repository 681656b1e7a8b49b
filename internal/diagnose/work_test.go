package diagnose

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/status"
)

// Each state that delays work fails the check of its name, and no other, until it ends. The states
// of processes are tested with processes, in internal/app.
func TestRunFindsWhatDelaysWork(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.storeDataKey(t, s.keys)
	rdb, err := redisconn.Dial(s.vars["ROUNDS_QUEUE_REDIS"], redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	find := func(check string) Finding {
		t.Helper()
		d := run(t, s.vars, false)
		i := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.Check == check })
		if i < 0 {
			t.Fatalf("no %s in %+v", check, d.Findings)
		}
		if f := d.Findings[i]; f.Grade == Fail && (d.OK || f.Fix == "" || f.Means == "") {
			t.Errorf("report ok: %t, %+v", d.OK, f)
		}
		return d.Findings[i]
	}
	write := func(d status.Document) {
		t.Helper()
		d.At = time.Now()
		if err := status.Write(t.Context(), rdb, d); err != nil {
			t.Fatal(err)
		}
	}
	for check, c := range map[string]struct {
		during   status.Document
		evidence string
	}{
		"breakers": {status.Document{Breakers: []status.Breaker{{Scope: "host", State: string(breaker.Open), Reason: "unavailable", Wait: time.Second}}}, "the breaker of the vendor's host is open: unavailable"},
		"logins":   {status.Document{Breakers: []status.Breaker{{Scope: "credential", Tenant: "clinic-a", State: string(breaker.Open), Reason: "unauthenticated"}}}, "the vendor refuses the login of clinic-a: unauthenticated"},
		"budgets":  {status.Document{Budgets: []status.Budget{{Tenant: "clinic-a", Operation: "GetPatient", Spacing: time.Second, Backlog: time.Hour}}}, "the budget of GetPatient of clinic-a is full: tasks are booked for the next 1h0m0s"},
	} {
		write(status.Document{})
		if f := find(check); f.Grade != OK || f.Evidence == "" {
			t.Errorf("before: %+v", f)
		}
		write(c.during)
		if f := find(check); f.Grade != Fail || !strings.Contains(f.Evidence, c.evidence) {
			t.Errorf("%+v", f)
		}
		write(status.Document{})
		if f := find(check); f.Grade != OK {
			t.Errorf("after: %+v", f)
		}
	}
	write(status.Document{Breakers: []status.Breaker{{Scope: "host", State: string(breaker.Ramp)}}})
	if f := find("breakers"); f.Grade != OK || f.Evidence != "open: 0, recently closed: 1" {
		t.Errorf("in a ramp: %+v", f)
	}
	write(status.Document{Missing: []string{"budgets"}})
	if f := find("budgets"); f.Grade != Skip {
		t.Errorf("when the scheduler cannot read the budgets: %+v", f)
	}
	// A deployment that has worked has lost its workers, and then its scheduler.
	if f := find("workers"); f.Grade != Fail || !strings.Contains(f.Evidence, "no worker is running") {
		t.Errorf("without a worker: %+v", f)
	}
	if f := find("scheduler"); f.Grade != OK {
		t.Errorf("with a report: %+v", f)
	}
	rdb.PExpire(t.Context(), "s1:{status}:document", status.Life-time.Minute)
	if f := find("scheduler"); f.Grade != Fail || !strings.Contains(f.Evidence, "no scheduler has reported for 1m0s") {
		t.Errorf("without a scheduler: %+v", f)
	}
	if f := find("breakers"); f.Grade != Skip {
		t.Errorf("without a scheduler: %+v", f)
	}
}
