package practice

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const clinic = tenant.ID("clinic-a")

var monday = civil.DateOf(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))

type bundle struct {
	store   *Store
	rdb     *redis.Client
	keys    *phi.Keys
	options cache.Options
}

func setup(t *testing.T) *bundle {
	t.Helper()
	rdb, keys := redistest.New(t), newKeys(t)
	data, err := phi.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{rdb: rdb, keys: keys, options: cache.Options{
		Redis:  rdb,
		Key:    func(context.Context, tenant.ID) (*phi.DataKey, error) { return data, nil },
		Sealer: keys.For,
	}}
	b.store = b.beside(t)
	return b
}

// beside is the store of another process on the same Redis.
func (b *bundle) beside(t *testing.T) *Store {
	t.Helper()
	c, err := cache.New(b.options)
	if err != nil {
		t.Fatal(err)
	}
	return NewStore(c, b.keys)
}

func visit(n int) Appointment {
	start := time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC).Add(time.Duration(n) * 10 * time.Minute)
	return Appointment{
		ID: phi.Text(fmt.Sprint(900000 + n)), Practice: "7", Day: monday, Start: start, End: start.Add(10 * time.Minute),
		Patient: phi.Text(fmt.Sprint(1000 + n)), PatientName: phi.Text(fmt.Sprintf("Row Name%d", n)), Status: Scheduled,
	}
}

func visits(n int) []Appointment {
	out := make([]Appointment, n)
	for i := range out {
		out[i] = visit(i)
	}
	return out
}

// trusted is a question whose answers need no other proof than a second one.
var trusted = Question{Confirmed: math.MaxUint64}

// see applies an answer like a run of the worker: it draws the stamp first.
func (b *bundle) see(t *testing.T, d civil.Date, vs ...Appointment) Applied {
	t.Helper()
	since, err := b.store.Begin(t.Context(), clinic)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.store.ApplyDay(t.Context(), clinic, Answer{Practice: "7", Date: d, Visits: vs, Since: since, Question: trusted})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (b *bundle) board(t *testing.T, d civil.Date) BoardRead {
	t.Helper()
	r, err := b.store.Board(t.Context(), clinic, "7", d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bundle) log(t *testing.T) []events.Event {
	t.Helper()
	rows, err := b.rdb.XRange(t.Context(), events.Key(clinic), "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	evs := make([]events.Event, len(rows))
	for i, row := range rows {
		if evs[i], err = events.Decode(row); err != nil {
			t.Fatal(err)
		}
	}
	return evs
}

func TestColdUntilTheVendorWasAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.store.Board(t.Context(), clinic, "7", monday); !errors.Is(err, ErrCold) {
		t.Fatalf("a board without a roster: %v", err)
	}
	if got := b.see(t, monday); got.Any() || got.Doubtful {
		t.Errorf("a first, empty answer changed %+v", got)
	}
	r := b.board(t, monday)
	if len(r.Board.Rows) != 0 || time.Since(r.AsOf) > time.Minute {
		t.Errorf("an empty day has %d rows, as of %v", len(r.Board.Rows), r.AsOf)
	}
}

func TestUnchangedAnswerOnlyRenewsTheAge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.see(t, monday, visits(90)...); got.Added != 90 {
		t.Fatalf("first answer: %+v", got)
	}
	before := b.board(t, monday)
	if again := b.board(t, monday); before.Hit || !again.Hit {
		t.Errorf("first read hit %v, second %v", before.Hit, again.Hit)
	}
	logged := len(b.log(t))
	if got := b.see(t, monday, visits(90)...); got.Any() {
		t.Errorf("the same answer changed %+v", got)
	}
	if got := len(b.log(t)); got != logged {
		t.Errorf("the same answer appended %d events", got-logged)
	}
	after := b.board(t, monday)
	if !after.Hit || !after.AsOf.After(before.AsOf) {
		t.Errorf("the board is hit %v, as of %v after %v", after.Hit, after.AsOf, before.AsOf)
	}
}

func TestOneChangeInvalidatesOneVisit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(20)...)
	b.board(t, monday)
	logged := len(b.log(t))
	vs := visits(20)
	vs[3].Status = CheckedIn
	if diff := cmp.Diff(Applied{Changed: 1, Patients: []phi.Text{vs[3].Patient}}, b.see(t, monday, vs...)); diff != "" {
		t.Fatal(diff)
	}
	evs := b.log(t)[logged:]
	n := b.store.Names(clinic)
	if len(evs) != 1 || evs[0].Body.Kind != events.AppointmentChanged ||
		!slices.Equal(evs[0].Body.Refs, []phi.Ref{n.Appointment(vs[3].ID)}) ||
		!slices.Equal(evs[0].Body.Views, []phi.Ref{n.Board("7", monday), n.Card("7", vs[3].Patient)}) {
		t.Fatalf("events: %+v", evs)
	}
	r := b.board(t, monday)
	if r.Hit || r.Stale || r.Missing != 0 || r.Board.Rows[3].Status != CheckedIn {
		t.Errorf("after the change: hit %v, stale %v, missing %d, %s", r.Hit, r.Stale, r.Missing, r.Board.Rows[3].Status)
	}
}

