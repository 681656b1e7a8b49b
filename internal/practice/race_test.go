package practice

import (
	"errors"
	"strconv"
	"testing"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
)

func (b *bundle) begin(t *testing.T) cache.Grant {
	t.Helper()
	since, err := b.store.Begin(t.Context(), clinic)
	if err != nil {
		t.Fatal(err)
	}
	return since
}

func (b *bundle) invalidate(t *testing.T, r Record) {
	t.Helper()
	if _, err := b.store.Invalidate(t.Context(), clinic, r, ""); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) patient(t *testing.T, p Patient) bool {
	t.Helper()
	changed, err := b.store.ApplyPatient(t.Context(), clinic, p, b.begin(t))
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// lose deletes one entry, as an eviction or its expiry does.
func (b *bundle) lose(t *testing.T, k cache.Key) {
	t.Helper()
	n, err := b.rdb.Del(t.Context(), entryKey(k)).Result()
	if err != nil || n != 1 {
		t.Fatalf("%d copies deleted, %v", n, err)
	}
}

// entryKey is the Redis key of an entry.
func entryKey(k cache.Key) string {
	return clinic.Key("c1", "d", k.Class.Name, strconv.Itoa(k.Class.Schema), "-", string(k.ID))
}

func onDay(a Appointment, d civil.Date, days int) Appointment {
	a.Day, a.Start, a.End = d, a.Start.AddDate(0, 0, days), a.End.AddDate(0, 0, days)
	return a
}

// An answer that was on its way during an invalidation may be older than that: its invalidated part
// is not stored as valid, whatever else it changes. The rest of it is.
func TestAnswerFromBeforeAnInvalidationIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r        Record
		conflict bool
	}{
		"the changed visit": {Record{Noun: NounAppointment, ID: visit(0).ID}, true},
		"another visit":     {Record{Noun: NounAppointment, ID: visit(1).ID}, false},
		"the practice":      {Record{Noun: NounPractice, Practice: "7"}, true},
	} {
		b := setup(t)
		b.see(t, monday, visits(3)...)
		since := b.begin(t)
		b.invalidate(t, c.r)
		vs := visits(3)
		vs[0].Status = CheckedIn
		got, err := b.store.ApplyDay(t.Context(), clinic, Answer{Practice: "7", Date: monday, Visits: vs, Since: since})
		if errors.Is(err, cache.ErrConflict) != c.conflict || got.Any() == c.conflict {
			t.Errorf("%s: %+v, %v, want a conflict: %v", name, got, err, c.conflict)
		}
		if read := b.board(t, monday); !read.Stale {
			t.Errorf("%s: the board is valid", name)
		}
		if got := b.see(t, monday, vs...); got.Any() != c.conflict {
			t.Errorf("%s: the second answer: %+v", name, got)
		}
		if read := b.board(t, monday); read.Stale || read.Board.Rows[0].Status != CheckedIn {
			t.Errorf("%s: the board is not valid after the second answer", name)
		}
	}
}

func TestRecordFromBeforeAnInvalidationIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	since := b.begin(t)
	b.invalidate(t, Record{Noun: NounPatient, ID: "1000"})
	_, err := b.store.ApplyPatient(t.Context(), clinic, Patient{ID: "1000", First: "Ada"}, since)
	if !errors.Is(err, cache.ErrConflict) {
		t.Errorf("patient: %v, want a conflict", err)
	}
	for _, r := range []Record{{Noun: NounDirectory, Practice: "7"}, {Noun: NounPractice, Practice: "7"}} {
		since := b.begin(t)
		b.invalidate(t, r)
		_, err := b.store.ApplyDirectory(t.Context(), clinic, Directory{Practice: "7"}, since)
		if !errors.Is(err, cache.ErrConflict) {
			t.Errorf("directory after its %s: %v, want a conflict", r.Noun, err)
		}
	}
	if _, err := b.store.ApplyPatient(t.Context(), clinic, Patient{ID: "1001"}, since); err != nil {
		t.Errorf("after the invalidation of another record: %v", err)
	}
}

// A visit that moved between two days of one answer is the answer's own change, in either
// direction.
func TestMovesWithinOneAnswerAreNoConflict(t *testing.T) {
	t.Parallel()
	tuesday := monday.Add(1)
	for name, c := range map[string]struct{ from, to civil.Date }{"forth": {monday, tuesday}, "back": {tuesday, monday}} {
		b := setup(t)
		base := map[civil.Date][]Appointment{monday: {visit(1), visit(2)}, tuesday: {onDay(visit(3), tuesday, 1), onDay(visit(4), tuesday, 1)}}
		there := map[civil.Date]Appointment{monday: visit(0), tuesday: onDay(visit(0), tuesday, 1)}
		readBoth := func(at civil.Date) {
			t.Helper()
			since, own := b.begin(t), map[cache.Tag]uint64{}
			for _, d := range []civil.Date{monday, tuesday} {
				a := Answer{Practice: "7", Date: d, Visits: append([]Appointment(nil), base[d]...), Since: since, OwnVersions: own}
				if d == at {
					a.Visits = append(a.Visits, there[d])
				}
				if _, err := b.store.ApplyDay(t.Context(), clinic, a); err != nil {
					t.Fatalf("%s: %s: %v", name, d, err)
				}
			}
		}
		readBoth(c.from)
		readBoth(c.to)
		old, now := b.board(t, c.from), b.board(t, c.to)
		if len(old.Board.Rows) != 2 || old.Stale || len(now.Board.Rows) != 3 || now.Stale || now.Missing != 0 {
			t.Errorf("%s: %d rows (stale %v) and %d rows (stale %v, %d missing)", name,
				len(old.Board.Rows), old.Stale, len(now.Board.Rows), now.Stale, now.Missing)
		}
	}
}

