package practice

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// ward is a practice with two known days, three patients with cards and two providers.
type ward struct {
	*bundle
	tuesday civil.Date
	monday  []Appointment
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{bundle: setup(t), tuesday: monday.Add(1)}
	for i := range 3 {
		a := visit(i)
		a.Resources = []Resource{{ID: fmt.Sprint(70 + i%2), Name: fmt.Sprintf("Dr Number%d", i%2)}}
		w.monday = append(w.monday, a)
		w.patient(t, Patient{ID: a.Patient, Practice: "7", First: "First", Last: phi.Text(fmt.Sprintf("Testperson%d", i))})
	}
	w.see(t, monday, w.monday...)
	later := on(visit(0), w.tuesday)
	later.ID, later.Resources = "900100", w.monday[0].Resources
	w.see(t, w.tuesday, later)
	for _, err := range []error{
		second(w.store.ApplyDirectory(t.Context(), clinic, Directory{Practice: "7", Providers: []Provider{{ID: "70", Name: "Dr Zero"}}}, w.begin(t))),
		second(w.store.ApplyLocations(t.Context(), clinic, Locations{Practice: "7", Locations: []Location{{ID: "3", Name: "Main"}}}, w.begin(t))),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.hits(t)
	return w
}

func second[T any](_ T, err error) error { return err }

// hits lists the views that are in the cache, and builds the others.
func (w *ward) hits(t *testing.T) []string {
	t.Helper()
	var out []string
	add := func(name string, hit bool, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if hit {
			out = append(out, name)
		}
	}
	for _, d := range []civil.Date{monday, w.tuesday} {
		r, err := w.store.Board(t.Context(), clinic, "7", d)
		add("board "+d.String()[8:], r.Hit, err)
		for _, p := range []string{"70", "71"} {
			r, err := w.store.ProviderDay(t.Context(), clinic, "7", p, d)
			add(p+" "+d.String()[8:], r.Hit, err)
		}
	}
	for _, id := range []phi.Text{"1000", "1001", "1002"} {
		r, err := w.store.PatientCard(t.Context(), clinic, "7", id, monday)
		add("card "+id.Reveal(), r.Hit, err)
	}
	return out
}

var everyView = []string{"board 02", "70 02", "71 02", "board 03", "70 03", "71 03", "card 1000", "card 1001", "card 1002"}

// One change invalidates exactly the views that show the changed record.
func TestChangeInvalidatesExactlyTheViewsThatShowIt(t *testing.T) {
	t.Parallel()
	if w := newWard(t); !slices.Equal(w.hits(t), everyView) {
		t.Fatalf("only %v are in the cache", w.hits(t))
	}
	for name, c := range map[string]struct {
		change      func(t *testing.T, w *ward)
		invalidated []string
	}{
		"nothing": {func(t *testing.T, w *ward) { w.see(t, monday, w.monday...) }, nil},
		"a status": {func(t *testing.T, w *ward) {
			w.monday[1].Status = CheckedIn
			w.see(t, monday, w.monday...)
		}, []string{"board 02", "71 02", "card 1001"}},
		"cancelled": {func(t *testing.T, w *ward) {
			w.monday[0].Status = Cancelled
			w.see(t, monday, w.monday...)
		}, []string{"board 02", "70 02", "card 1000"}},
		"another provider": {func(t *testing.T, w *ward) {
			w.monday[2].Resources = []Resource{{ID: "71", Name: "Dr Number1"}}
			w.see(t, monday, w.monday...)
		}, []string{"board 02", "70 02", "71 02", "card 1002"}},
		"another patient": {func(t *testing.T, w *ward) {
			w.monday[2].Patient = "1001"
			w.see(t, monday, w.monday...)
		}, []string{"board 02", "70 02", "card 1001", "card 1002"}},
		"moved to the other day": {func(t *testing.T, w *ward) {
			later := on(visit(0), w.tuesday)
			later.ID, later.Resources = "900100", w.monday[0].Resources
			w.see(t, w.tuesday, later, on(w.monday[1], w.tuesday))
		}, []string{"board 02", "71 02", "board 03", "71 03", "card 1001"}},
		"gone": {func(t *testing.T, w *ward) { w.see(t, monday, w.monday[:2]...) }, []string{"board 02", "70 02", "card 1002"}},
		"new": {func(t *testing.T, w *ward) {
			a := visit(7)
			a.Patient, a.Resources = "1002", []Resource{{ID: "70"}}
			w.see(t, monday, append(w.monday, a)...)
		}, []string{"board 02", "70 02", "card 1002"}},
		"a day that becomes known": {func(t *testing.T, w *ward) { w.see(t, monday.Add(9)) }, []string{"card 1000", "card 1001", "card 1002"}},
		"a patient's number": {func(t *testing.T, w *ward) {
			w.patient(t, Patient{ID: "1001", Practice: "7", First: "First", Last: "Testperson1", Mobile: "555-0142"})
		}, []string{"board 02", "board 03", "71 02", "card 1001"}},
		"a place's name": {func(t *testing.T, w *ward) {
			_, err := w.store.ApplyLocations(t.Context(), clinic, Locations{Practice: "7", Locations: []Location{{ID: "3", Name: "Annex"}}}, w.begin(t))
			if err != nil {
				t.Fatal(err)
			}
		}, everyView},
		"an appointment in doubt": {func(t *testing.T, w *ward) {
			w.invalidate(t, Record{Noun: NounAppointment, ID: w.monday[1].ID})
		}, []string{"board 02", "71 02", "card 1001"}},
		"a patient in doubt": {func(t *testing.T, w *ward) {
			w.invalidate(t, Record{Noun: NounPatient, ID: "1000"})
		}, []string{"board 02", "board 03", "70 02", "70 03", "card 1000"}},
		"the practice in doubt": {func(t *testing.T, w *ward) {
			w.invalidate(t, Record{Noun: NounPractice, Practice: "7"})
		}, everyView},
		"another practice in doubt": {func(t *testing.T, w *ward) {
			w.invalidate(t, Record{Noun: NounPractice, Practice: "8"})
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t)
			c.change(t, w)
			ready := w.hits(t)
			var invalidated []string
			for _, v := range everyView {
				if !slices.Contains(ready, v) {
					invalidated = append(invalidated, v)
				}
			}
			slices.Sort(invalidated)
			want := slices.Compact(slices.Sorted(slices.Values(c.invalidated)))
			if !slices.Equal(invalidated, want) {
				t.Errorf("invalidated %v, want %v", invalidated, want)
			}
		})
	}
}

