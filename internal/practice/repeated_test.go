package practice

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// office is a model of the vendor: rows that may share IDs, on a few days. Rows are never changed
// in place, so that two equal pointers are one unchanged row.
type office struct {
	rows  []*Appointment
	clock int
	// undated leaves out the times of modification.
	undated bool
}

const officeDays = 6

// put adds a row, or one instead of another.
func (o *office) put(instead *Appointment, a Appointment) {
	o.clock++
	if a.Modified = time.Unix(int64(o.clock), 0); o.undated {
		a.Modified = time.Time{}
	}
	o.remove(instead)
	o.rows = append(o.rows, &a)
}

func (o *office) remove(a *Appointment) {
	o.rows = slices.DeleteFunc(o.rows, func(r *Appointment) bool { return r == a })
}

// on lists the rows that a day shows.
func (o *office) on(d civil.Date) []*Appointment {
	return slices.DeleteFunc(slices.Clone(o.rows), func(a *Appointment) bool { return !a.Covers(d) })
}

// answer lists the rows that start in a range of days.
func (o *office) answer(from, to civil.Date) []Appointment {
	var out []Appointment
	for _, a := range o.rows {
		if from.Compare(a.Day) <= 0 && a.Day.Compare(to) <= 0 {
			out = append(out, *a)
		}
	}
	return out
}

// shown is what a test compares of a row.
func shown(id, patient phi.Text, start, end time.Time, s Status) string {
	return fmt.Sprintf("%s %s %s-%s %s", id.Reveal(), patient.Reveal(), start.UTC().Format("02T15:04"), end.UTC().Format("02T15:04"), s)
}

func (a *Appointment) shown() string { return shown(a.ID, a.Patient, a.Start, a.End, a.Status) }

// officeMachine edits the office and reads it in windows, and compares the boards.
type officeMachine struct {
	*office
	store  *Store
	tenant tenant.ID
	// as each day was when it was read last
	read map[civil.Date][]*Appointment
	// reads counts the windows that were read.
	reads int
}

func (m *officeMachine) day(t *rapid.T, label string) civil.Date {
	return monday.Add(rapid.IntRange(0, officeDays-1).Draw(t, label))
}

// draw draws a row of an ID at one of few hours, so that rows often coincide. One in four lasts
// until the next day or the one after.
func (m *officeMachine) draw(t *rapid.T, id string) Appointment {
	d := m.day(t, "on")
	start := d.In(time.UTC).Add(time.Duration(rapid.IntRange(14, 16).Draw(t, "hour")) * time.Hour)
	a := Appointment{
		ID: phi.Text(id), Practice: "7", Day: d, Start: start, End: start.Add(time.Hour),
		Patient:   phi.Text(rapid.SampledFrom([]string{"", "1001", "1002"}).Draw(t, "patient")),
		Status:    rapid.SampledFrom([]Status{Scheduled, Confirmed}).Draw(t, "status"),
		Resources: []Resource{{ID: rapid.SampledFrom([]string{"70", "71"}).Draw(t, "provider")}},
	}
	if more := rapid.IntRange(-5, 2).Draw(t, "more days"); more > 0 {
		a.Last, a.End = d.Add(more), a.End.AddDate(0, 0, more)
	}
	return a
}

func (m *officeMachine) some(t *rapid.T) *Appointment {
	if len(m.rows) == 0 {
		t.Skip("no rows")
	}
	return m.rows[rapid.IntRange(0, len(m.rows)-1).Draw(t, "row")]
}

func (m *officeMachine) add(t *rapid.T) {
	m.put(nil, m.draw(t, rapid.SampledFrom([]string{"901", "902", "903", "904"}).Draw(t, "id")))
}

func (m *officeMachine) repeat(t *rapid.T) { m.put(nil, m.draw(t, m.some(t).ID.Reveal())) }

func (m *officeMachine) group(t *rapid.T) {
	a := *m.some(t)
	a.Patient = phi.Text(rapid.SampledFrom([]string{"1003", "1004"}).Draw(t, "member"))
	m.put(nil, a)
}

func (m *officeMachine) move(t *rapid.T) {
	was := m.some(t)
	now := m.draw(t, was.ID.Reveal())
	now.Patient, now.Status = was.Patient, was.Status
	m.put(was, now)
}

func (m *officeMachine) edit(t *rapid.T) {
	was := m.some(t)
	now := *was
	now.Status = rapid.SampledFrom([]Status{CheckedIn, Roomed, Cancelled}).Draw(t, "new status")
	m.put(was, now)
}

