package practice

import (
	"context"
	"fmt"
	"slices"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// maxChanges is the largest number of visits in one atomic change. A larger answer is applied in
// parts: each visit is right at every moment, and the roster changes with the last part.
const maxChanges = 100

// Answer is the vendor's answer about one or more days of one practice, for one of them.
type Answer struct {
	Practice string
	Date     civil.Date
	// From and To are the first and last day that the answer is applied to. Both are zero for an
	// answer about Date alone.
	From, To civil.Date
	// Seen is the first day of which the answer has every row that starts on it; zero for From. The
	// days before From show what reaches into the later days, and where a visit was before.
	Seen civil.Date
	// Far reports that Seen is as early as one call allows.
	Far     bool
	Visits  []Appointment // every row, of all days
	Partial bool          // the list was cut at the vendor's limit, so a visit that it lacks may exist
	// SetAside counts, by code, the rows that are or may be of this day and cannot be shown. Like
	// Partial, it keeps the visits that the answer lacks, except for codes.RowOpenEnded.
	SetAside map[codes.Code]int
	// Lacking are the days of the rows that are set aside, whichever day they are of: what the
	// answer lacks on one of these days may be one of them.
	Lacking  []Span
	Question Question
	Since    cache.Grant // from Begin, before the vendor was asked
	// OwnVersions are the versions that other days of the same answer have raised already; ApplyDay
	// adds to them. Answers that share Since must share them too: otherwise a visit that moved
	// between two of them looks like the change of another caller. Nil for one day.
	OwnVersions map[cache.Tag]uint64
}

// Applied is what an answer changed.
type Applied struct {
	Added, Changed, Removed int
	// Reread are days outside the answer whose rosters must be read: where a visit may have come
	// from, and the other days of an entry that has changed. None is without a roster.
	Reread []civil.Date
	// Patients and Providers are those of the changed visits, as they were before and as they are
	// now.
	Patients  []phi.Text
	Providers []string
	// Doubtful reports that the answer does not count yet: only visits that another day is known to
	// have were removed, and what is known of the day is stale. The practice's identity must be
	// confirmed and the vendor asked a second time; the same answer is then applied.
	Doubtful bool
	// Unconfirmed reports that a doubtful answer is the same as the one before it: it lacks the
	// confirmation alone.
	Unconfirmed bool
}

// Any reports whether anything changed.
func (a Applied) Any() bool { return a.Added+a.Changed+a.Removed > 0 }

// ApplyDay compares the vendor's answer with what is known of the day, invalidates what changed,
// appends an event to the log in the same step, and caches the new content. An unchanged day only
// has its age renewed.
//
// cache.ErrConflict means that another run applied an answer in between, or that something of the
// day was invalidated since the vendor was asked. This answer may be older than that, so the vendor
// must be asked again.
func (s *Store) ApplyDay(ctx context.Context, t tenant.ID, a Answer) (Applied, error) {
	if a.OwnVersions == nil {
		a.OwnVersions = map[cache.Tag]uint64{}
	}
	u := &dayUpdate{scope: s.scope(t, a.Practice), answer: a}
	if err := u.compare(ctx); err != nil {
		return Applied{}, err
	}
	grant, err := u.commit(ctx)
	if err != nil {
		return Applied{}, err
	}
	for i := range u.changes {
		for _, r := range u.changes[i].records(a) {
			u.result.Patients, u.result.Providers = append(u.result.Patients, r.Patient), append(u.result.Providers, r.Providers...)
		}
	}
	u.result.Patients, u.result.Providers = distinct(u.result.Patients), distinct(u.result.Providers)
	if u.result.Reread, err = u.withRosters(ctx, u.result.Reread); err != nil {
		return Applied{}, err
	}
	return u.result, u.cache(ctx, grant)
}

// applies reports whether the answer is applied to a day, now or in another call.
func (a *Answer) applies(d civil.Date) bool {
	return d == a.Date || !a.From.IsZero() && a.From.Compare(d) <= 0 && d.Compare(a.To) <= 0
}

// has reports whether the answer has every row that starts on a day.
func (a *Answer) has(d civil.Date) bool {
	return a.applies(d) || !a.Seen.IsZero() && a.Seen.Compare(d) <= 0 && d.Compare(a.From) < 0
}

// lacks reports whether rows that may be of a day were set aside.
func (a *Answer) lacks(d civil.Date) bool {
	return slices.ContainsFunc(a.Lacking, func(s Span) bool { return s.Has(d) })
}

// beforeSeen is how many days before the days that were requested an entry begins at least that
// shows how the vendor selects. One that begins on the day before may be on the first of them in
// the vendor's time zone.
const beforeSeen = 2

// overlaps reports whether the answer shows that the vendor selects entries by overlap: it has one
// that begins well before the days that were requested. Then it has all of these.
func (a *Answer) overlaps() bool {
	first := a.Seen
	switch {
	case !first.IsZero():
	case !a.From.IsZero():
		first = a.From
	default:
		first = a.Date
	}
	return slices.ContainsFunc(a.Visits, func(v Appointment) bool { return v.Day.Days(first) >= beforeSeen && v.Covers(first) })
}

// dayUpdate is one answer about a day on its way into the cache: compare, commit, cache.
type dayUpdate struct {
	scope
	answer Answer

	roster lastSeen[daySeen]
	groups map[phi.Text]*group   // by ID
	listed map[phi.Text]*Booking // of the cached roster by key, where a visit's last-seen record is lost
	onDay  int                   // how many of the answer's rows are on the day
	// cautious reports that the answer may lack rows, so that no ID counts as single because of it.
	cautious bool
	// overlap reports that the vendor selects entries by overlap.
	overlap bool
	// unproven reports that the answer renews no age, because the practice may have another name
	// than the one that was asked for.
	unproven bool
	next     daySeen
	booked   []Booking // what next has, for the document
	changes  []visitChange
	parts    [][]visitChange // the changes, cut so that each part fits into one atomic step
	same     []document
	result   Applied
}

// commit makes the changes visible, each part in one atomic step. It returns the last part's grant.
// Each visit keeps the grant of its own part, because a later one would hide what was invalidated
// in between.
func (u *dayUpdate) commit(ctx context.Context) (cache.Grant, error) {
	grant := u.answer.Since
	rosterChanged := !u.roster.known || !slices.Equal(u.roster.facts.Visits, u.next.Visits) ||
		u.roster.facts.Doubt != u.next.Doubt || u.roster.facts.Doubted != u.next.Doubted || u.roster.facts.Near != u.next.Near || !slices.Equal(u.roster.facts.Incomplete, u.next.Incomplete)
	var next cache.LastSeenUpdate
	if rosterChanged {
		var err error
		if next, err = u.roster.replace(u.names.sealer, &u.next); err != nil {
			return cache.Grant{}, err
		}
		if err := next.Check(); err != nil { // before any part is visible
			return cache.Grant{}, fmt.Errorf("apply day: %w", err)
		}
	}
	u.split()
	parts := u.parts
	if len(parts) == 0 && rosterChanged {
		parts = append(parts, nil)
	}
	for i, part := range parts {
		c, err := u.change(part)
		if err != nil {
			return cache.Grant{}, err
		}
		if rosterChanged && i == len(parts)-1 {
			c.lastSeen = append(c.lastSeen, next)
		}
		if grant, err = c.commit(ctx); err != nil {
			return cache.Grant{}, fmt.Errorf("apply day: %w", err)
		}
		for j := range part {
			part[j].grant = grant
		}
	}
	return grant, nil
}

// split cuts the changes into parts whose names fit into one atomic change, together with those of
// the day.
func (u *dayUpdate) split() {
	day := u.dayImpact()
	spare := len(day.all())
	from, names := 0, map[phi.Ref]bool{}
	for i := range u.changes {
		c := &u.changes[i]
		c.impact = u.impactOf(c)
		reached := c.impact.all()
		if i > from && (i-from == maxChanges || len(names)+len(reached) > cache.MaxChange-spare) {
			u.parts, from = append(u.parts, u.changes[from:i]), i
			clear(names)
		}
		for _, name := range reached {
			names[name] = true
		}
	}
	if from < len(u.changes) {
		u.parts = append(u.parts, u.changes[from:])
	}
}

// dayImpact is what every change of the day affects.
func (u *dayUpdate) dayImpact() impact {
	a := u.answer
	out := impact{documents: []phi.Ref{u.names.Day(a.Practice, a.Date)}, views: []phi.Ref{u.names.Board(a.Practice, a.Date)}}
	if u.omissionsMayDiffer() {
		out.rollups = append(out.rollups, u.names.omissions(a.Practice))
	}
	return out
}

// change is the change that one part of the visits makes.
func (u *dayUpdate) change(part []visitChange) (*change, error) {
	out := &change{
		scope: u.scope, impact: u.dayImpact(), kind: events.AppointmentChanged, since: u.answer.Since, own: u.answer.OwnVersions,
	}
	for i := range part {
		c := &part[i]
		out.merge(c.impact)
		updates, err := u.remember(c)
		if err != nil {
			return nil, err
		}
		out.lastSeen = append(out.lastSeen, updates...)
	}
	return out, nil
}

// cache stores what the answer has: changed visits and the roster under the grants of their
// changes, unchanged visits whose copies were lost under the grant drawn before the vendor was
// asked. The roster comes last, so that a reader that finds it valid finds its visits. A refused
// document means that something newer happened.
func (u *dayUpdate) cache(ctx context.Context, grant cache.Grant) error {
	for _, part := range u.parts {
		var docs []document
		for _, c := range part {
			switch {
			case c.now != nil:
				docs = append(docs, visitDocument(*c.now))
			case slices.Contains(c.group.dropped, c.key): // until its roster is read, it must not show the visit
				docs = append(docs, document{Record{Noun: NounAppointment, ID: c.key}, nil})
			}
		}
		if err := u.fillChanged(ctx, u.answer.Since, part[0].grant, docs...); err != nil {
			return err
		}
	}
	if err := u.fillLost(ctx, u.answer.Since, u.same); err != nil {
		return err
	}
	if u.result.Doubtful || u.unproven {
		return nil // the roster was not confirmed, so its age must go on growing
	}
	a := u.answer
	return u.fillChanged(ctx, a.Since, grant, document{
		Record{Noun: NounDay, Practice: a.Practice, Day: a.Date},
		Day{Practice: a.Practice, Date: a.Date, Visits: u.booked, Incomplete: u.next.Incomplete},
	})
}
