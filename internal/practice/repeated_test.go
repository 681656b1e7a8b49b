package practice

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// repeats are rows of one ID: a group of three on monday, one of its patients on the next day, and
// two rows that differ only in their status.
func repeats() []Appointment {
	a, b, c, d, e := visit(0), visit(0), visit(0), onDay(visit(0), monday.Add(1), 1), visit(1)
	b.Patient, c.Patient, d.Patient = "1101", "1102", "1102"
	f := e
	f.Status = NoShow
	return []Appointment{a, b, c, d, e, f}
}

func (b *bundle) window(t *testing.T, from, to civil.Date, rows ...Appointment) []Applied {
	t.Helper()
	since, own := b.begin(t), map[cache.Tag]uint64{}
	var out []Applied
	for _, d := range civil.Range(from, to) {
		got, err := b.store.ApplyDay(t.Context(), clinic, Answer{
			Practice: "7", Date: d, From: from, To: to, Visits: rows, Since: since, OwnVersions: own, Question: Question{Confirmed: math.MaxUint64},
		})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, got)
	}
	return out
}

func TestRowsOfOneIDHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tuesday := monday.Add(1)
	b.window(t, monday, tuesday, repeats()...)
	names, refs := b.store.Names(clinic), map[phi.Ref]bool{}
	for _, d := range []civil.Date{monday, tuesday} {
		for _, row := range b.board(t, d).Board.Rows {
			refs[names.Appointment(row.Key())] = true
		}
	}
	if len(refs) != 6 || refs[names.Appointment(visit(0).ID)] {
		t.Errorf("%d names", len(refs))
	}
	for _, d := range []civil.Date{monday, tuesday} {
		if got := b.window(t, d, d, repeats()...); got[0].Any() || len(got[0].Reread) > 0 {
			t.Errorf("%s read by itself changes %+v", d, got[0])
		}
	}
}

// A series and groups, read one day after the other: no day's reading takes rows from another day.
func TestSeriesReadDayByDay(t *testing.T) {
	t.Parallel()
	for name, modified := range map[string]time.Time{"dated": monday.In(time.UTC), "undated": {}} {
		b := setup(t)
		var rows []Appointment
		for i := range 3 {
			a := onDay(visit(0), monday.Add(i), i)
			a.Modified = modified
			rows = append(rows, a)
		}
		due := civil.Range(monday, monday.Add(2))
		for n := 0; len(due) > 0 && n < 20; n++ {
			got := b.see(t, due[0], rows...)
			due = distinct(append(due[1:], got.Reread...))
		}
		for _, d := range civil.Range(monday, monday.Add(2)) {
			if r := b.board(t, d); len(r.Board.Rows) != 1 || r.Stale || len(due) > 0 {
				t.Errorf("%s: %s has %d rows, stale %v, to read again: %v", name, d, len(r.Board.Rows), r.Stale, due)
			}
		}
	}
}

func TestInvalidateReachesEveryRowOfAnID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tuesday := monday.Add(1)
	b.window(t, monday, tuesday, repeats()...)
	for _, id := range []phi.Text{"1000", "1101", "1102"} {
		b.know(t, Patient{ID: id, Practice: "7", First: "First"})
		b.card(t, id)
	}
	since := b.begin(t)
	b.board(t, monday)
	b.board(t, tuesday)
	b.invalidate(t, Record{Noun: NounAppointment, ID: visit(0).ID})
	for _, d := range []civil.Date{monday, tuesday} {
		if r := b.board(t, d); r.Hit || !r.Stale || r.Missing > 0 {
			t.Errorf("%s: hit %v, stale %v, missing %d", d, r.Hit, r.Stale, r.Missing)
		}
	}
	for _, id := range []phi.Text{"1000", "1101", "1102"} {
		if r := b.card(t, id); !r.Stale {
			t.Errorf("the card of %s is not stale", id.Reveal())
		}
	}
	rows := repeats()
	rows[1].Status = CheckedIn
	_, err := b.store.ApplyDay(t.Context(), clinic, Answer{Practice: "7", Date: monday, From: monday, To: tuesday, Visits: rows, Since: since})
	if !errors.Is(err, cache.ErrConflict) {
		t.Errorf("an answer from before the invalidation: %v", err)
	}
	b.window(t, monday, tuesday, repeats()...)
	for _, d := range []civil.Date{monday, tuesday} {
		if r := b.board(t, d); r.Stale {
			t.Errorf("%s is stale after both days were read", d)
		}
	}
}