func TestVisitsThatMoveAndDisappear(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tuesday := monday.Add(1)
	b.see(t, monday, visits(10)...)
	b.see(t, tuesday)
	b.board(t, monday)
	moved := visit(0)
	moved.Day, moved.Start, moved.End = tuesday, moved.Start.AddDate(0, 0, 1), moved.End.AddDate(0, 0, 1)
	if got := b.see(t, tuesday, moved); got.Changed != 1 {
		t.Errorf("the new day's answer changed %+v", got)
	}
	if r := b.board(t, monday); r.Hit {
		t.Error("the old day's board is still valid")
	}
	if got := b.see(t, monday, visits(10)[1:9]...); got.Removed != 2 {
		t.Errorf("the old day's answer changed %+v", got)
	}
	if r := b.board(t, monday); len(r.Board.Rows) != 8 || r.Missing != 0 {
		t.Errorf("the old day has %d rows, %d missing", len(r.Board.Rows), r.Missing)
	}
	if r := b.board(t, tuesday); len(r.Board.Rows) != 1 {
		t.Errorf("the new day has %d rows", len(r.Board.Rows))
	}
}

func TestEmptyAnswerErasesNothingUntilConfirmed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer []Appointment }{"empty": {nil}, "less than half": {visits(10)[:4]}} {
		b := setup(t)
		b.see(t, monday, visits(10)...)
		before := b.board(t, monday)
		if got := b.see(t, monday, c.answer...); !got.Doubtful || got.Removed != 0 {
			t.Errorf("%s: the first time: %+v", name, got)
		}
		r := b.board(t, monday)
		if len(r.Board.Rows) != 10 || !r.AsOf.Equal(before.AsOf) {
			t.Errorf("%s: %d rows are left, confirmed %v", name, len(r.Board.Rows), r.AsOf.Sub(before.AsOf))
		}
		if got := b.see(t, monday, c.answer...); got.Doubtful || got.Removed != 10-len(c.answer) {
			t.Errorf("%s: the second time: %+v", name, got)
		}
		if r := b.board(t, monday); len(r.Board.Rows) != len(c.answer) {
			t.Errorf("%s: %d rows after the second answer", name, len(r.Board.Rows))
		}
	}
}

func TestDoubtIsConfirmedByTheSameAnswerOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(10)...)
	b.see(t, monday)
	if got := b.see(t, monday, visits(10)[:3]...); !got.Doubtful || got.Removed != 0 {
		t.Errorf("an answer with three visits confirms an empty one: %+v", got)
	}
	b.see(t, monday, visits(10)...)
	if got := b.see(t, monday, visits(10)[:3]...); !got.Doubtful {
		t.Error("a doubt outlived a full answer")
	}
}

func TestPartialAnswerRemovesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(10)...)
	for range 2 {
		since, err := b.store.Begin(t.Context(), clinic)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.store.ApplyDay(t.Context(), clinic, Answer{Practice: "7", Date: monday, Visits: visits(9), Partial: true, Since: since})
		if err != nil || got.Any() || got.Doubtful {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if r := b.board(t, monday); len(r.Board.Rows) != 10 {
		t.Errorf("%d rows are left", len(r.Board.Rows))
	}
}

func TestOlderOfTwoAnswersDoesNotWin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(5)...)
	slow, err := b.store.Begin(t.Context(), clinic)
	if err != nil {
		t.Fatal(err)
	}
	newer := visits(5)
	newer[0].Status = Confirmed
	b.see(t, monday, newer...)
	// The slow run received its answer before the change and compares only now: its answer is
	// outdated. The next read counts what it brings back as a change; it is never stored as
	// valid under an older stamp.
	d := &dayUpdate{
		scope:  b.store.scope(clinic, "7"),
		answer: Answer{Practice: "7", Date: monday, Visits: visits(5), Since: slow},
	}
	if err := d.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	third := visits(5)
	third[0].Status = CheckedIn
	b.see(t, monday, third...)
	if _, err := d.commit(t.Context()); !errors.Is(err, cache.ErrConflict) {
		t.Fatalf("a run that compared before another run's change was applied after it: %v", err)
	}
	if r := b.board(t, monday); r.Board.Rows[0].Status != CheckedIn {
		t.Errorf("the board shows %s", r.Board.Rows[0].Status)
	}
}

func TestLostCopiesAreFilledAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(10)...)
	n := b.store.Names(clinic)
	key := cache.Key{Tenant: clinic, Class: visitClass, ID: n.Appointment(visit(2).ID)}
	if err := b.rdb.Del(t.Context(), clinic.Key("c1", "d", "appointment", "2", "-", string(key.ID))).Err(); err != nil {
		t.Fatal(err)
	}
	if r := b.board(t, monday); r.Missing != 1 || len(r.Board.Rows) != 9 {
		t.Fatalf("%d missing, %d rows", r.Missing, len(r.Board.Rows))
	}
	if got := b.see(t, monday, visits(10)...); got.Any() {
		t.Errorf("the same answer changed %+v", got)
	}
	if r := b.board(t, monday); r.Missing != 0 || len(r.Board.Rows) != 10 {
		t.Errorf("%d missing, %d rows", r.Missing, len(r.Board.Rows))
	}
}

func TestUnchangedVisitsAreNotFilledAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(10)...)
	// A second fill encrypts under another nonce: the bytes of an equal document change too.
	before := b.dumps(t, "appointment")
	b.see(t, monday, visits(10)...)
	if after := b.dumps(t, "appointment"); len(before) != 10 || !maps.Equal(before, after) {
		t.Errorf("%d copies became %d, or an unchanged answer rewrote some", len(before), len(after))
	}
}

