package work

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

func TestFirstReadFillsTheDay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	if r := b.board(t, monday); len(r.Board.Rows) != 10 || r.Unknown != 10 {
		t.Errorf("%d rows, %d unknown", len(r.Board.Rows), r.Unknown)
	}
	people := b.of(monday)
	b.demands(t, append(people, "warm day-board 7 2026-03-02")...)
	for _, p := range people {
		b.done(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(p[len("sync patient 7 "):])})
	}
	if r := b.board(t, monday); r.Unknown != 0 {
		t.Errorf("%d unknown after all records were read", r.Unknown)
	}
	b.done(t, days(monday, monday)) // reaches further back than the first
	b.now = b.now.Add(2 * time.Minute)
	before := b.board(t, monday)
	b.done(t, days(monday, monday))
	b.demands(t)
	if r := b.board(t, monday); !r.Hit || !r.AsOf.After(before.AsOf) {
		t.Errorf("after an unchanged answer the board is hit %v, as of %v later", r.Hit, r.AsOf.Sub(before.AsOf))
	}
}

func TestChangeIsAppliedAndWarmed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(tuesday.Add(1), tuesday.Add(1)))
	b.demands(t, "warm day-board 7 2026-03-04")
	v := b.visits(tuesday.Add(1))[3]
	must(t, b.clinic.SetStatus(v.ID, tebratest.CheckedIn))
	b.done(t, days(tuesday.Add(1), tuesday.Add(1)))
	b.demands(t, "warm day-board 7 2026-03-04")
	var found bool
	for _, row := range b.board(t, tuesday.Add(1)).Board.Rows {
		found = found || row.Appointment.Reveal() == v.ID && row.Status == practice.CheckedIn
	}
	if !found {
		t.Error("the board does not show the check-in")
	}
}

func TestVisitThatMovesWithinTheWindow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	later := tuesday.Add(3)
	b.done(t, days(tuesday.Add(1), later))
	b.demands(t, "warm day-board 7 2026-03-04", "warm day-board 7 2026-03-05", "warm day-board 7 2026-03-06")
	for range 2 { // forward, and back
		v := b.visits(tuesday.Add(1))[0]
		must(t, b.clinic.Move(v.ID, v.Start.AddDate(0, 0, 2)))
		b.done(t, days(tuesday.Add(1), later))
		if n, m := len(b.board(t, tuesday.Add(1)).Board.Rows), len(b.board(t, later).Board.Rows); n != 9 || m != 11 {
			t.Errorf("%d rows on the old day, %d on the new day", n, m)
		}
		must(t, b.clinic.Move(v.ID, v.Start))
		b.done(t, days(tuesday.Add(1), later))
		if n, m := len(b.board(t, tuesday.Add(1)).Board.Rows), len(b.board(t, later).Board.Rows); n != 10 || m != 10 {
			t.Errorf("after moving back: %d and %d rows", n, m)
		}
	}
}

func TestPatientsAreFetchedForTodayAndTomorrowOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.now = time.Date(2026, 3, 3, 5, 30, 0, 0, time.UTC) // Tuesday in London, still Monday evening in Chicago
	var warm []string
	for _, d := range civil.Range(monday.Add(-3), monday.Add(3)) {
		warm = append(warm, "warm day-board 7 "+d.String())
	}
	b.done(t, days(monday.Add(-3), monday.Add(3)))
	b.demands(t, append(b.of(monday, tuesday), warm...)...)
}

func TestInvalidPatientIDDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.visits(monday)[0].PatientID
	people := b.of(monday)
	b.line.answer = func(body string) string {
		return strings.ReplaceAll(body, "<PatientID>"+id+"<", "<PatientID>none of yours<")
	}
	b.done(t, days(monday, monday))
	var rest []string
	for _, p := range people {
		if p != "sync patient 7 "+id {
			rest = append(rest, p)
		}
	}
	if len(rest) != len(people)-1 {
		t.Fatal("the answer was not spoiled")
	}
	b.demands(t, append(rest, "warm day-board 7 2026-03-02")...)
}

func TestLongRangeBecomesSeveralRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := monday.Add(8) // so far ahead boards are built on request only
	b.done(t, days(first, first.Add(60)))
	b.demands(t, "sync schedule 7 2026-05-02..2026-05-09")
	if b.calls() != 1 {
		t.Errorf("%d calls for the 60 days that the vendor allows", b.calls())
	}
	b.board(t, first.Add(59-minLookback))
	b.cold(t, first.Add(60-minLookback))
	b.done(t, days(first.Add(60-minLookback), first.Add(60)))
	b.demands(t)
}

func TestCutAnswerIsReadInSmallerWindows(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tebratest.Config) { c.Accounts[0].Practices[0].VisitsPerDay = 850 })
	first, last := monday.Add(10), monday.Add(21) // 10,200 visits, of which the answer holds 10,000
	b.line.answer = func(body string) string {
		b.gate.refuse = notNow{} // from the second call on
		return body
	}
	b.done(t, days(first, last))
	b.demands(t, "sync schedule 7 2026-03-12..2026-03-17", "sync schedule 7 2026-03-18..2026-03-23")
	b.cold(t, first)
	b.line.answer, b.gate.refuse = nil, nil
	b.done(t, days(first, last))
	b.demands(t, "sync schedule 7 2026-03-15..2026-03-23")
	for _, d := range civil.Range(first, first.Add(2)) {
		if n := len(b.board(t, d).Board.Rows); n != 850 {
			t.Errorf("%s has %d rows", d, n)
		}
	}
	b.cold(t, last)
}

func TestDoubtfulAnswerIsReadTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, tuesday))
	b.demands(t, append(b.of(monday, tuesday), "warm day-board 7 2026-03-02", "warm day-board 7 2026-03-03")...)
	before := b.board(t, monday)
	for _, v := range b.visits(monday)[:8] {
		must(t, b.clinic.Delete(v.ID))
	}
	asked := time.Now()
	b.done(t, days(monday, tuesday))
	if r := b.board(t, monday); len(r.Board.Rows) != 10 || !r.AsOf.Equal(before.AsOf) {
		t.Errorf("after one doubtful answer %d rows are left, confirmed %v later", len(r.Board.Rows), r.AsOf.Sub(before.AsOf))
	}
	again := taskstest.RequireEnqueued[tasks.SyncSchedule](t, b.queue, b.keys, taskstest.Want{
		Tenant: "clinic-a", Lane: tasks.LaneSync, At: asked.Add(20*time.Second + time.Second/2),
	})
	if again != days(monday, tuesday) {
		t.Errorf("the second read is from %v to %v", again.From, again.To)
	}
	taskstest.RequireEnqueued[tasks.SyncPractices](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a", Lane: tasks.LaneSync})
	must(t, b.queue.FlushDB(t.Context()).Err())
	b.done(t, again)
	if n := len(b.board(t, monday).Board.Rows); n != 10 {
		t.Errorf("without a confirmation %d rows are left after the second answer", n)
	}
	taskstest.RequireEnqueued[tasks.SyncPractices](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a", Lane: tasks.LaneSync})
	taskstest.RequireNotEnqueued(t, b.queue, again.Kind())
	b.done(t, tasks.SyncPractices{})
	b.done(t, again)
	if n := len(b.board(t, monday).Board.Rows); n != 2 {
		t.Errorf("%d rows are left after the second answer", n)
	}
	taskstest.RequireNotEnqueued(t, b.queue, again.Kind())
}

func TestOneEmptyAnswerChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	gone := b.visits(monday)[0].ID
	b.line.answer = func(body string) string { // "nothing found" in the vendor's form
		before, rest, _ := strings.Cut(body, "<Appointments>")
		_, after, _ := strings.Cut(rest, "</Appointments>")
		return before + "<Appointments><AppointmentData/></Appointments>" + after
	}
	b.done(t, days(monday, monday))
	b.line.answer = nil
	must(t, b.clinic.Delete(gone))
	b.done(t, days(monday, monday))
	if n := len(b.board(t, monday).Board.Rows); n != 9 {
		t.Errorf("%d rows after an empty answer and one deletion", n)
	}
}

