package work

import (
	"regexp"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

// unnamed takes the practice's name from the rows of a list, and leaves a number that cannot be
// read.
func unnamed(body string) string {
	body = regexp.MustCompile(`<(\w*:?)PracticeName>[^<]*<`).ReplaceAllString(body, "<${1}PracticeName><")
	return regexp.MustCompile(`<(\w*:?)PracticeI([dD])>7<`).ReplaceAllString(body, "<${1}PracticeI$2>seven<")
}

// unread makes the number of a patient unreadable.
func unread(id string) func(body string) string {
	number := regexp.MustCompile(`(<\w*:?ID>)` + id + `<`)
	return func(body string) string { return number.ReplaceAllString(body, "${1}none<") }
}

// A list of changes with a row that cannot be read, or whose practice is not known, confirms no
// record and advances nothing, because any record may have changed.
func TestOddRowOfChangedPatients(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		odd    []tebratest.Oddity
		answer func(id string) func(string) string
	}{
		"unreadable number":   {answer: unread},
		"unknown practice":    {odd: []tebratest.Oddity{tebratest.OddUnknownPractice}},
		"unreadable practice": {answer: func(string) func(string) string { return unnamed }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			people := b.clinic.Patients()
			kept, changed, odd := people[0].ID, people[1].ID, people[2].ID
			for _, id := range []string{kept, changed} {
				b.done(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(id)})
			}
			before := b.card(t, kept).AsOf
			must(t, b.clinic.SetPhone(changed, "555-0142"))
			must(t, b.clinic.SetPhone(odd, "555-0143"))
			must(t, b.vendor.SetOdd(tt.odd...))
			if tt.answer != nil {
				b.line.answer = tt.answer(odd)
			}
			sync := tasks.SyncPatients{Practice: "7"}
			b.demands(t)
			b.done(t, sync)
			b.demands(t, `sync sweep 7 from "" since ""`)
			b.done(t, sync)
			b.demands(t) // one sweep for an alert, or work would not end
			b.wantAlerts(t, codes.PatientsUnreadable)
			if !b.mark(t).IsZero() || b.card(t, kept).AsOf.After(before) {
				t.Errorf("the watermark is %q, and a record is as of %v, before %v", b.mark(t), b.card(t, kept).AsOf, before)
			}
			if tt.answer == nil && b.card(t, changed).Card.Patient.Home != "555-0142" {
				t.Error("a readable row was not applied")
			}
			must(t, b.vendor.SetOdd())
			b.line.answer = nil
			b.done(t, tasks.SyncPatients{Practice: "7", From: monday})
			b.wantAlerts(t, codes.PatientsUnreadable) // the days before were not read
			b.done(t, sync)
			b.wantAlerts(t)
			if b.mark(t) != monday.Add(-1) || !b.card(t, kept).AsOf.After(before) {
				t.Errorf("after a readable list the watermark is %q", b.mark(t))
			}
		})
	}
}

// The days with an odd row are read again for as long as a record in the cache may be as old as
// they are. The window does not grow beyond that.
func TestOddRowOfChangedPatientsDoesNotBlockTheWatermark(t *testing.T) {
	t.Parallel()
	b := setup(t)
	odd := b.clinic.AddPatient().ID
	b.line.answer = unread(odd)
	sync := tasks.SyncPatients{Practice: "7"}
	for range lookBack {
		b.done(t, sync)
		b.wantAlerts(t, codes.PatientsUnreadable)
		b.now = b.now.AddDate(0, 0, 1)
	}
	b.clinic.AddPatient()
	b.now = b.now.AddDate(0, 0, 1)
	b.done(t, sync)
	b.wantAlerts(t)
	if b.mark(t) != monday.Add(lookBack) {
		t.Errorf("the watermark is %q", b.mark(t))
	}
}

// A page without a readable row neither ends a sweep nor counts as read.
func TestUnreadablePageOfASweep(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tebratest.Config) { c.Accounts[0].Practices[0].Patients = 1001 })
	number := regexp.MustCompile(`(<\w*:?ID>)\d+<`)
	b.line.answer = func(body string) string { return number.ReplaceAllString(body, "${1}none<") }
	b.done(t, tasks.SweepPatients{Practice: "7"})
	last := b.clinic.Patients()[1000].ID
	next := tasks.SweepPatients{Practice: "7", Page: tasks.EntityID(last), Begun: monday, Unread: 1000}
	b.demands(t, `sync sweep 7 from "`+last+`" since "2026-03-02", 1000 unread`)
	b.line.answer = nil
	b.done(t, next)
	b.demands(t)
	b.wantAlerts(t, codes.SweepUnreadable)
	if !b.mark(t).IsZero() {
		t.Errorf("an incomplete sweep advanced the watermark to %q", b.mark(t))
	}
	next.Unread = 0
	b.done(t, next)
	b.wantAlerts(t)
	if b.mark(t) != monday.Add(-1) {
		t.Errorf("after a complete sweep the watermark is %q", b.mark(t))
	}
}

// An empty list of changes renews the age of records only if the vendor has just stated that the
// practice has the name that was asked for, and the list itself that it may be read.
func TestEmptyListOfPatientsConfirmsNothingUnproven(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(b *bundle){
		"renamed":        func(b *bundle) { b.identify(t, practice.Identity{}); b.clinic.Rename("Lake Clinic") },
		"not authorized": func(b *bundle) { b.clinic.SetAccess(tebratest.Access{Unauthorized: true}) },
		"refused":        func(b *bundle) { b.clinic.SetAccess(tebratest.Access{Refused: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.done(t, tasks.SyncPractices{})
			kept := b.clinic.Patients()[0].ID
			b.done(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(kept)})
			b.clinic.AddPatient()
			sync := tasks.SyncPatients{Practice: "7"}
			b.done(t, sync)
			b.now = b.now.AddDate(0, 0, 1)
			b.done(t, sync)
			before := b.card(t, kept).AsOf
			b.demands(t)
			lose(b)
			must(t, b.clinic.SetPhone(kept, "555-0142"))
			for range 2 {
				b.done(t, sync)
				if r := b.card(t, kept); r.AsOf.After(before) {
					t.Errorf("the record is as of %v, before %v", r.AsOf, before)
				}
			}
			if name != "refused" { // which is a statement itself
				taskstest.RequireEnqueued[tasks.SyncPractices](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a"})
			}
			must(t, b.queue.FlushDB(t.Context()).Err())
			b.done(t, tasks.SyncPractices{})
			if b.alerts(t)[0] != codes.PracticeRenamed {
				return
			}
			taskstest.RequireEnqueued[tasks.SyncPatients](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a", Lane: tasks.LaneSync})
			taskstest.RequireEnqueued[tasks.SyncDirectory](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a"})
			taskstest.RequireEnqueued[tasks.SyncLocations](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a"})
			b.done(t, sync)
			if r := b.card(t, kept); r.Card.Patient.Home != "555-0142" {
				t.Error("the change is not shown under the new name")
			}
		})
	}
}