func TestCardFollowsItsVisits(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	rows := func(want ...civil.Date) {
		t.Helper()
		var got []civil.Date
		for _, v := range w.card(t, "1001").Card.Visits {
			got = append(got, v.Day)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the card shows %v, want %v", got, want)
		}
	}
	rows(monday)
	last := monday.Add(CardDays - 1)
	w.see(t, last, on(w.monday[1], last)) // it moved to the last day that a card shows
	rows(last)
	w.see(t, monday, w.monday[0], w.monday[2])
	rows(last)
	beyond := last.Add(1)
	w.see(t, beyond, on(w.monday[1], beyond))
	rows()
	w.see(t, last)
	rows()
	if r, err := w.store.PatientCard(t.Context(), clinic, "7", "1001", w.tuesday); err != nil || len(r.Card.Visits) != 1 || r.Hit {
		t.Errorf("the card of the next day: %d visits, hit %v, %v", len(r.Card.Visits), r.Hit, err)
	}
	if r, err := w.store.PatientCard(t.Context(), clinic, "8", "1001", monday); err != nil || len(r.Card.Visits) != 0 || r.Unknown != CardDays {
		t.Errorf("at another practice: %d visits, %d days unknown, %v", len(r.Card.Visits), r.Unknown, err)
	}
}