func TestIncompleteAnswerKeepsTheOthersOfAGroup(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, append(visits(5)[2:], repeats()[:3]...)...)
	since := b.begin(t)
	got, err := b.store.ApplyDay(t.Context(), clinic, Answer{
		Practice: "7", Date: monday, Visits: append(visits(5)[2:], repeats()[1]), Since: since, SetAside: map[codes.Code]int{codes.RowUndated: 2},
	})
	if err != nil || got.Any() {
		t.Fatalf("%+v, %v", got, err)
	}
	if r := b.board(t, monday); len(r.Board.Rows) != 6 || r.Stale {
		t.Errorf("%d rows, stale %v", len(r.Board.Rows), r.Stale)
	}
	if got := b.see(t, monday, append(visits(5)[2:], repeats()[1])...); got.Removed != 2 {
		t.Errorf("%+v", got)
	}
	if r := b.board(t, monday); len(r.Board.Rows) != 4 || r.Board.Rows[0].Occurrence != "" {
		t.Errorf("%d rows, the first is an occurrence: %q", len(r.Board.Rows), r.Board.Rows[0].Occurrence)
	}
}

// An entry of several days is on each of them, and leaves all of them at once.
func TestEntryOfSeveralDays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	block := visit(0)
	block.Patient, block.Last, block.End = "", monday.Add(4), block.End.AddDate(0, 0, 4)
	rows := slices.Concat(visits(4)[1:], []Appointment{block})
	b.window(t, monday, monday.Add(4), rows...)
	for i, d := range civil.Range(monday, monday.Add(4)) {
		if r := b.board(t, d); len(r.Board.Rows) != max(1, 4-3*min(i, 1)) || r.Board.Rows[0].Appointment != block.ID {
			t.Errorf("%s has %d rows", d, len(r.Board.Rows))
		}
	}
	wednesday := monday.Add(2)
	since := b.begin(t)
	got, err := b.store.ApplyDay(t.Context(), clinic, Answer{
		Practice: "7", Date: wednesday, From: wednesday, To: wednesday, Seen: monday, Visits: append(visits(4)[1:], onDay(visit(5), wednesday, 2)), Since: since,
	})
	if want := []civil.Date{monday, monday.Add(1), monday.Add(3), monday.Add(4)}; err != nil || !slices.Equal(sorted(got.Reread), want) {
		t.Fatalf("to read again: %v, %v", got.Reread, err)
	}
	for i, d := range civil.Range(monday, monday.Add(4)) {
		r := b.board(t, d)
		if slices.ContainsFunc(r.Board.Rows, func(row BoardRow) bool { return row.Appointment == block.ID }) || r.Stale != (i != 2) {
			t.Errorf("%s: %d rows, stale %v", d, len(r.Board.Rows), r.Stale)
		}
	}
}

func sorted(days []civil.Date) []civil.Date {
	slices.SortFunc(days, civil.Date.Compare)
	return days
}

// Documents and records of the previous release are read as they are.
func TestDocumentsOfThePreviousReleaseAreRead(t *testing.T) {
	t.Parallel()
	var a Appointment
	var d Day
	var board Board
	var v visitSeen
	for text, into := range map[string]any{
		`{"id":"900001","practice":"7","day":"2026-03-02","start":"2026-03-02T14:00:00Z","end":"2026-03-02T14:10:00Z","patient":"1001","status":"scheduled"}`:                  &a,
		`{"practice":"7","date":"2026-03-02","visits":[{"id":"900001","patient":"1001","providers":["70"]}]}`:                                                                  &d,
		`{"practice":"7","date":"2026-03-02","rows":[{"appointment":"900001","start":"2026-03-02T14:00:00Z","end":"2026-03-02T14:10:00Z","status":"scheduled","known":true}]}`: &board,
		`{"hash":"aaaa","practice":"7","day":"2026-03-02","patient":"1001","providers":["70"]}`:                                                                                &v,
	} {
		if err := phi.Unmarshal([]byte(text), into); err != nil {
			t.Errorf("%T: %v", into, err)
		}
	}
	if data, err := phi.Marshal(visit(1)); err != nil || strings.Contains(string(data), "occurrence") || strings.Contains(string(data), "last") {
		t.Errorf("a visit that the vendor gives once has other members than before: %v", err)
	}
	if a.key() != "900001" || d.Visits[0].key() != a.key() || board.Rows[0].Key() != a.key() || v.Day != monday {
		t.Error("a visit has another key than before")
	}
}

