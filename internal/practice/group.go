package practice

import (
	"cmp"
	"slices"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// group is one ID in an update of a day: where it was, and the rows that the answer has of it.
//
// The only row of an ID may move: seen on a new day, it has left the old one. If the old day is
// outside the answer, the ID may also be one that the vendor repeats. Then the time of the last
// modification decides: a record that has not changed since it was seen there has not moved. Either
// way the old day is stale until it is read (Applied.Reread), and a row that is back where it
// seemed to have left is a repeated one.
type group struct {
	id     phi.Text
	before lastSeen[visitSeen] // of the ID
	rows   []row               // of the whole answer
	here   []*Appointment      // those on the day, under their names

	seen    *visitSeen   // the day's visit without an occurrence
	stay    []string     // the day's occurrences after the update
	listed  bool         // the day's roster had the ID
	fresh   int          // how many names of here are new
	others  []string     // occurrences on other days that remain
	plain   bool         // another day keeps the visit that has no occurrence
	dropped []phi.Text   // what has left other days, by key
	reread  []civil.Date // days whose rosters are in doubt now
	more    []civil.Date // days that may not show an entry yet
	left    []string     // rows that seem to have moved
	written bool         // a part of the changes has the ID's record
}

// other is a visit of a group on another day than the update's.
type other struct {
	key phi.Text
	on  civil.Date
	row string
}

// start is the day on which the visit starts.
func (o other) start() civil.Date {
	if o.row == "" {
		return o.on // its record is from before rows had names
	}
	return startOf(o.row)
}

// isPlain reports whether the ID was known as one visit of one day.
func (g *group) isPlain() bool { return g.before.known && g.before.facts.Hash != "" }

// othersOf lists the visits of the ID on other days of the practice.
func (u *dayUpdate) othersOf(g *group) []other {
	was := g.before.facts
	var out []other
	for _, o := range was.Occurrences {
		if on, row := splitOccurrence(o); on != u.answer.Date {
			out = append(out, other{visitKey(g.id, o), on, row})
		}
	}
	if g.isPlain() && was.Practice == u.practice && was.Day != u.answer.Date {
		out = append(out, other{g.id, was.Day, was.Row})
	}
	return out
}

// place decides which visits of the ID remain on other days, and under which names its rows on the
// day are kept.
func (u *dayUpdate) place(g *group) {
	var here []row
	for _, r := range g.rows {
		if r.Covers(u.answer.Date) {
			here = append(here, r)
		}
	}
	others := u.othersOf(g)
	if len(here) == 0 {
		for _, o := range others {
			g.keep(o)
		}
		return
	}
	repeated := u.placeOthers(g, others) || u.cautious && g.occursOn(u.answer.Date) || len(g.rows) > 1
	for _, r := range here {
		a := *r.Appointment
		if repeated || !a.Last.IsZero() {
			a.Occurrence = occurrenceOn(u.answer.Date, r.name)
		}
		g.here = append(g.here, &a)
	}
}

// placeOthers decides about a group that has rows on the day. It reports whether the ID has more
// visits than those rows.
func (u *dayUpdate) placeOthers(g *group, others []other) (more bool) {
	var far []other
	doubted := u.answer.Question.Scope != ScopeSound
	for _, o := range others {
		same := g.rowNamed(o.row)
		switch {
		case same != nil && same.Covers(o.on), same == nil && o.key == g.id && g.answered(o.on):
			g.keep(o)
			more = true
		case same != nil && (u.answer.lacks(o.on) || g.reaches(o.on)): // its end may be what could not be read
			g.keep(o)
			more = true
		case u.incomplete(), u.answer.lacks(o.on), g.reaches(o.on):
			far = append(far, o)
		case same != nil:
			g.drop(o, &u.answer)
		case u.answer.applies(o.on) && (o.key != g.id || doubted): // that day of the answer will decide
			g.keep(o)
			more = more || o.key == g.id
		case u.answer.has(o.start()) && !doubted:
			g.drop(o, &u.answer)
		default:
			far = append(far, o)
		}
	}
	if g.isPlain() && g.before.facts.Practice != u.practice {
		g.dropped = append(g.dropped, g.id) // the ID belongs to this practice now
	}
	return u.placeFar(g, far) || more
}

// placeFar decides about visits on days that the answer says nothing about.
func (u *dayUpdate) placeFar(g *group, far []other) (more bool) {
	if len(far) == 0 {
		return false
	}
	one := !slices.ContainsFunc(far, func(o other) bool { return o.row != far[0].row })
	ambiguous := one && len(g.rows) == 1 && !g.knownOn(u.answer.Date, u.practice)
	moved := ambiguous && g.moved()
	for _, o := range far {
		if moved {
			g.drop(o, &u.answer)
			g.left = append(g.left, o.row)
			continue
		}
		g.keep(o)
		if ambiguous {
			g.reread = append(g.reread, o.on)
		}
	}
	return !moved
}

// moved reports whether the only row of the ID has left the day on which it was known, now that it
// is on another one.
func (g *group) moved() bool {
	now, was := g.rows[0], g.before.facts
	switch {
	case was.Modified != 0 && !now.Modified.IsZero():
		return now.Modified.Unix() > was.Modified
	case now.Recurring:
		return false
	}
	return !slices.Contains(was.Left, now.name)
}

func (g *group) keep(o other) {
	if _, occurrence := splitKey(o.key); occurrence != "" {
		g.others = append(g.others, occurrence)
		return
	}
	g.plain = true
}

func (g *group) drop(o other, a *Answer) {
	g.dropped = append(g.dropped, o.key)
	if !a.applies(o.on) {
		g.reread = append(g.reread, o.on)
	}
}

// knownOn reports whether the ID was on a day of the practice.
func (g *group) knownOn(d civil.Date, practice string) bool {
	was := g.before.facts
	if !g.before.known {
		return g.listed
	}
	return g.isPlain() && was.Day == d && was.Practice == practice || g.occursOn(d)
}

func (g *group) occursOn(d civil.Date) bool {
	return slices.ContainsFunc(g.before.facts.Occurrences, func(o string) bool { on, _ := splitOccurrence(o); return on == d })
}

// rowNamed returns the answer's row with a name, or nil.
func (g *group) rowNamed(name string) *Appointment {
	for _, r := range g.rows {
		if r.name == name {
			return r.Appointment
		}
	}
	return nil
}

// reaches reports whether a row of the ID may be on a day because its end cannot be read.
func (g *group) reaches(d civil.Date) bool {
	return slices.ContainsFunc(g.rows, func(r row) bool { return r.OpenEnded && r.Day.Compare(d) < 0 })
}

// answered reports whether the answer has a row of the ID on a day.
func (g *group) answered(d civil.Date) bool {
	return slices.ContainsFunc(g.rows, func(r row) bool { return r.Covers(d) })
}

const (
	// maxOccurrences is how many occurrences of one ID its record names: those nearest to the day
	// of the update.
	maxOccurrences = 128
	// maxLeft is how many rows of one ID that seemed to have moved are remembered.
	maxLeft = 16
	// pastDays is for how many days after its day an occurrence is named. Rosters of the past
	// expire much earlier.
	pastDays = 40
)

// reachOut demands the other days of an entry that were not known to show it.
func (g *group) reachOut(a *Appointment, of *Answer) {
	if a.Last.IsZero() {
		return
	}
	_, row := splitOccurrence(a.Occurrence)
	for _, d := range civil.Range(a.Day, a.Last) {
		if !of.applies(d) && !slices.Contains(g.others, occurrenceOn(d, row)) {
			g.more = append(g.more, d)
		}
	}
}

// record is the ID's record after the update. It remains when no visit of the ID is left, so that
// days that are read later do not keep one.
func (u *dayUpdate) record(g *group) *visitSeen {
	out := visitSeen{Practice: u.practice}
	switch {
	case g.seen != nil:
		out = *g.seen
	case g.plain:
		out = g.before.facts
	}
	today := u.answer.Date
	out.Occurrences = slices.DeleteFunc(slices.Concat(g.others, g.stay), func(o string) bool {
		on, _ := splitOccurrence(o)
		return on.Days(today) > pastDays
	})
	slices.SortFunc(out.Occurrences, func(x, y string) int {
		dx, _ := splitOccurrence(x)
		dy, _ := splitOccurrence(y)
		return cmp.Or(cmp.Compare(abs(dx.Days(today)), abs(dy.Days(today))), cmp.Compare(x, y))
	})
	out.More = len(out.Occurrences) > maxOccurrences
	out.Occurrences = out.Occurrences[:min(len(out.Occurrences), maxOccurrences)]
	out.Modified = g.before.facts.Modified
	out.Left = distinct(append(g.left, g.before.facts.Left...))
	out.Left = out.Left[:min(len(out.Left), maxLeft)]
	for _, r := range g.rows {
		if !r.Modified.IsZero() {
			out.Modified = max(out.Modified, r.Modified.Unix())
		}
	}
	return &out
}

func abs(n int) int { return max(n, -n) }