// A visit that belongs to another patient by now is on no card, even if an older roster still lists
// it.
func TestVisitOfAnotherPatientIsOnNoCard(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	a := w.monday[1]
	a.Patient = "1002"
	sc := w.store.scope(clinic, "7")
	grant, err := w.store.cache.Invalidate(t.Context(), clinic, cache.Change{
		Tags: []cache.Tag{cache.TagOf(sc.names.Appointment(a.ID))}, Event: events.Body{Kind: events.AppointmentChanged},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sc.fill(t.Context(), grant, visitDocument(a)); err != nil {
		t.Fatal(err)
	}
	w.patient(t, Patient{ID: "1001", Practice: "7", First: "Now", Last: "Else"}) // the card is rebuilt
	if r := w.card(t, "1001"); len(r.Card.Visits) != 0 || !r.Stale {
		t.Errorf("the card shows %d visits, stale %v", len(r.Card.Visits), r.Stale)
	}
}

// A visit's last-seen record may expire, or be evicted, before the views that show the visit.
func TestVisitWithoutALastSeenRecordLeavesItsViews(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	lose := func(a Appointment) {
		t.Helper()
		key := clinic.Key("c1", "s", string(w.store.Names(clinic).Appointment(a.ID)))
		if n, err := w.rdb.Del(t.Context(), key).Result(); n != 1 || err != nil {
			t.Fatalf("%d last-seen records deleted (%v)", n, err)
		}
	}
	lose(w.monday[1])
	w.see(t, monday, w.monday[0], w.monday[2])
	if r := w.card(t, "1001"); len(r.Card.Visits) != 0 {
		t.Error("the card shows a visit that is gone")
	}
	if r, err := w.store.ProviderDay(t.Context(), clinic, "7", "71", monday); err != nil || len(r.ProviderDay.Rows) != 0 {
		t.Errorf("the provider's day shows it too: %d rows, %v", len(r.ProviderDay.Rows), err)
	}
	lose(w.monday[0])
	other := w.monday[0]
	other.Resources = []Resource{{ID: "71", Name: "Dr Number1"}}
	w.see(t, monday, other, w.monday[2])
	if r, err := w.store.ProviderDay(t.Context(), clinic, "7", "70", monday); err != nil || len(r.ProviderDay.Rows) != 1 {
		t.Errorf("the former provider's day still shows the visit: %d rows, %v", len(r.ProviderDay.Rows), err)
	}
	lose(w.monday[2])
	w.see(t, monday) // doubtful: everything stays
	if r := w.card(t, "1002"); len(r.Card.Visits) != 1 {
		t.Error("a doubtful answer removed a visit from its card")
	}
}

func TestEmptyAnswerErasesNothingFromAnyView(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	if got := w.see(t, monday); !got.Doubtful {
		t.Fatalf("%+v", got)
	}
	if r := w.card(t, "1001"); len(r.Card.Visits) != 1 || !r.Stale {
		t.Errorf("the card has %d visits, stale %v", len(r.Card.Visits), r.Stale)
	}
	if r, err := w.store.ProviderDay(t.Context(), clinic, "7", "70", monday); err != nil || len(r.ProviderDay.Rows) != 2 || !r.Stale {
		t.Errorf("the provider's day has %d visits, stale %v, %v", len(r.ProviderDay.Rows), r.Stale, err)
	}
	w.see(t, monday) // the second answer confirms it
	if r := w.card(t, "1001"); len(r.Card.Visits) != 0 || r.Stale {
		t.Errorf("after the second answer the card has %d visits, stale %v", len(r.Card.Visits), r.Stale)
	}
}

// During an outage the vendor sometimes reports existing patients as not existing.
func TestPatientIsForgottenAfterTwoAnswers(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	forget := func() bool {
		t.Helper()
		doubtful, err := w.store.ForgetPatient(t.Context(), clinic, "1001", false, w.begin(t))
		if err != nil {
			t.Fatal(err)
		}
		return doubtful
	}
	if !forget() {
		t.Error("the first answer was applied")
	}
	if r := w.card(t, "1001"); r.Card.Patient.Last != "Testperson1" || !r.Stale {
		t.Errorf("the card is %q, stale %v", r.Card.Patient.Last.Reveal(), r.Stale)
	}
	if !w.patient(t, Patient{ID: "1001", Practice: "7", First: "First", Last: "Testperson1"}) {
		t.Error("the record's return is no change")
	}
	if r := w.card(t, "1001"); r.Stale {
		t.Error("the card is still in doubt")
	}
	if !forget() || forget() {
		t.Error("a doubt outlived the record, or the second answer was not applied")
	}
	if _, err := w.store.PatientCard(t.Context(), clinic, "7", "1001", monday); !errors.Is(err, ErrAbsent) {
		t.Errorf("a patient that is gone: %v", err)
	}
	w.invalidate(t, Record{Noun: NounPatient, ID: "1001"})
	if _, err := w.store.PatientCard(t.Context(), clinic, "7", "1001", monday); !errors.Is(err, ErrCold) {
		t.Errorf("a patient whose absence is in doubt: %v", err)
	}
}

// A view is as old as its oldest part, and a read without a change renews that age.
func TestViewsAreAsOldAsTheirOldestPart(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	before := w.card(t, "1001")
	w.see(t, monday, w.monday...)
	if r := w.card(t, "1001"); !r.Hit || !r.AsOf.Equal(before.AsOf) {
		t.Errorf("the record is no younger: as of %v after %v", r.AsOf, before.AsOf)
	}
	since := w.begin(t)
	if err := w.store.ConfirmPatients(t.Context(), clinic, "7", since); err != nil {
		t.Fatal(err)
	}
	r := w.card(t, "1001")
	if !r.Hit || !r.AsOf.After(before.AsOf) || r.AsOf.After(time.UnixMicro(int64(since.Stamp))) {
		t.Errorf("with a confirmed record the card is hit %v, as of %v after %v", r.Hit, r.AsOf, before.AsOf)
	}
	w.invalidate(t, Record{Noun: NounPractice, Practice: "7"})
	if again := w.card(t, "1001"); again.AsOf.After(before.AsOf) && again.AsOf.Equal(r.AsOf) {
		t.Error("a confirmation is valid after its practice was invalidated")
	}
}

func TestEventsNameTheViews(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	logged := len(w.log(t))
	w.monday[1].Status = CheckedIn
	w.see(t, monday, w.monday...)
	n := w.store.Names(clinic)
	want := []phi.Ref{n.Board("7", monday), n.ProviderDay("7", "71", monday), n.Card("7", "1001")}
	if evs := w.log(t)[logged:]; len(evs) != 1 || !slices.Equal(evs[0].Body.Views, want) {
		t.Errorf("%d events", len(evs))
	}
	logged = len(w.log(t))
	many := visits(80)
	for i := range many {
		many[i].Day = monday.Add(3)
	}
	w.see(t, monday.Add(3), many...)
	for _, ev := range w.log(t)[logged:] {
		if ev.Body.Kind != events.AppointmentChanged || ev.Body.Refs != nil || ev.Body.Views != nil || ev.Body.Practice != n.Practice("7") {
			t.Errorf("more than an event may name: %d refs, %d views", len(ev.Body.Refs), len(ev.Body.Views))
		}
	}
}

func TestRecentlyRead(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.see(t, monday.Add(2))
	if _, err := w.store.WarmProviderDay(t.Context(), clinic, "7", "70", monday.Add(2)); err != nil {
		t.Fatal(err)
	}
	cards, days, err := w.store.RecentlyRead(t.Context(), clinic, "7", monday, []phi.Text{"1001", "404"}, []string{"70", "99"})
	if err != nil || !slices.Equal(cards, []phi.Text{"1001"}) || !slices.Equal(days, []string{"70"}) {
		t.Errorf("%d cards and the days of %v were read, %v", len(cards), days, err)
	}
	if _, days, err := w.store.RecentlyRead(t.Context(), clinic, "7", monday.Add(2), nil, []string{"70"}); err != nil || len(days) != 0 {
		t.Errorf("warming counts as reading: %v, %v", days, err)
	}
}

func TestManyPatientsOfOneProviderAreRolledUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	vs := visits(cache.MaxTags)
	for i := range vs {
		vs[i].Resources = []Resource{{ID: "70"}}
	}
	b.see(t, monday, vs...)
	read := func() ProviderDayRead {
		t.Helper()
		r, err := b.store.ProviderDay(t.Context(), clinic, "7", "70", monday)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	read()
	if !read().Hit {
		t.Fatal("a long provider's day is not cached")
	}
	b.patient(t, Patient{ID: vs[31].Patient, First: "Ada", Last: "Testperson"})
	if r := read(); r.Hit || r.ProviderDay.Rows[31].Name != "Ada Testperson" {
		t.Errorf("hit %v", r.Hit)
	}
}

func TestVisitReadByItself(t *testing.T) {
	t.Parallel()
	fit := func(a Appointment) *Detail {
		return &Detail{ID: a.ID, Day: a.Day, Start: a.Start, End: a.End, Patient: a.Patient, Status: a.Status, Provider: a.Providers()[0]}
	}
	for name, c := range map[string]struct {
		detail  func(w *ward) *Detail
		changed bool
		days    []civil.Date
	}{
		"the same":   {func(w *ward) *Detail { return fit(w.monday[1]) }, false, nil},
		"its status": {func(w *ward) *Detail { d := fit(w.monday[1]); d.Status = Roomed; return d }, true, nil},
		"its hour":   {func(w *ward) *Detail { d := fit(w.monday[1]); d.End = d.End.Add(time.Hour); return d }, true, nil},
		"another day": {
			func(w *ward) *Detail { return fit(on(w.monday[1], monday.Add(1))) }, false, []civil.Date{monday, monday.Add(1)},
		},
		"a day without a roster": {func(w *ward) *Detail { return fit(on(w.monday[1], monday.Add(300))) }, false, []civil.Date{monday}},
		"gone":                   {func(*ward) *Detail { return nil }, false, []civil.Date{monday}},
		"another patient":        {func(w *ward) *Detail { d := fit(w.monday[1]); d.Patient = "1002"; return d }, false, []civil.Date{monday}},
		"another provider":       {func(w *ward) *Detail { d := fit(w.monday[1]); d.Provider = "70"; return d }, false, []civil.Date{monday}},
		"another reason":         {func(w *ward) *Detail { d := fit(w.monday[1]); d.ReasonID = "5"; return d }, false, []civil.Date{monday}},
		"another place":          {func(w *ward) *Detail { d := fit(w.monday[1]); d.LocationID = "5"; return d }, false, []civil.Date{monday}},
		"a group":                {func(w *ward) *Detail { d := fit(w.monday[1]); d.Group = true; return d }, false, []civil.Date{monday}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t)
			id := w.monday[1].ID
			w.invalidate(t, Record{Noun: NounAppointment, ID: id})
			before := w.board(t, monday)
			got, err := w.store.ApplyVisit(t.Context(), clinic, "7", id, c.detail(w), w.begin(t))
			if err != nil || got.Changed != c.changed || !slices.Equal(got.Days, c.days) || got.Record.Day != monday {
				t.Fatalf("changed %v, days to read %v, %v", got.Changed, got.Days, err)
			}
			r := w.board(t, monday)
			if healed := c.days == nil; r.Stale == healed || len(r.Board.Rows) != 3 || !r.AsOf.Equal(before.AsOf) {
				t.Errorf("stale %v with %d rows; one visit does not confirm the day: %v", r.Stale, len(r.Board.Rows), r.AsOf.Sub(before.AsOf))
			}
			if d := c.detail(w); c.changed && (r.Board.Rows[1].Status != d.Status || !r.Board.Rows[1].End.Equal(d.End)) {
				t.Errorf("the board shows %s", r.Board.Rows[1].Status)
			}
			if again := w.see(t, monday, w.monday...); again.Any() != c.changed {
				t.Errorf("the day's list changed %+v", again)
			}
		})
	}
	w := newWard(t)
	if got, err := w.store.ApplyVisit(t.Context(), clinic, "7", "404", fit(w.monday[1]), w.begin(t)); err != nil || !slices.Equal(got.Days, []civil.Date{monday}) {
		t.Errorf("an unknown visit: days to read %v, %v", got.Days, err)
	}
	since := w.begin(t)
	w.invalidate(t, Record{Noun: NounAppointment, ID: w.monday[1].ID})
	d := fit(w.monday[1])
	d.Status = Roomed
	if _, err := w.store.ApplyVisit(t.Context(), clinic, "7", w.monday[1].ID, d, since); !errors.Is(err, cache.ErrConflict) {
		t.Errorf("an answer from before the invalidation: %v", err)
	}
}

