package app

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/alarm"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/tasks"
)

// alarmLimit is how soon an alarm begins and ends.
const alarmLimit = 10 * time.Second

// alarmWatch reads the alarms of a system, as doctor and Now do.
type alarmWatch struct{ tools *Tools }

// expect waits until there is a fault of the state, or none, and fails after alarmLimit.
func (w alarmWatch) expect(t *testing.T, state alarm.State, want bool) {
	t.Helper()
	began := time.Now()
	eventually(t, func() error {
		all := alarm.Of(alarm.Read(t.Context(), w.tools.Queue, w.tools.Ledger))
		if got := slices.ContainsFunc(all, func(a alarm.Alarm) bool { return a.State == state && a.Fault }); got != want {
			return fmt.Errorf("%s, want %t: %+v", state, want, all)
		}
		return nil
	})
	if took := time.Since(began); took > alarmLimit {
		t.Errorf("%s, %t: after %s", state, want, took)
	}
}

// startScheduler runs a scheduler.
func (sys *system) startScheduler(t *testing.T) (stop func()) {
	t.Helper()
	s, err := NewScheduler(t.Context(), SchedulerOptions{Config: config.Scheduler{Base: sys.settings}, Flow: sys.options().Flow})
	if err != nil {
		t.Fatal(err)
	}
	return run(t, s.Run)
}

// Each of the states that need an operator is named within ten seconds of its begin, and no longer
// than ten seconds after its end.
func TestAlarmsFollowTheirStates(t *testing.T) {
	t.Parallel()
	sys, server := unthrottled(t)
	w := alarmWatch{sys.tools(t)}
	stopScheduler, stopWorker := sys.startScheduler(t), sys.work(t)
	w.expect(t, alarm.Scheduler, false)
	w.expect(t, alarm.Worker, false)

	stopWorker()
	w.expect(t, alarm.Worker, true)
	sys.work(t)
	w.expect(t, alarm.Worker, false)

	stopScheduler()
	w.expect(t, alarm.Scheduler, true)
	sys.startScheduler(t)
	w.expect(t, alarm.Scheduler, false)

	server.Kill()
	w.expect(t, alarm.Store, true)
	server.Start(t)
	w.expect(t, alarm.Store, false)
}

// A killed or cut-off worker does not sign off: only its heartbeats end.
func TestAlarmOfSilentWorker(t *testing.T) {
	t.Parallel()
	sys, _ := unthrottled(t)
	node := redistest.StartNode(t)
	sys.settings.Redis.Queue = secret.Value("redis://" + node.Addr)
	w := alarmWatch{sys.tools(t)}
	sys.startScheduler(t)
	proxy := redistest.NewProxy(t, node.Addr)
	sys.work(t, func(o *WorkerOptions) { o.Config.Redis.Queue = secret.Value("redis://" + proxy.Addr) })
	w.expect(t, alarm.Worker, false)
	proxy.Move(progtest.Vacant(t))
	proxy.Drop()
	w.expect(t, alarm.Worker, true)
	proxy.Move(node.Addr)
	w.expect(t, alarm.Worker, false)
}

// The alarm of the vendor's breaker follows the breaker.
func TestAlarmOfOpenBreaker(t *testing.T) {
	t.Parallel()
	sys, _ := unthrottled(t)
	w := alarmWatch{sys.tools(t)}
	sys.startScheduler(t)
	sys.work(t)
	sys.board(t, w.tools, full(6)) // calls have worked
	w.expect(t, alarm.Breaker, false)
	sys.vendor.Outage(true)
	for day := range 12 {
		d := tasks.DateOf(sys.today().AddDate(0, 0, day+1))
		if _, err := w.tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncSchedule{Practice: "1", From: d, To: d}); err != nil {
			t.Fatal(err)
		}
	}
	sys.waitForBreakers(t, w.tools, true)
	w.expect(t, alarm.Breaker, true)
	sys.vendor.Outage(false)
	sys.waitForBreakers(t, w.tools, false)
	w.expect(t, alarm.Breaker, false)
}

// waitForBreakers waits until a breaker is open, or none.
func (sys *system) waitForBreakers(t *testing.T, tools *Tools, open bool) {
	t.Helper()
	f, err := flow.New(flow.Options{Redis: tools.Queue})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		all, err := f.States(t.Context(), clinicA)
		held := slices.ContainsFunc(all, func(s breaker.State) bool { return s.Condition == breaker.Open || s.Condition == breaker.Probing })
		if err == nil && held != open {
			err = fmt.Errorf("breakers: %+v", all)
		}
		return err
	})
}

// A budget is full when its calendar is, and no longer when it has room.
func TestAlarmOfFullBudget(t *testing.T) {
	t.Parallel()
	sys, _ := unthrottled(t)
	w := alarmWatch{sys.tools(t)}
	sys.startScheduler(t)
	w.expect(t, alarm.Scheduler, false)
	args := make([]tasks.Args, 1500) // more than five minutes of GetPatient's interval
	for i := range args {
		args[i] = tasks.SyncPatient{Practice: "1", Patient: tasks.PatientID(fmt.Sprint(1000 + i))}
	}
	if _, err := w.tools.Tasks.EnqueueMany(t.Context(), clinicA.String(), args); err != nil {
		t.Fatal(err)
	}
	w.expect(t, alarm.Budget, true)
	for _, key := range w.tools.Queue.Keys(t.Context(), "f1c:*").Val() {
		w.tools.Queue.Del(t.Context(), key)
	}
	w.expect(t, alarm.Budget, false)
}
