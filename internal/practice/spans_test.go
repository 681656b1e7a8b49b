package practice

import (
	"math"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// blockOf is time of several days, counted from monday.
func blockOf(from, to int) Appointment {
	block := onDay(visit(0), monday.Add(from), from)
	block.ID, block.Patient, block.Last, block.End = "900777", "", monday.Add(to), block.Start.AddDate(0, 0, to-from)
	return block
}

// answered applies an answer about some days, and returns the days that are read again.
func (b *bundle) answered(t *testing.T, from, to civil.Date, change func(*Answer), rows ...Appointment) (reread []civil.Date) {
	t.Helper()
	since, own := b.begin(t), map[cache.Tag]uint64{}
	for _, d := range civil.Range(from, to) {
		a := Answer{
			Practice: "7", Date: d, From: from, To: to, Seen: from.Add(-7), Visits: rows, Since: since, OwnVersions: own,
			Question: Question{Confirmed: math.MaxUint64},
		}
		if change != nil {
			change(&a)
		}
		got, err := b.store.ApplyDay(t.Context(), clinic, a)
		if err != nil {
			t.Fatal(err)
		}
		reread = append(reread, got.Reread...)
	}
	return distinct(reread)
}

func (b *bundle) has(t *testing.T, d civil.Date, id phi.Text) (shown, sound bool) {
	t.Helper()
	r := b.board(t, d)
	for _, row := range r.Board.Rows {
		shown = shown || row.Appointment == id
	}
	return shown, !r.Stale && r.Missing == 0
}

// A day that may lack rows does not keep what the answer about another day has shown to be gone.
func TestIncompleteDayDropsWhatIsKnownToBeGone(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]Appointment{"a block": blockOf(0, 4), "a visit that moved": onDay(visit(5), monday, 1)} {
		b := setup(t)
		rows := []Appointment{visit(1), visit(2), onDay(visit(3), monday.Add(2), 2), onDay(visit(4), monday.Add(2), 2)}
		b.answered(t, monday, monday.Add(4), nil, append(rows, gone)...)
		wednesday := monday.Add(2)
		if name != "a block" {
			moved := onDay(gone, wednesday, 2)
			b.answered(t, wednesday, wednesday, nil, append(rows, moved)...)
		}
		b.answered(t, wednesday, wednesday, nil, rows...)
		for range 2 {
			b.answered(t, monday, monday, func(a *Answer) {
				a.SetAside, a.Lacking = map[codes.Code]int{codes.RowUnidentified: 1}, []Span{{monday, monday}}
			}, rows[0])
		}
		if shown, sound := b.has(t, monday, gone.ID); shown || !sound {
			t.Errorf("%s: shown %t, sound %t", name, shown, sound)
		}
		if shown, _ := b.has(t, monday, rows[1].ID); !shown {
			t.Errorf("%s: an incomplete day has lost another visit", name)
		}
	}
}

// An entry that began before the days that were requested is gone if the vendor selects by overlap,
// which another such entry shows, and if a later reading has the day on which it began.
func TestEntriesThatBeganLongAgo(t *testing.T) {
	t.Parallel()
	long, other := blockOf(-20, 4), blockOf(-30, 4)
	other.ID, other.Start = "900778", other.Start.AddDate(0, 0, 0)
	short := long
	short.Last, short.End = monday.Add(-1), short.Start.AddDate(0, 0, 19)
	late := onDay(visit(3), monday.Add(-8), -8)
	late.Last, late.End = monday.Add(-7), late.Start.AddDate(0, 0, 1)
	rows := []Appointment{visit(1), visit(2)}
	for name, c := range map[string]struct {
		rows []Appointment
		seen int
		kept bool
	}{
		"not requested":               {rows, 7, true},
		"not found":                   {rows, 20, false},
		"not found by overlap":        {append(rows, other), 7, false},
		"not requested, over night":   {append(rows, late), 7, true},
		"found":                       {append(rows, long), 7, true},
		"shortened, found":            {append(rows, short), 20, false},
		"shortened, found by overlap": {append(rows, short), 7, false},
	} {
		b := setup(t)
		b.answered(t, monday, monday, func(a *Answer) { a.Seen = monday.Add(-40) }, append(rows, long, other)...)
		for range 2 {
			b.answered(t, monday, monday, func(a *Answer) { a.Seen = monday.Add(-c.seen) }, c.rows...)
		}
		if shown, sound := b.has(t, monday, long.ID); shown != c.kept || !sound {
			t.Errorf("%s: shown %t, sound %t", name, shown, sound)
		}
	}
}

// An answer that lacks most of what is known takes nothing from the days before it.
func TestDoubtedAnswerTakesNothingFromOtherDays(t *testing.T) {
	t.Parallel()
	for name, modified := range map[string]bool{"undated": false, "dated": true} {
		b := setup(t)
		tuesday := monday.Add(1)
		again := onDay(visit(0), tuesday, 1)
		first := visit(0)
		if modified {
			first.Modified, again.Modified = monday.In(time.UTC), monday.In(time.UTC)
		}
		rows := []Appointment{first, visit(1), visit(2), again, onDay(visit(4), tuesday, 2), onDay(visit(5), tuesday, 2)}
		b.answered(t, monday, tuesday, nil, rows...)
		doubt := func(a *Answer) { a.Question = Question{Scope: ScopeShrunk} }
		b.answered(t, tuesday, tuesday, doubt, again)
		b.answered(t, monday, monday, doubt, visit(1))
		if shown, _ := b.has(t, monday, first.ID); !shown {
			t.Errorf("%s: monday has lost a visit", name)
		}
		b.answered(t, monday, tuesday, nil, rows...)
		for _, d := range []civil.Date{monday, tuesday} {
			if shown, sound := b.has(t, d, first.ID); !shown || !sound {
				t.Errorf("%s: %s shows it: %t, sound %t", name, d, shown, sound)
			}
		}
	}
}
