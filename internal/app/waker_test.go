package app

import (
	"errors"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/tasks"
)

// state returns the shared state of a breaker.
func (sys *system) breaker(t *testing.T, tools *Tools, n breaker.Name) breaker.State {
	t.Helper()
	all, err := breaker.Inspect(t.Context(), tools.Queue, time.Second, n)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// demands demands days of the first practice and returns the tasks' IDs.
func (sys *system) demands(t *testing.T, tools *Tools, from, n int, options ...tasks.Option) (ids []string) {
	t.Helper()
	for i := range n {
		on := civil.DateOf(sys.today().AddDate(0, 0, 30+10*(from+i)))
		r, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncSchedule{Practice: "1", From: on, To: on}, options...)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

// An outage of the vendor costs no attempt. Tasks that wait for its end, or that failed at its
// begin, run when a probe shows that the vendor is back, and not at the end of their back-off.
func TestTasksRunWhenTheVendorIsBack(t *testing.T) {
	t.Parallel()
	sys := build(t, func(c *tebratest.Config) { c.Throttles = tebratest.Throttles{Scale: 0.02} })
	tools := sys.tools(t)
	sys.work(t, func(o *WorkerOptions) {
		adjust := o.Flow
		o.Flow = func(f *flow.Options) {
			adjust(f)
			f.Breakers.Open, f.Breakers.MaxOpen = time.Second, 2*time.Second
		}
	})
	intervals, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncThrottles{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range append(sys.demands(t, tools, 0, 2), intervals.ID) { // calls that work
		sys.ends(t, tools, id, tasks.StateDone)
	}
	sys.vendor.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultOutage}}})
	waiting := append(sys.demands(t, tools, 2, 8), sys.demands(t, tools, 10, 3, tasks.Interactive())...)
	host := breaker.Name{Scope: breaker.Host}
	eventually(t, func() error {
		if sys.breaker(t, tools, host).Opens < 2 {
			return errors.New("the host's breaker has not opened and failed a probe")
		}
		return nil
	})
	sys.vendor.SetFaults(tebratest.Faults{})
	back := time.Now()
	for _, id := range waiting {
		sys.ends(t, tools, id, tasks.StateDone)
		s, err := tools.Tasks.Status(t.Context(), id)
		if err != nil || s.Attempt > 1 {
			t.Errorf("%d attempts, %v", s.Attempt, err)
		}
	}
	took := time.Since(back)
	t.Logf("all ran %v after the vendor was back", took.Round(time.Millisecond))
	if took > 20*time.Second {
		t.Errorf("all ran after %v", took)
	}
}

// A wrong password costs one refusal. Once it is corrected, the tasks that wait run.
func TestCorrectedLoginIsUsedSoon(t *testing.T) {
	t.Parallel()
	sys := build(t, func(c *tebratest.Config) { c.Throttles = tebratest.Throttles{Scale: 0.02} })
	right := sys.settings.Tenants[0].Credentials
	wrong := right
	wrong.Password = secret.Value("mistyped")
	sys.settings.Tenants[0].Credentials = wrong
	tools := sys.tools(t)
	sys.work(t, func(o *WorkerOptions) {
		adjust := o.Flow
		o.Flow = func(f *flow.Options) { adjust(f); f.Breakers.Credential = time.Hour }
	})
	ids := sys.demands(t, tools, 0, 6)
	eventually(t, func() error {
		waiting := 0
		for _, id := range ids {
			if s, err := tools.Tasks.Status(t.Context(), id); err == nil && s.Code == codes.Breaker {
				waiting++
			}
		}
		if waiting < len(ids)-1 {
			return errors.New("not all tasks but the first wait for the login")
		}
		return nil
	})
	refused := 0
	for _, c := range sys.vendor.Calls(0) {
		if c.Outcome != tebratest.OutcomeOK {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("the vendor has refused %d logins", refused)
	}
	sys.settings.Tenants[0].Credentials = right
	sys.tools(t) // writes the tenants
	done := 0
	for _, id := range ids {
		eventually(t, func() error {
			s, err := tools.Tasks.Status(t.Context(), id)
			if err == nil && s.State != tasks.StateDone && s.State != tasks.StateDead {
				err = errors.New(string(s.State))
			}
			return err
		})
		if s, err := tools.Tasks.Status(t.Context(), id); err == nil && s.State == tasks.StateDone {
			done++
		}
	}
	if done != len(ids)-1 {
		t.Errorf("%d of %d tasks are done, want all but the one that was refused", done, len(ids))
	}
}