// dumps returns every cached document of a class, as Redis serialises it, by key.
func (b *bundle) dumps(t *testing.T, class string) map[string]string {
	t.Helper()
	keys, err := b.rdb.Keys(t.Context(), clinic.Key("c1", "d", class)+":*").Result()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, key := range keys {
		if out[key], err = b.rdb.Dump(t.Context(), key).Result(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestEverythingLostIsFilledAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(10)...)
	if err := b.rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Board(t.Context(), clinic, "7", monday); !errors.Is(err, ErrCold) {
		t.Fatalf("after the flush: %v", err)
	}
	if got := b.see(t, monday, visits(10)...); got.Added != 10 {
		t.Errorf("%+v", got)
	}
	if r := b.board(t, monday); len(r.Board.Rows) != 10 || r.Stale {
		t.Errorf("%d rows, stale %v", len(r.Board.Rows), r.Stale)
	}
}

func TestPatients(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(3)...)
	want := []phi.Text{"1000", "1001", "1002"}
	missing := func() []phi.Text {
		t.Helper()
		got, err := b.store.PatientsToFetch(t.Context(), clinic, "7", append(visits(3), visits(3)...))
		if err != nil || len(got.Aged) > 0 {
			t.Fatalf("%d aged, %v", len(got.Aged), err)
		}
		return got.Missing
	}
	if got := missing(); !slices.Equal(got, want) {
		t.Fatalf("%d patients to fetch", len(got))
	}
	if r := b.board(t, monday); r.Unknown != 3 || r.Board.Rows[0].Name != "Row Name0" {
		t.Errorf("%d unknown", r.Unknown)
	}
	apply := func(p Patient) bool {
		t.Helper()
		since, err := b.store.Begin(t.Context(), clinic)
		if err != nil {
			t.Fatal(err)
		}
		changed, err := b.store.ApplyPatient(t.Context(), clinic, p, since)
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	p := Patient{ID: "1000", First: "Ada", Last: "Testperson"}
	if !apply(p) || apply(p) {
		t.Error("a new record is no change, or an unchanged one is")
	}
	since, err := b.store.Begin(t.Context(), clinic)
	if err != nil {
		t.Fatal(err)
	}
	if doubtful, err := b.store.ForgetPatient(t.Context(), clinic, "1001", false, since); err != nil || doubtful {
		t.Fatalf("doubtful %v, %v", doubtful, err)
	}
	if got := missing(); !slices.Equal(got, want[2:]) {
		t.Errorf("%d patients to fetch after one was read and one does not exist", len(got))
	}
	r := b.board(t, monday)
	if r.Hit || r.Unknown != 2 || r.Board.Rows[0].Name != "Ada Testperson" {
		t.Errorf("hit %v, %d unknown", r.Hit, r.Unknown)
	}
	p.Mobile = "555-0199"
	if b.board(t, monday); !apply(p) {
		t.Error("a new phone number is no change")
	}
	if r := b.board(t, monday); r.Hit || r.Board.Rows[0].Phone != "555-0199" {
		t.Errorf("the board does not show the new number; hit %v", r.Hit)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	vs := visits(1)
	vs[0].Resources = []Resource{{ID: "70", Name: "Dr Old"}}
	b.see(t, monday, vs...)
	b.board(t, monday)
	since, err := b.store.Begin(t.Context(), clinic)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := b.store.ApplyDirectory(t.Context(), clinic, Directory{Practice: "7", Providers: []Provider{{ID: "70", Name: "Dr New"}}}, since)
	if err != nil || !changed {
		t.Fatalf("%v, %v", changed, err)
	}
	if r := b.board(t, monday); r.Hit || r.Board.Rows[0].Provider != "Dr New" {
		t.Errorf("hit %v, provider %s", r.Hit, r.Board.Rows[0].Provider)
	}
}

func TestInvalidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r     Record
		facts Invalidated
		hit   bool
	}{
		"appointment": {Record{Noun: NounAppointment, ID: visit(1).ID}, Invalidated{Practice: "7", Day: monday}, false},
		"unknown one": {Record{Noun: NounAppointment, ID: "404"}, Invalidated{}, true},
		"patient":     {Record{Noun: NounPatient, ID: "1001"}, Invalidated{}, false},
		"directory":   {Record{Noun: NounDirectory, Practice: "7"}, Invalidated{Practice: "7"}, false},
		"practice":    {Record{Noun: NounPractice, Practice: "7"}, Invalidated{Practice: "7"}, false},
		"another one": {Record{Noun: NounPractice, Practice: "8"}, Invalidated{Practice: "8"}, true},
	} {
		b := setup(t)
		b.see(t, monday, visits(3)...)
		b.board(t, monday)
		logged := len(b.log(t))
		facts, err := b.store.Invalidate(t.Context(), clinic, c.r, "task-1")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.facts, facts, dates); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		evs := b.log(t)[logged:]
		if len(evs) != 1 || evs[0].Body.Kind != events.EntityInvalidated || evs[0].ID != "task-1" {
			t.Errorf("%s: %d events", name, len(evs))
		} else if body := evs[0].Body; !slices.Equal(body.Refs, []phi.Ref{b.store.Names(clinic).of(c.r.Noun, c.r)}) || len(body.Views) > 0 {
			t.Errorf("%s: the event names %v and the views %v, want the record alone", name, body.Refs, body.Views)
		}
		if r := b.board(t, monday); r.Hit != c.hit || len(r.Board.Rows) != 3 {
			t.Errorf("%s: hit %v with %d rows", name, r.Hit, len(r.Board.Rows))
		}
		if name == "appointment" {
			if r := b.board(t, monday); !r.Stale {
				t.Error("a board with an invalid visit is not stale")
			}
			b.see(t, monday, visits(3)...)
			if r := b.board(t, monday); r.Stale || len(r.Board.Rows) != 3 {
				t.Errorf("after the second read: %d rows", len(r.Board.Rows))
			}
		}
	}
	b := setup(t)
	if _, err := b.store.Invalidate(t.Context(), clinic, Record{Noun: NounBoard}, ""); err == nil {
		t.Error("Invalidate accepts a view")
	}
}

func TestLargeDayIsAppliedInParts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.see(t, monday, visits(maxChanges*2+1)...); got.Added != maxChanges*2+1 {
		t.Fatalf("%+v", got)
	}
	if r := b.board(t, monday); len(r.Board.Rows) != maxChanges*2+1 || r.Missing != 0 {
		t.Errorf("%d rows, %d missing", len(r.Board.Rows), r.Missing)
	}
}