func TestBeganIsTheStartOfTheLongestEntry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	long, short := visit(0), visit(1)
	long.Day, long.Start, long.Last = monday.Add(-30), long.Start.AddDate(0, 0, -30), monday.Add(9)
	short.Day, short.Start, short.Last = monday.Add(-1), short.Start.AddDate(0, 0, -1), monday
	b.see(t, monday, long, short, visit(2))
	days := civil.Range(monday.Add(-3), monday.Add(3))
	got, err := b.store.Known(t.Context(), clinic, "7", days)
	if err != nil || !got.Near || got.Visits[monday] != 3 || len(got.Visits) != 1 || got.Busiest() != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	for from, want := range map[civil.Date]civil.Date{monday.Add(-30): monday.Add(-30), monday.Add(-29): monday.Add(-1), monday: {}} {
		if began := got.Began(from); began != want {
			t.Errorf("from %s on: %s", from, began)
		}
	}
	for _, far := range []bool{true, false} {
		b.answered(t, monday, monday, func(a *Answer) { a.Seen, a.Far = monday.Add(-40), far }, long, short, visit(2))
		if got, err := b.store.Known(t.Context(), clinic, "7", days[3:4]); err != nil || got.Near {
			t.Errorf("a day that was read with the days before it: %+v, %v", got, err)
		}
	}
}

// A group of more rows than one atomic change, or the record of its ID, has room for.
func TestLargeGroup(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const size = 2*maxOccurrences + maxChanges
	rows := make([]Appointment, size)
	for i := range rows {
		rows[i] = visit(0)
		rows[i].Patient = phi.Text(fmt.Sprint(2000 + i))
		rows[i].Resources = []Resource{{ID: fmt.Sprint(70 + i%9)}}
		b.know(t, Patient{ID: rows[i].Patient, Practice: "7", First: "First"})
	}
	if got := b.see(t, monday, rows...); got.Added != size {
		t.Fatalf("%d added", got.Added)
	}
	if got := b.see(t, monday, rows...); got.Any() {
		t.Errorf("the same answer changed %d, %d, %d", got.Added, got.Changed, got.Removed)
	}
	if r := b.board(t, monday); len(r.Board.Rows) != size || r.Missing > 0 || r.Stale {
		t.Errorf("%d rows, %d missing, stale %v", len(r.Board.Rows), r.Missing, r.Stale)
	}
	for i := range rows {
		b.card(t, rows[i].Patient)
	}
	b.invalidate(t, Record{Noun: NounAppointment, ID: visit(0).ID})
	for i := range rows {
		if r := b.card(t, rows[i].Patient); !r.Stale {
			t.Fatalf("the card of row %d is not stale", i)
		}
	}
	if got := b.see(t, monday, rows[:size-1]...); got.Removed != 1 {
		t.Errorf("one less: %d removed", got.Removed)
	}
	if r := b.board(t, monday); len(r.Board.Rows) != size-1 || r.Stale {
		t.Errorf("%d rows, stale %v", len(r.Board.Rows), r.Stale)
	}
}

// A reading of an ID alone does not show which of its rows it is about: its days are read.
func TestRepeatedVisitReadByItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tuesday := monday.Add(1)
	b.window(t, monday, tuesday, repeats()...)
	a := visit(0)
	for name, detail := range map[string]*Detail{
		"gone": nil, "as one of them": {ID: a.ID, Day: a.Day, Start: a.Start, End: a.End, Patient: a.Patient, Status: a.Status},
	} {
		got, err := b.store.ApplyVisit(t.Context(), clinic, "7", a.ID, detail, b.begin(t))
		if want := []civil.Date{monday, tuesday}; err != nil || got.Changed || !slices.Equal(sorted(got.Days), want) {
			t.Errorf("%s: %+v, %v", name, got.Days, err)
		}
	}
}

// A card shows a visit over night once, and every visit of a series.
func TestCardOfRepeatedVisits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.know(t, Patient{ID: "1000", Practice: "7", First: "First"})
	night := visit(0)
	night.ID, night.Last, night.End = "900099", monday.Add(1), night.End.AddDate(0, 0, 1)
	b.window(t, monday, monday.Add(2), visit(0), onDay(visit(0), monday.Add(1), 1), onDay(visit(0), monday.Add(2), 2), night)
	r := b.card(t, "1000")
	refs := map[phi.Text]bool{}
	for _, v := range r.Card.Visits {
		refs[v.Key()] = true
	}
	if len(r.Card.Visits) != 4 || len(refs) != 4 {
		t.Errorf("%d visits with %d keys", len(r.Card.Visits), len(refs))
	}
}
