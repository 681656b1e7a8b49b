package practice

import (
	"fmt"
	"maps"
	"math"
	"slices"
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
	// overlap selects rows by overlap, and not by start.
	overlap bool
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

// answer lists the rows of a range of days.
func (o *office) answer(from, to civil.Date) []*Appointment {
	return slices.DeleteFunc(slices.Clone(o.rows), func(a *Appointment) bool {
		return a.Day.Compare(from) < 0 && (!o.overlap || !a.Covers(from)) || to.Compare(a.Day) < 0
	})
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
	// read is each day as it was when it was read last, and held is what its board must have of
	// that. They differ on the days of a cut list, which also keep what they had before.
	read, held map[civil.Date][]*Appointment
	cut        map[civil.Date]bool
	// shared are the rows that shared an ID with others when their day was cut.
	shared map[*Appointment]bool
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

// some returns a row, which it adds if there is none.
func (m *officeMachine) some(t *rapid.T) *Appointment {
	if len(m.rows) == 0 {
		m.add(t)
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
	due := m.apply(t, from, to, nil)
	for n := 0; len(due) > 0; n++ {
		if n > 3*officeDays {
			t.Fatalf("days are read again and again: %v", due)
		}
		next := due[0]
		due = distinct(append(due[1:], m.apply(t, next, next, nil)...)) // demands for one day join
	}
}

// syncCut reads a list that was cut: it lacks some of the rows.
func (m *officeMachine) syncCut(t *rapid.T) {
	from := m.day(t, "from")
	to := monday.Add(min(officeDays-1, monday.Days(from)+rapid.IntRange(0, 3).Draw(t, "length")))
	lost := rapid.IntRange(1, 1<<6-1).Draw(t, "lost")
	due := m.apply(t, from, to, func(i int) bool { return lost>>(i%6)&1 == 1 })
	for n := 0; len(due) > 0 && n <= 3*officeDays; n++ {
		next := due[0]
		due = distinct(append(due[1:], m.apply(t, next, next, nil)...))
	}
}

// syncOdd reads a list with rows that cannot be read, and which goes back a few days only.
func (m *officeMachine) syncOdd(t *rapid.T) {
	from := m.day(t, "from")
	to := monday.Add(min(officeDays-1, monday.Days(from)+rapid.IntRange(0, 3).Draw(t, "length")))
	odd, back := rapid.IntRange(0, 1<<6-1).Draw(t, "odd"), rapid.IntRange(0, 2).Draw(t, "days before")
	due := m.list(t, listOf{from: from, to: to, back: back, aside: true}, func(i int) bool { return odd>>(i%6)&1 == 1 })
	for n := 0; len(due) > 0 && n <= 3*officeDays; n++ {
		next := due[0]
		due = distinct(append(due[1:], m.apply(t, next, next, nil)...))
	}
}

// listOf is what a list is requested for.
type listOf struct {
	from, to civil.Date
	back     int  // days before from
	aside    bool // the rows that are lost are set aside; else the list was cut
}

// surely reports whether an answer shows everything of a day. A row that began on the day before
// the list does not show that the vendor selects by overlap: see beforeSeen.
func (m *officeMachine) surely(d, seen civil.Date, aside []Span, sent []*Appointment) bool {
	if slices.ContainsFunc(aside, func(s Span) bool { return s.Has(d) }) {
		return false
	}
	early := func(a *Appointment) bool { return a.Day.Compare(seen) < 0 && a.Covers(d) }
	overlaps := func(a *Appointment) bool { return a.Day.Days(seen) >= beforeSeen && a.Covers(seen) }
	return slices.ContainsFunc(sent, overlaps) ||
		!slices.ContainsFunc(m.rows, early) && !slices.ContainsFunc(m.held[d], early)
}

// apply applies a list of the days, without the rows that are lost, if any are.
func (m *officeMachine) apply(t *rapid.T, from, to civil.Date, lost func(int) bool) (reread []civil.Date) {
	return m.list(t, listOf{from: from, to: to, back: 2}, lost)
}

func (m *officeMachine) list(t *rapid.T, of listOf, lost func(int) bool) (reread []civil.Date) {
	from, to := of.from, of.to
	for range 2 {
		m.reads++
		since, err := m.store.Begin(t.Context(), m.tenant)
		if err != nil {
			t.Fatal(err)
		}
		again, own := false, map[cache.Tag]uint64{}
		seen := from.Add(-of.back)
		var aside []Span
		var visits []Appointment
		var sent []*Appointment
		for i, a := range m.answer(seen, to) {
			if lost == nil || !lost(i) {
				visits, sent = append(visits, *a), append(sent, a)
			} else if of.aside {
				aside = append(aside, Span{a.Day, civil.Max(a.Day, a.Last)})
			}
		}
		for _, d := range civil.Range(from, to) {
			unread := map[codes.Code]int{}
			for _, s := range aside {
				if s.Has(d) {
					unread[codes.RowUnreadable]++
				}
			}
			got, err := m.store.ApplyDay(t.Context(), m.tenant, Answer{
				Practice: "7", Date: d, From: from, To: to, Seen: seen, Visits: visits, Partial: lost != nil && !of.aside, Since: since,
				SetAside: unread, Lacking: aside, OwnVersions: own, Question: Question{Confirmed: math.MaxUint64},
			})
			if err != nil {
				t.Fatal(err)
			}
			again = again || got.Doubtful
			reread = append(reread, got.Reread...)
			if m.cut[d] = lost != nil && !of.aside || !m.surely(d, seen, aside, sent); !m.cut[d] {
				m.read[d], m.held[d] = m.on(d), m.on(d)
				continue
			}
			m.read[d] = append(slices.Clone(m.read[d]), m.on(d)...)
			for _, a := range m.held[d] {
				m.shared[a] = m.shared[a] || shares(a, m.rows)
			}
			for _, a := range sent {
				if a.Covers(d) && !slices.Contains(m.held[d], a) {
					m.held[d] = append(slices.Clone(m.held[d]), a)
				}
			}
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
		now, was := count(m.on(d)), count(then)
		still := count(slices.DeleteFunc(slices.Clone(m.held[d]), func(a *Appointment) bool {
			return !slices.Contains(m.rows, a) || m.cut[d] && (m.shared[a] || shares(a, then) || shares(a, m.rows))
		}))
		if !m.cut[d] && same(then, m.on(d)) && (!maps.Equal(board, now) || r.Stale || r.Missing > 0) {
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

// shares reports whether another row has the ID. In a cut list a new row that shares an ID looks
// like a change of the only one.
func shares(a *Appointment, among []*Appointment) bool {
	return slices.ContainsFunc(among, func(b *Appointment) bool { return a != b && a.ID == b.ID })
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
			office: &office{undated: rapid.Bool().Draw(t, "undated"), overlap: rapid.Bool().Draw(t, "overlap")}, store: b.store,
			tenant: tenant.ID(fmt.Sprintf("clinic-%d", n)), read: map[civil.Date][]*Appointment{}, held: map[civil.Date][]*Appointment{}, cut: map[civil.Date]bool{}, shared: map[*Appointment]bool{},
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": m.add, "repeat": m.repeat, "group": m.group, "move": m.move, "edit": m.edit, "vanish": m.vanish,
			"sync cut": m.syncCut, "sync odd": m.syncOdd, "sync": m.sync, "sync again": m.sync, "sync once more": m.sync,
			"": m.check,
		})
		reads += m.reads
	})
	t.Logf("%d sequences, %d windows", n, reads)
}
