package work

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

// aging gives the bundle another cache, and returns what makes the records of patients in it old.
func (b *bundle) aging(t *testing.T) func(ids ...string) {
	t.Helper()
	rdb := redistest.New(t)
	keys, err := phi.Parse(b.keys)
	must(t, err)
	data, err := phi.NewDataKey()
	must(t, err)
	open := func() *cache.Cache {
		c, err := cache.New(cache.Options{
			Redis: rdb, Sealer: keys.For, Key: func(context.Context, tenant.ID) (*phi.DataKey, error) { return data, nil },
		})
		must(t, err)
		return c
	}
	b.Store = practice.NewStore(open(), keys)
	b.router, err = tasks.NewRouter(tasks.RouterOptions{Keys: b.keys})
	must(t, err)
	must(t, Register(b.router, b.Deps))
	b.identify(t, practice.Identity{Name: "Seventh Practice"})
	beside := open()
	class := &cache.Class{Name: "patient", Schema: 2, Soft: time.Millisecond, Hard: cache.MaxHard}
	return func(ids ...string) {
		t.Helper()
		var items []cache.Item
		var visits []practice.Appointment
		for _, id := range ids {
			ref := b.Store.Names(clinicA).Patient(phi.Text(id))
			value, err := phi.Marshal(practice.Patient{ID: phi.Text(id), Practice: "7", Last: "Testperson"})
			must(t, err)
			items = append(items, cache.Item{
				Key: cache.Key{Tenant: clinicA, Class: class, ID: ref}, Value: cache.Value{Bytes: value, Tags: []cache.Tag{cache.TagOf(ref)}},
			})
			visits = append(visits, practice.Appointment{Patient: phi.Text(id)})
		}
		since, err := b.Store.Begin(t.Context(), clinicA)
		must(t, err)
		_, err = beside.FillMany(t.Context(), since, items)
		must(t, err)
		for range 10_000 { // each round trip advances the server's clock
			f, err := b.Store.PatientsToFetch(t.Context(), clinicA, "7", visits)
			must(t, err)
			if len(f.Aged) == len(ids) {
				return
			}
		}
		t.Fatal("the records do not become old")
	}
}

// today returns the patients with a visit on Monday, and the demands that read them.
func (b *bundle) today() (ids, reads []string) {
	reads = b.of(monday)
	for _, r := range reads {
		ids = append(ids, r[strings.LastIndex(r, " ")+1:])
	}
	return ids, reads
}

// While the list of changes confirms no record, records that become old are read one by one, once:
// the list would be demanded again by each reading of the day.
func TestOldRecordsWhileTheListConfirmsNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	age := b.aging(t)
	ids, reads := b.today()
	if len(ids) <= listCost {
		t.Fatalf("only %d patients", len(ids))
	}
	odd := b.clinic.AddPatient().ID
	b.line.answer = unread(odd)
	sync, today := tasks.SyncPatients{Practice: "7"}, days(monday, monday)
	b.done(t, sync)
	b.wantAlerts(t, codes.PatientsUnreadable)
	b.done(t, today)
	age(ids...)
	must(t, b.queue.FlushDB(t.Context()).Err())
	calls := b.calls()
	b.done(t, today)
	b.demands(t, reads...)
	for _, id := range ids {
		b.done(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(id)})
	}
	b.done(t, sync)
	must(t, b.queue.FlushDB(t.Context()).Err()) // views of changed records
	for range 3 {
		b.done(t, today)
		b.demands(t)
	}
	if got, want := b.calls()-calls, len(ids)+5; got != want {
		t.Errorf("%d calls, want %d", got, want)
	}
	b.line.answer = nil
	b.done(t, sync)
	b.wantAlerts(t)
	age(ids...)
	if f, err := b.Store.PatientsToFetch(t.Context(), clinicA, "7", []practice.Appointment{{Patient: phi.Text(ids[0])}}); err != nil || len(f.Aged) != 1 {
		t.Fatalf("%d old records, %v", len(f.Aged), err)
	}
	b.done(t, today)
	b.demands(t, `sync patients 7 from "", 0 days`)
}

// A sweep follows a new alert alone: not one whose rows become fewer or more, nor one that an
// answer without rows, which does not count, seems to end.
func TestOneSweepForAnAlert(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.clinic.AddPatient()
	b.done(t, tasks.SyncPatients{Practice: "7"})
	must(t, b.queue.FlushDB(t.Context()).Err())
	b.now = b.now.AddDate(0, 0, 3)
	var odd []string
	for range 3 {
		odd = append(odd, b.clinic.AddPatient().ID)
	}
	number := func(n int) *regexp.Regexp {
		return regexp.MustCompile(`(<\w*:?ID>)(?:` + strings.Join(odd[:n], "|") + `)<`)
	}
	some := func(n int) func(string) string {
		return func(body string) string { return number(n).ReplaceAllString(body, "${1}none<") }
	}
	sync := tasks.SyncPatients{Practice: "7"}
	later := tasks.SyncPatients{Practice: "7", From: monday.Add(2)} // after a gap
	b.line.answer = some(3)
	b.done(t, later)
	b.wantAlerts(t)
	b.demands(t)
	b.done(t, sync)
	b.demands(t, `sync sweep 7 from "" since ""`)
	for _, answer := range []func(string) string{some(2), some(3), emptied("PatientData"), some(1)} {
		b.line.answer = answer
		b.done(t, sync)
		b.line.answer = some(1)
		b.done(t, later)
		taskstest.RequireNotEnqueued(t, b.queue, tasks.SweepPatients{}.Kind())
		b.wantAlerts(t, codes.PatientsUnreadable)
	}
	b.line.answer = nil
	b.done(t, later)
	b.wantAlerts(t, codes.PatientsUnreadable)
	b.done(t, sync)
	b.wantAlerts(t)
}

// A day that is cut is swept once while a row of the sweep cannot be read; the days after it are
// read all the same.
func TestCutDayAndAnUnreadableRowOfTheSweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	odd := b.clinic.AddPatient().ID
	sync, sweep := tasks.SyncPatients{Practice: "7"}, tasks.SweepPatients{Practice: "7"}
	b.done(t, sync)
	must(t, b.queue.FlushDB(t.Context()).Err())
	mark, day := b.mark(t), tasks.SyncPatients{Practice: "7", From: monday, Days: 1}
	b.line.answer = filled("PatientData")
	b.done(t, day)
	b.demands(t, `sync sweep 7 from "" since ""`)
	b.line.answer = unread(odd)
	b.done(t, sweep)
	b.wantAlerts(t, codes.SweepUnreadable)
	b.line.answer = filled("PatientData")
	for range 3 {
		b.done(t, day)
		b.demands(t, `sync patients 7 from "2026-03-03", 1 days`)
	}
	if got := b.mark(t); got != mark {
		t.Errorf("a cut day moved the watermark from %q to %q", mark, got)
	}
	scope := ledger.AlertScope{Tenant: clinicA, Practice: "7", Codes: []codes.Code{codes.SweepUnreadable}}
	_, err := b.Ledger.SetAlerts(t.Context(), scope, nil, time.Now())
	must(t, err)
	_, err = b.Ledger.SetAlerts(t.Context(), scope, []ledger.Alert{{Code: codes.SweepUnreadable, Rows: 1}}, time.Now().Add(-sweepAgain))
	must(t, err)
	b.done(t, day)
	b.demands(t, `sync sweep 7 from "" since ""`)
}