func TestPatientsByList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var all []Patient
	for i := range 2*maxChanges + 1 {
		all = append(all, Patient{ID: phi.Text(fmt.Sprint(1000 + i)), Practice: "7", Last: "Testperson"})
	}
	apply := func() []phi.Text {
		t.Helper()
		changed, err := b.store.ApplyPatients(t.Context(), clinic, b.begin(t), append(all, all[0])...)
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	if got := apply(); len(got) != len(all) {
		t.Errorf("%d of %d are new", len(got), len(all))
	}
	logged := len(b.log(t))
	if got := apply(); len(got) != 0 || len(b.log(t)) != logged {
		t.Errorf("%d changed without a change", len(got))
	}
	all[150].Mobile = "555-0142"
	if got := apply(); !slices.Equal(got, []phi.Text{all[150].ID}) || len(b.log(t)) != logged+1 {
		t.Errorf("%d changed, of one", len(got))
	}
}

// Old records are distinguished from missing ones, and a confirmation renews them.
func TestPatientsToFetch(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	fetch := func() (missing, aged int) {
		t.Helper()
		f, err := w.store.PatientsToFetch(t.Context(), clinic, "7", append(w.monday, Appointment{Patient: "404"}))
		if err != nil {
			t.Fatal(err)
		}
		return len(f.Missing), len(f.Aged)
	}
	if missing, aged := fetch(); missing != 1 || aged != 0 {
		t.Errorf("%d missing, %d aged", missing, aged)
	}
	old := &cache.Class{Name: patientClass.Name, Schema: patientClass.Schema, Soft: time.Millisecond, Hard: cache.MaxHard}
	other, n := w.beside(t), w.store.Names(clinic)
	for _, p := range []Patient{{ID: "1000", Practice: "7"}, {ID: "1001", Practice: "8"}} {
		item, err := encode(cache.Key{Tenant: clinic, Class: old, ID: n.Patient(p.ID)}, p, n.Patient(p.ID))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.cache.FillMany(t.Context(), w.begin(t), []cache.Item{item}); err != nil {
			t.Fatal(err)
		}
	}
	for range 10_000 { // each round trip advances the server's clock
		if missing, aged := fetch(); missing == 2 && aged == 1 {
			break
		}
	}
	if missing, aged := fetch(); missing != 2 || aged != 1 {
		t.Errorf("after Soft: %d missing, %d aged", missing, aged)
	}
	if err := w.store.ConfirmPatients(t.Context(), clinic, "7", w.begin(t)); err != nil {
		t.Fatal(err)
	}
	if missing, aged := fetch(); missing != 2 || aged != 0 {
		t.Errorf("after the confirmation %d missing, %d aged", missing, aged)
	}
}