// Until the old day is read again, its board is stale and does not show the visit with another
// day's time.
func TestMovedVisitLeavesTheOldBoardAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tuesday := monday.Add(1)
	b.see(t, monday, visits(3)...)
	b.see(t, tuesday, onDay(visit(0), tuesday, 1))
	if r := b.board(t, monday); len(r.Board.Rows) != 2 || !r.Stale || r.Missing != 0 {
		t.Errorf("%d rows, stale %v, %d missing", len(r.Board.Rows), r.Stale, r.Missing)
	}
	got, err := b.store.ApplyDay(t.Context(), clinic, Answer{Practice: "7", Date: monday, Visits: visits(3)[1:], Partial: true, Since: b.begin(t)})
	if err != nil || got.Removed != 1 {
		t.Fatalf("a cut list: %+v, %v", got, err)
	}
	if r := b.board(t, monday); len(r.Board.Rows) != 2 || r.Stale {
		t.Errorf("after a cut list: %d rows, stale %v", len(r.Board.Rows), r.Stale)
	}
}

func TestVisitThatMovedToAnotherPracticeBelongsToIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(3)...)
	moved := visit(0)
	moved.Practice = "8"
	if _, err := b.store.ApplyDay(t.Context(), clinic, Answer{Practice: "8", Date: monday, Visits: []Appointment{moved}, Since: b.begin(t)}); err != nil {
		t.Fatal(err)
	}
	if got := b.see(t, monday, visits(3)[1:]...); got.Removed != 1 {
		t.Errorf("the old practice's answer changed %+v", got)
	}
	r, err := b.store.Board(t.Context(), clinic, "8", monday)
	if err != nil || len(r.Board.Rows) != 1 || r.Stale {
		t.Errorf("the new practice's board: %d rows, stale %v, %v", len(r.Board.Rows), r.Stale, err)
	}
}

// The vendor may list one appointment twice, with different content and other rows between: both
// are shown, and the same answer again is no change.
func TestRowsThatDifferAreAllShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	twice := visit(5)
	twice.ID = visit(0).ID
	if got := b.see(t, monday, append(visits(3), twice)...); got.Added != 4 {
		t.Errorf("%+v", got)
	}
	if got := b.see(t, monday, append([]Appointment{twice}, visits(3)...)...); got.Any() {
		t.Errorf("the same answer in another order changed %+v", got)
	}
	if r := b.board(t, monday); len(r.Board.Rows) != 4 {
		t.Errorf("%d rows", len(r.Board.Rows))
	}
}

// A board may be built on invalid records, but it is not stored.
func TestBoardOnInvalidRecordsIsNotStored(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Record{
		"patient": {Noun: NounPatient, ID: "1000"}, "directory": {Noun: NounDirectory, Practice: "7"},
	} {
		b := setup(t)
		b.see(t, monday, visits(3)...)
		b.patient(t, Patient{ID: "1000", First: "Ada", Last: "Testperson"})
		if _, err := b.store.ApplyDirectory(t.Context(), clinic, Directory{Practice: "7"}, b.begin(t)); err != nil {
			t.Fatal(err)
		}
		b.board(t, monday)
		b.invalidate(t, r)
		for range 2 {
			if got := b.board(t, monday); got.Hit || !got.Stale || got.Board.Rows[0].Name != "Ada Testperson" {
				t.Errorf("%s: hit %v, stale %v", name, got.Hit, got.Stale)
			}
		}
	}
}

// A record whose copy was lost comes back unchanged. The boards that were built without it are
// invalidated all the same.
func TestUnchangedRecordThatWasLostReachesTheBoard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(1)...)
	ada := Patient{ID: phi.Text("1000"), First: "Ada", Last: "Testperson"}
	b.patient(t, ada)
	b.board(t, monday)
	n := b.store.Names(clinic)
	b.lose(t, cache.Key{Class: patientClass, ID: n.Patient(ada.ID)})
	b.lose(t, cache.Key{Class: boardClass, ID: n.Board("7", monday)})
	if r := b.board(t, monday); r.Unknown != 1 {
		t.Fatalf("%d unknown without the record", r.Unknown)
	}
	b.patient(t, ada)
	if r := b.board(t, monday); r.Unknown != 0 || r.Board.Rows[0].Name != "Ada Testperson" {
		t.Errorf("%d unknown after the record came back", r.Unknown)
	}
	if b.patient(t, ada) {
		t.Error("an unchanged record that has a copy counts as a change")
	}
}