func (m *officeMachine) vanish(t *rapid.T) { m.remove(m.some(t)) }

// sync reads a window like a worker: doubtful answers twice, and then the days that are in doubt.
func (m *officeMachine) sync(t *rapid.T) {
	from := m.day(t, "from")
	to := monday.Add(min(officeDays-1, monday.Days(from)+rapid.IntRange(0, 3).Draw(t, "length")))
	due := m.apply(t, from, to)
	for n := 0; len(due) > 0; n++ {
		if n > 3*officeDays {
			t.Fatalf("days are read again and again: %v", due)
		}
		next := due[0]
		due = distinct(append(due[1:], m.apply(t, next, next)...)) // demands for one day join
	}
}

func (m *officeMachine) apply(t *rapid.T, from, to civil.Date) (reread []civil.Date) {
	for range 2 {
		m.reads++
		since, err := m.store.Begin(t.Context(), m.tenant)
		if err != nil {
			t.Fatal(err)
		}
		again, own := false, map[cache.Tag]uint64{}
		seen := from.Add(-2)
		for _, d := range civil.Range(from, to) {
			got, err := m.store.ApplyDay(t.Context(), m.tenant, Answer{
				Practice: "7", Date: d, From: from, To: to, Seen: seen, Visits: m.answer(seen, to), Since: since, OwnVersions: own, Question: Question{Confirmed: math.MaxUint64},
			})
			if err != nil {
				t.Fatal(err)
			}
			again = again || got.Doubtful
			reread = append(reread, got.Reread...)
			m.read[d] = m.on(d)
		}
		if !again {
			break
		}
	}
	return reread
}

// check compares every board that was ever read with the office.
func (m *officeMachine) check(t *rapid.T) {
	for d, then := range m.read {
		r, err := m.store.Board(t.Context(), m.tenant, "7", d)
		if err != nil {
			t.Fatal(err)
		}
		board, keys := map[string]int{}, map[phi.Text]bool{}
		for _, row := range r.Board.Rows {
			board[shown(row.Appointment, row.Patient, row.Start, row.End, row.Status)]++
			if keys[row.Key()] {
				t.Fatalf("%s: two rows have one key", d)
			}
			keys[row.Key()] = true
		}
		now, was, still := count(m.on(d)), count(then), count(slices.DeleteFunc(slices.Clone(then), func(a *Appointment) bool { return !slices.Contains(m.rows, a) }))
		if same(then, m.on(d)) && (!maps.Equal(board, now) || r.Stale || r.Missing > 0) {
			t.Fatalf("%s was read and has not changed since: %v\nthe vendor has: %v\nstale %v, missing %d", d, board, now, r.Stale, r.Missing)
		}
		for row, n := range board {
			if n > was[row] {
				t.Fatalf("%s shows a row that it did not have when it was read: %s of %v", d, row, was)
			}
		}
		for row, n := range still {
			if board[row] < n {
				t.Fatalf("%s lost a row that the vendor still has: %s of %v, stale %v", d, row, board, r.Stale)
			}
		}
	}
}

func count(rows []*Appointment) map[string]int {
	out := map[string]int{}
	for _, a := range rows {
		out[a.shown()]++
	}
	return out
}

func same(x, y []*Appointment) bool {
	if len(x) != len(y) {
		return false
	}
	for _, a := range x {
		if !slices.Contains(y, a) {
			return false
		}
	}
	return true
}

// Rows that share IDs in any way, read in any windows in any order: a board that was read shows
// what the vendor has, no board loses a row because another day was read, and none shows a row that
// it did not have when it was read.
func TestBoardsShowTheVendorsRowsWhateverIsReadFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var n, reads int
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := &officeMachine{
			office: &office{undated: rapid.Bool().Draw(t, "undated")}, store: b.store,
			tenant: tenant.ID(fmt.Sprintf("clinic-%d", n)), read: map[civil.Date][]*Appointment{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": m.add, "repeat": m.repeat, "group": m.group, "move": m.move, "edit": m.edit, "vanish": m.vanish,
			"sync": m.sync, "sync again": m.sync, "sync once more": m.sync,
			"": m.check,
		})
		reads += m.reads
	})
	t.Logf("%d sequences, %d windows", n, reads)
}

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
	for name, c := range map[string]struct{ from, want civil.Date }{
		"the day":       {monday, monday.Add(-30)},
		"the days from": {monday.Add(-3), monday.Add(-30)},
		"an unread day": {monday.Add(1), monday.Add(1)},
	} {
		if got, err := b.store.Began(t.Context(), clinic, "7", c.from, monday.Add(3)); err != nil || got != c.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