// A change of more cards than one atomic step can invalidate is made in several steps, and reaches
// every card.
func TestChangeOfManyCardsInvalidatesEachCard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := visits(maxChanges)
	b.see(t, monday, before...)
	after := visits(maxChanges)
	var patients []phi.Text
	for i := range after {
		after[i].Patient = phi.Text(fmt.Sprint(2000 + i)) // one card before and one card after, beside the visit itself
		patients = append(patients, before[i].Patient, after[i].Patient)
	}
	for _, id := range patients {
		b.patient(t, Patient{ID: id, Practice: "7", First: "First"})
		b.card(t, id)
	}
	if got := b.see(t, monday, after...); got.Changed != maxChanges {
		t.Fatalf("changed %+v", got)
	}
	for i, id := range patients {
		if r := b.card(t, id); r.Hit || len(r.Card.Visits) != i%2 {
			t.Errorf("card %d: %+v, %d visits", i, r.Freshness, len(r.Card.Visits))
		}
	}
}

// What the vendor states about a patient for certain holds for longer than an absence, until the
// record changes.
func TestSureAbsenceOutlivesTheNegativeEntry(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	n := w.store.Names(clinic)
	missing := func() int {
		t.Helper()
		f, err := w.store.PatientsToFetch(t.Context(), clinic, "7", []Appointment{{Patient: "1001"}})
		if err != nil {
			t.Fatal(err)
		}
		return len(f.Missing)
	}
	forget := func(sure bool) {
		t.Helper()
		if _, err := w.store.ForgetPatient(t.Context(), clinic, "1001", sure, w.begin(t)); err != nil {
			t.Fatal(err)
		}
		expired, err := w.rdb.Keys(t.Context(), "*:patient:2:*"+string(n.Patient("1001"))).Result()
		if err != nil || len(expired) != 1 {
			t.Fatalf("%d entries, %v", len(expired), err)
		}
		if err := w.rdb.Del(t.Context(), expired...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // as if the vendor is asked again
		forget(true)
		_, err := w.store.PatientCard(t.Context(), clinic, "7", "1001", monday)
		if absent, err2 := w.store.PatientAbsent(t.Context(), clinic, "1001"); missing() != 0 || !errors.Is(err, ErrAbsent) || !absent || err2 != nil {
			t.Errorf("%d missing, card %v, absent %t, %v", missing(), err, absent, err2)
		}
	}
	w.invalidate(t, Record{Noun: NounPatient, ID: "1001"})
	if missing() != 1 {
		t.Error("a doubted absence holds")
	}
	forget(true)
	w.patient(t, Patient{ID: "1001", Practice: "7", Last: "Testperson1"})
	if r := w.card(t, "1001"); r.Stale || missing() != 0 {
		t.Errorf("the record's return: stale %t", r.Stale)
	}
	if absent, err := w.store.PatientAbsent(t.Context(), clinic, "1001"); absent || err != nil {
		t.Errorf("absent %t, %v", absent, err)
	}
	w.invalidate(t, Record{Noun: NounPatient, ID: "1001"})
	forget(false)
	forget(false)
	if missing() != 1 {
		t.Error("an absence that is not sure holds for longer")
	}
}
