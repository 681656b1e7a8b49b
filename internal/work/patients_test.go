package work

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

func (b *bundle) mark(t *testing.T) civil.Date {
	t.Helper()
	at, ok, err := b.Ledger.Watermark(t.Context(), clinicA, patientsMark("7"))
	must(t, err)
	if !ok {
		return civil.Date{}
	}
	return civil.DateOf(at.In(b.clinic.Location()))
}

func (b *bundle) card(t *testing.T, id string) practice.CardRead {
	t.Helper()
	r, err := b.Store.PatientCard(t.Context(), clinicA, "7", phi.Text(id), civil.DateOf(b.now.In(b.clinic.Location())))
	must(t, err)
	return r
}

func TestChangedPatients(t *testing.T) {
	t.Parallel()
	b := setup(t)
	people := b.clinic.Patients()
	read, other := people[0].ID, people[1].ID
	b.done(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(read)})
	b.done(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(other)})
	b.card(t, read)
	b.demands(t)
	must(t, b.clinic.SetPhone(read, "555-0142"))
	must(t, b.clinic.SetPhone(other, "555-0143"))
	fresh := b.clinic.AddPatient()
	sync := tasks.SyncPatients{Practice: "7"}
	calls := b.calls()
	b.done(t, sync)
	b.demands(t, "warm patient-card 7 2026-03-02 "+read) // and not the other card, which was not read
	if b.calls() != calls+1 || b.mark(t) != monday.Add(-1) {
		t.Errorf("%d calls, the watermark is %q", b.calls()-calls, b.mark(t))
	}
	if r := b.card(t, read); r.Card.Patient.Home != "555-0142" {
		t.Error("the card has the old number")
	}
	if b.toFetch(t, fresh.ID) {
		t.Error("a new patient must be fetched")
	}
	before := b.card(t, read)
	b.done(t, sync)
	b.demands(t)
	if r := b.card(t, read); r.Card.Patient != before.Card.Patient || !r.AsOf.After(before.AsOf) {
		t.Error("a list without a change does not confirm the record")
	}
	b.now = b.now.AddDate(0, 0, 3)
	must(t, b.clinic.SetPhone(read, "555-0144"))
	b.done(t, sync)
	if !strings.Contains(b.line.sent, ">3/1/2026") || !strings.Contains(b.line.sent, ">3/6/2026") {
		t.Error("it did not read from the watermark to tomorrow")
	}
	if r := b.card(t, read); r.Card.Patient.Home != "555-0144" || b.mark(t) != monday.Add(2) {
		t.Errorf("three days later the watermark is %q", b.mark(t))
	}
	b.vendor.SetFaults(tebratest.Faults{Outage: true})
	b.now = b.now.AddDate(0, 0, 1)
	want(t, b.run(t, sync), tasks.OutcomeLater, "vendor_unavailable")
	if b.mark(t) != monday.Add(2) {
		t.Error("an outage advanced the watermark")
	}
}

// A long list is applied in parts. If one part conflicts, the cards of the parts before it are
// warmed all the same: the next attempt finds no change in them.
func TestCardsOfAPartlyAppliedListAreWarmed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	read := b.clinic.Patients()[0].ID
	b.done(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(read)})
	b.card(t, read)
	b.demands(t)
	must(t, b.clinic.SetPhone(read, "555-0142"))
	var last string
	for range 150 {
		last = b.clinic.AddPatient().ID
	}
	b.line.answer = func(body string) string {
		_, err := b.Store.Invalidate(t.Context(), clinicA, practice.Record{Noun: practice.NounPatient, ID: phi.Text(last)}, "")
		must(t, err)
		return body
	}
	want(t, b.run(t, tasks.SyncPatients{Practice: "7"}), tasks.OutcomeLater, "conflict")
	b.demands(t, "warm patient-card 7 2026-03-02 "+read)
	if !b.mark(t).IsZero() {
		t.Error("part of a list advanced the watermark")
	}
	b.line.answer = nil
	b.done(t, tasks.SyncPatients{Practice: "7"})
	b.demands(t)
}

// A list that the vendor cuts at 10,000 rows is read in smaller windows, and a day that it cuts
// becomes a sweep.
func TestCutListOfPatientsIsReadInSmallerWindows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cut := func(body string) string {
		before, rest, _ := strings.Cut(body, "<PatientData>")
		row, after, _ := strings.Cut(rest, "</PatientData>")
		return before + strings.Repeat("<PatientData>"+row+"</PatientData>", 10_000) + after
	}
	b.clinic.AddPatient()
	b.line.answer = func(body string) string {
		b.gate.refuse = notNow{} // from the second call on
		return cut(body)
	}
	b.done(t, tasks.SyncPatients{Practice: "7"})
	b.demands(t, `sync patients 7 from "2026-02-22", 5 days`)
	if !b.mark(t).IsZero() {
		t.Error("a cut list advanced the watermark")
	}
	b.gate.refuse = nil
	calls := b.calls()
	b.line.answer = func(body string) string {
		if b.calls() == calls+1 {
			return cut(body)
		}
		return body
	}
	b.done(t, tasks.SyncPatients{Practice: "7"})
	b.demands(t, `sync patients 7 from "2026-02-27", 5 days`)
	if b.mark(t) != monday.Add(-3) {
		t.Errorf("after the first half the watermark is %q", b.mark(t))
	}
	b.done(t, tasks.SyncPatients{Practice: "7", From: monday.Add(-3), Days: 5})
	b.demands(t)
	if b.mark(t) != monday.Add(-1) {
		t.Errorf("after the second half the watermark is %q", b.mark(t))
	}
	b.line.answer = cut
	b.done(t, tasks.SyncPatients{Practice: "7", From: monday, Days: 1})
	b.demands(t, `sync sweep 7 from "" since ""`)
}