func TestRowWithoutAStartIsNotADeletion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	b.line.answer = func(body string) string { return without(body, "StartDate") }
	b.done(t, days(monday, monday))
	got := b.board(t, monday).Board
	if want := []practice.Omission{{Code: codes.RowUndated, Rows: 1}}; len(got.Rows) != 10 || !slices.Equal(got.Incomplete, want) {
		t.Errorf("%d rows are left, incomplete: %v", len(got.Rows), got.Incomplete)
	}
	day, err := b.Store.ProviderDay(t.Context(), clinicA, "7", b.visits(monday)[0].ProviderID, monday)
	if must(t, err); !slices.Equal(day.ProviderDay.Incomplete, got.Incomplete) {
		t.Errorf("the provider's day is incomplete: %v", day.ProviderDay.Incomplete)
	}
	if line := b.log.String(); !strings.Contains(line, `"code":"row_undated"`) || !strings.Contains(line, `"tenant":"clinic-a"`) || !strings.Contains(line, `"rows":1`) {
		t.Errorf("the log contains %q", line)
	}
	alerts, err := b.Ledger.Alerts(t.Context(), ledger.AlertFilter{Tenant: clinicA})
	if must(t, err); len(alerts) != 1 || alerts[0].Code != codes.RowUndated || alerts[0].Day != monday || alerts[0].Rows != 1 || alerts[0].Practice != "7" {
		t.Errorf("alerts: %+v", alerts)
	}
	taskstest.RequireNotEnqueued(t, b.queue, tasks.SyncSchedule{}.Kind())
	b.line.answer = nil
	b.done(t, days(monday, monday))
	if got := b.board(t, monday).Board; len(got.Rows) != 10 || len(got.Incomplete) != 0 {
		t.Errorf("after a clean answer: %d rows, incomplete: %v", len(got.Rows), got.Incomplete)
	}
	if alerts, err := b.Ledger.Alerts(t.Context(), ledger.AlertFilter{Tenant: clinicA}); err != nil || len(alerts) != 0 {
		t.Errorf("alerts after a clean answer: %+v, %v", alerts, err)
	}
}

func TestScheduleThatChangesDuringTheCallIsReadAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	v := b.visits(monday)[0]
	must(t, b.clinic.SetStatus(v.ID, tebratest.Confirmed))
	b.line.answer = func(body string) string { // an invalidation while this answer is on its way
		b.line.answer = nil
		want(t, b.run(t, tasks.InvalidateEntity{Practice: "7", Noun: tasks.NounAppointment, ID: tasks.EntityID(v.ID)}), tasks.OutcomeDone, "")
		return body
	}
	began := time.Now()
	o := b.run(t, days(monday, monday))
	want(t, o, tasks.OutcomeLater, "conflict")
	if wait := o.NextAt.Sub(began); wait < conflictDelay || wait > conflictDelay+2*time.Second {
		t.Errorf("it comes back after %v", wait)
	}
	if r := b.board(t, monday); !r.Stale {
		t.Error("the old answer counts as a new one")
	}
	b.done(t, days(monday, monday))
	if r := b.board(t, monday); r.Stale {
		t.Error("the board is stale after the next read")
	}
}

func TestNothingIsLostWithoutTheQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	away, err := tasks.NewClient(tasks.ClientOptions{Redis: closed(t), Keys: b.keys})
	must(t, err)
	d := b.Deps
	d.Tasks = away
	for name, w := range map[string]tasks.SyncSchedule{"a day": days(monday, monday), "many": days(monday, monday.Add(99))} {
		r := taskstest.Work(t, tasks.WorkerFunc[tasks.SyncSchedule](d.syncSchedule), w)
		if r.State != tasks.OutcomeRetry {
			t.Errorf("%s: %s %s", name, r.State, r.Code)
		}
	}
	b.done(t, days(monday, monday))
	if n := len(b.of(monday)); n == 0 {
		t.Fatal("Monday has no visits")
	}
	b.demands(t, b.of(monday)...) // the day itself was applied by the first run
}
