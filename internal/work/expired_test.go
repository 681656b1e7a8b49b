package work

import (
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// job is a run of clinic-a whose task was demanded last some time ago.
func job[T tasks.Args](args T, demanded time.Duration, change ...func(*tasks.Job[T])) *tasks.Job[T] {
	j := &tasks.Job[T]{Tenant: clinicA.String(), Lane: tasks.LaneSync, EnqueuedAt: time.Now().Add(-demanded), DemandedAt: time.Now().Add(-demanded), Args: args}
	for _, c := range change {
		c(j)
	}
	return j
}

// ends runs a job and checks the code with which it expires, "" if it does not, and how many calls
// it makes.
func ends[T tasks.Args](t *testing.T, b *bundle, work tasks.WorkerFunc[T], j *tasks.Job[T], code codes.Code, calls int) {
	t.Helper()
	before := b.calls()
	err := work(t.Context(), j)
	if code == "" && err != nil || code != "" && (err == nil || err.Error() != string(code)) {
		t.Errorf("%s demanded at %v: %v, want %q", j.Args.Kind(), j.DemandedAt, err, code)
	}
	if n := b.calls() - before; n != calls {
		t.Errorf("%s demanded at %v: %d calls, want %d", j.Args.Kind(), j.DemandedAt, n, calls)
	}
}

func TestOvertakenRefreshExpires(t *testing.T) {
	t.Parallel()
	b := setup(t)
	monday2 := days(monday, tuesday)
	ends(t, b, b.syncSchedule, job(days(monday, monday), time.Hour), "", 1) // nothing is known yet
	ends(t, b, b.syncSchedule, job(monday2, time.Hour), "", 1)              // nor of tuesday
	ends(t, b, b.syncSchedule, job(monday2, time.Hour), codes.Overtaken, 0)
	ends(t, b, b.syncSchedule, job(monday2, 2*time.Minute), "", 1) // the clocks may differ
	for name, change := range map[string]func(*tasks.Job[tasks.SyncSchedule]){
		"replayed":       func(j *tasks.Job[tasks.SyncSchedule]) { j.Replayed = true },
		"pushed":         func(j *tasks.Job[tasks.SyncSchedule]) { j.Lane = tasks.LanePush },
		"unknown demand": func(j *tasks.Job[tasks.SyncSchedule]) { j.DemandedAt = time.Time{} },
		"lookback":       func(j *tasks.Job[tasks.SyncSchedule]) { j.Args.Lookback = 30 },
		"another day":    func(j *tasks.Job[tasks.SyncSchedule]) { j.Args.To = tuesday.Add(1) },
	} {
		t.Log(name)
		ends(t, b, b.syncSchedule, job(monday2, time.Hour, change), "", 1)
	}
	// A change that was reported since then is not in the answer.
	_, err := b.Store.Invalidate(t.Context(), clinicA, practice.Record{Noun: practice.NounPractice, Practice: "7"}, "")
	must(t, err)
	ends(t, b, b.syncSchedule, job(monday2, time.Hour), "", 1)
}

func TestOvertakenRecordsExpire(t *testing.T) {
	t.Parallel()
	b := setup(t)
	patient := tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(b.visits(monday)[0].PatientID)}
	ends(t, b, b.syncPatient, job(patient, time.Hour), "", 1)
	ends(t, b, b.syncPatient, job(patient, time.Hour), codes.Overtaken, 0)
	ends(t, b, b.syncPatient, job(patient, time.Minute), "", 1)

	ends(t, b, b.syncDirectory, job(tasks.SyncDirectory{Practice: "7"}, time.Hour), "", 1)
	ends(t, b, b.syncDirectory, job(tasks.SyncDirectory{Practice: "7"}, time.Hour), codes.Overtaken, 0)
	ends(t, b, b.syncLocations, job(tasks.SyncLocations{Practice: "7"}, time.Hour), "", 1)
	ends(t, b, b.syncLocations, job(tasks.SyncLocations{Practice: "7"}, time.Hour), codes.Overtaken, 0)

	since, err := b.Store.Begin(t.Context(), clinicA)
	must(t, err)
	must(t, b.Store.ConfirmPatients(t.Context(), clinicA, "7", since))
	ends(t, b, b.syncPatients, job(tasks.SyncPatients{Practice: "7"}, time.Hour), codes.Overtaken, 0)
	ends(t, b, b.syncPatients, job(tasks.SyncPatients{Practice: "7", From: monday}, time.Hour), "", 1)
}

// An answer that changed something has the stamp of that change, which is later than the question.
func TestSlowAnswerOvertakesNoDemandThatCameDuringIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	since, err := b.Store.Begin(t.Context(), clinicA)
	must(t, err)
	asked := time.UnixMicro(int64(since.Stamp))
	var answered time.Time
	b.line.answer = func(body string) string { answered = time.Now(); return body }
	b.done(t, days(monday, monday))
	at, err := b.Store.ReadAt(t.Context(), clinicA, practice.Record{Noun: practice.NounDay, Practice: "7", Day: monday})
	must(t, err)
	if at.Before(asked) || !at.Before(answered) {
		t.Errorf("the vendor was asked between %v and %v, and the store states %v", asked, answered, at)
	}
}

func TestDayThatIsOverExpires(t *testing.T) {
	t.Parallel()
	b := setup(t)
	midnight := tuesday.In(b.clinic.Location())
	board := tasks.WarmView{View: tasks.DayBoard, Practice: "7", Date: monday}
	interactive := func(j *tasks.Job[tasks.SyncSchedule]) { j.Lane = tasks.LaneInteractive }
	replayed := func(j *tasks.Job[tasks.SyncSchedule]) { j.Replayed = true }

	b.now = midnight.Add(time.Minute) // another clock may say that it is still monday
	ends(t, b, b.syncSchedule, job(days(monday, monday), time.Hour), "", 1)
	b.now = midnight.Add(10 * time.Minute)
	ends(t, b, b.warmView, job(board, time.Hour), codes.DayOver, 0)
	ends(t, b, b.warmView, job(board, 5*time.Minute), "", 0)
	ends(t, b, b.syncSchedule, job(days(monday.Add(-3), monday), time.Hour), "", 1) // some days were over then: on purpose
	ends(t, b, b.syncSchedule, job(days(monday.Add(-2), monday), 75*time.Hour), codes.DayOver, 0)
	ends(t, b, b.syncSchedule, job(days(monday.Add(-15), monday.Add(-12)), 30*time.Hour), "", 1)
	ends(t, b, b.syncSchedule, job(days(monday.Add(-4), monday), 5*time.Minute), "", 1)          // on purpose
	ends(t, b, b.syncSchedule, job(days(monday.Add(-6), monday), 12*time.Minute), "", 1)         // perhaps on purpose
	ends(t, b, b.syncSchedule, job(days(monday.Add(-9), monday.Add(-9)), 20*time.Minute), "", 1) // on purpose, a day later
	ends(t, b, b.syncSchedule, job(days(monday, tuesday), 2*time.Hour), "", 1)
	ends(t, b, b.syncSchedule, job(days(monday.Add(-7), monday), time.Hour, interactive), "", 1)
	ends(t, b, b.syncSchedule, job(days(monday.Add(-8), monday), time.Hour, replayed), "", 1)
}