func TestSweep(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tebratest.Config) { c.Accounts[0].Practices[0].Patients = 1001 })
	b.done(t, tasks.SweepPatients{Practice: "7"})
	people := b.clinic.Patients()
	last := people[1000].ID
	next := tasks.SweepPatients{Practice: "7", Page: tasks.EntityID(last), Begun: monday}
	if !b.mark(t).IsZero() || b.toFetch(t, people[999].ID) || !b.toFetch(t, last) {
		t.Error("the first page was not applied as expected")
	}
	b.demands(t, `sync sweep 7 from "`+last+`" since "2026-03-02"`)
	b.now = b.now.Add(30 * time.Hour)
	b.done(t, next)
	b.done(t, next) // as after a crash
	b.demands(t)
	if b.mark(t) != monday.Add(-1) || b.toFetch(t, last) {
		t.Errorf("after the last page the watermark is %q", b.mark(t))
	}
}

// During an outage the vendor sometimes answers "nothing has changed" with success. One such answer
// does not skip days.
func TestEmptyListOfPatientsNeedsConfirmation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sync := tasks.SyncPatients{Practice: "7"}
	b.clinic.AddPatient()
	b.done(t, sync)
	b.demands(t)
	b.now = b.now.AddDate(0, 0, 3)
	b.line.answer = emptied("PatientData")
	b.done(t, sync)
	if b.mark(t) != monday.Add(-1) {
		t.Errorf("one empty answer advanced the watermark to %q", b.mark(t))
	}
	second := tasks.SyncPatients{Practice: "7", From: monday.Add(-1)}
	if r, err := b.Tasks.Enqueue(t.Context(), clinicA.String(), second, tasks.In(rereadDelay/2)); err != nil || !r.Joined {
		t.Errorf("no second read is scheduled (%v)", err)
	}
	b.demands(t, "sync practices")
	b.done(t, second)
	if b.mark(t) != monday.Add(-1) {
		t.Errorf("without a confirmation a second empty answer advanced the watermark to %q", b.mark(t))
	}
	b.demands(t, "sync practices")
	b.identify(t, practice.Identity{Name: "Seventh Practice"})
	b.done(t, second)
	if b.mark(t) != monday.Add(2) {
		t.Errorf("after a second empty answer the watermark is %q", b.mark(t))
	}
	b.done(t, sync) // of days that were read before
	b.demands(t)
	b.done(t, tasks.SweepPatients{Practice: "7"})
	b.demands(t)
	if b.mark(t) != monday.Add(2) {
		t.Error("an empty sweep advanced the watermark")
	}
}

// A demand for later days leaves the days before them unread.
func TestDaysAfterTheWatermarkDoNotAdvanceIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.clinic.AddPatient()
	for _, from := range []civil.Date{monday, monday.Add(-3)} {
		b.done(t, tasks.SyncPatients{Practice: "7", From: from})
		if !b.mark(t).IsZero() {
			t.Errorf("from %s the watermark is %q", from, b.mark(t))
		}
	}
	b.done(t, tasks.SyncPatients{Practice: "7"})
	if b.mark(t) != monday.Add(-1) {
		t.Errorf("the watermark is %q", b.mark(t))
	}
}

func TestRefetchChoosesTheCheaperCalls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := practiceScope{tenant: clinicA, id: "7"}
	ids := func(n int) []phi.Text {
		out := make([]phi.Text, n)
		for i := range out {
			out[i] = phi.Text("100" + string(rune('0'+i)))
		}
		return out
	}
	if listCost != 4 {
		t.Errorf("a list costs %d reads by the policy table", listCost)
	}
	for name, c := range map[string]struct {
		f     practice.Fetch
		reads int
		list  bool
	}{
		"nothing":                 {practice.Fetch{}, 0, false},
		"missing":                 {practice.Fetch{Missing: ids(9)}, 9, false},
		"few are old":             {practice.Fetch{Missing: ids(1), Aged: ids(4)}, 5, false},
		"many are old":            {practice.Fetch{Missing: ids(2), Aged: ids(5)}, 2, true},
		"one cannot be asked for": {practice.Fetch{Missing: []phi.Text{"0", "1001"}}, 1, false},
	} {
		var reads, lists int
		demands, err := b.refetch(t.Context(), s, c.f)
		must(t, err)
		for _, a := range demands {
			switch a.(type) {
			case tasks.SyncPatient:
				reads++
			case tasks.SyncPatients:
				lists++
			}
		}
		if reads != c.reads || (lists == 1) != c.list {
			t.Errorf("%s: %d reads and %d lists", name, reads, lists)
		}
	}
}
