package practice

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// maxChanges is how many visits one atomic invalidation carries. A larger change is applied in parts: each visit is
// right at every moment, the roster changes with the last part.
const maxChanges = 100

// Answer is what the vendor said about one day of one practice.
type Answer struct {
	Practice string
	Date     civil.Date
	Visits   []Appointment // of this day only
	Partial  bool          // the list was cut at the vendor's limit: nothing may be concluded from absence
	Since    cache.Grant   // from Begin, before the vendor was asked
	// Own is what other days of the same look at the vendor have moved already; ApplyDay adds to it. Answers that share
	// Since share it too: else a visit that moved between two of them looks like somebody else's change. nil for one day.
	Own map[cache.Tag]uint64
}

// Applied says what an answer changed.
type Applied struct {
	Added, Changed, Removed int
	// Patients and Providers are those of the visits that changed, as they were before and as they are now.
	Patients  []phi.Text
	Providers []string
	// Doubtful means that the answer was empty or less than half as large as what is known. Nothing was removed but what
	// another day is known to have; the vendor has to be asked a second time, and will be believed if it says the same.
	Doubtful bool
}

// Any reports whether anything changed.
func (a Applied) Any() bool { return a.Added+a.Changed+a.Removed > 0 }

// ApplyDay compares the vendor's answer with what is known of the day, makes what changed invalid together with an event
// in the log, and caches the new content. What did not change causes nothing, except that the day's age is renewed.
//
// cache.ErrConflict means that another run applied an answer in between, or that something of the day was invalidated
// since the vendor was asked: this answer may be older than that, so the vendor must be asked again.
func (s *Store) ApplyDay(ctx context.Context, t tenant.ID, a Answer) (Applied, error) {
	if a.Own == nil {
		a.Own = map[cache.Tag]uint64{}
	}
	d := &dayChange{store: s, tenant: t, names: s.Names(t), seal: s.keys.For(t.String()), answer: a}
	if err := d.compare(ctx); err != nil {
		return Applied{}, err
	}
	grant, err := d.commit(ctx)
	if err != nil {
		return Applied{}, err
	}
	for i := range d.changes {
		for _, r := range d.changes[i].records(a.Practice, a.Date) {
			d.result.Patients, d.result.Providers = append(d.result.Patients, r.Patient), append(d.result.Providers, r.Providers...)
		}
	}
	d.result.Patients, d.result.Providers = distinct(d.result.Patients), distinct(d.result.Providers)
	return d.result, d.fill(ctx, grant)
}

// dayChange is one application of an answer: compare, commit, fill.
type dayChange struct {
	store  *Store
	tenant tenant.ID
	names  Names
	seal   *phi.Sealer
	answer Answer

	roster  shadow[dayShadow]
	listed  map[phi.Text]*Booking // of the cached roster, where a visit's shadow is lost
	next    dayShadow
	booked  []Booking // what next says, for the document
	changes []visitChange
	same    []Appointment
	result  Applied
}

// visitChange is a visit that is new, different or gone (now is nil).
type visitChange struct {
	now    *Appointment
	id     phi.Text
	hash   phi.Ref
	before shadow[visitShadow]
	listed *Booking    // on the roster that is cached, where the shadow is lost
	grant  cache.Grant // of its part, once committed
}

// records are the visit before and after the change, as far as it was there. on is the day that the change is about.
func (c *visitChange) records(practice string, on civil.Date) []Record {
	var out []Record
	switch {
	case c.before.known:
		out = append(out, c.before.facts.record(c.id))
	case c.listed != nil:
		out = append(out, Record{
			Noun: NounAppointment, ID: c.id, Practice: practice, Day: on, Patient: c.listed.Patient, Providers: c.listed.Providers,
		})
	}
	if c.now != nil {
		out = append(out, shadowOf(c.now, c.hash).record(c.id))
	}
	return out
}

func (d *dayChange) compare(ctx context.Context) error {
	var err error
	day := d.names.Day(d.answer.Practice, d.answer.Date)
	if d.roster, err = readShadow[dayShadow](ctx, d.store.cache, d.seal, d.tenant, day); err != nil {
		return err
	}
	slices.SortStableFunc(d.answer.Visits, func(a, b Appointment) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return strings.Compare(a.ID.Reveal(), b.ID.Reveal())
	})
	here := make(map[phi.Text]bool, len(d.answer.Visits))
	d.answer.Visits = slices.DeleteFunc(d.answer.Visits, func(a Appointment) bool {
		twice := here[a.ID]
		here[a.ID] = true
		return twice
	})
	var refs []phi.Ref
	for _, a := range d.answer.Visits {
		refs = append(refs, d.names.Appointment(a.ID))
	}
	var gone []phi.Text
	for _, id := range d.roster.facts.Visits {
		if !here[id] {
			gone = append(gone, id)
			refs = append(refs, d.names.Appointment(id))
		}
	}
	before, err := readShadows[visitShadow](ctx, d.store.cache, d.seal, d.tenant, refs)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(before, func(s shadow[visitShadow]) bool { return !s.known }) {
		if err := d.recall(ctx); err != nil {
			return err
		}
	}
	if err := d.compareVisits(before); err != nil {
		return err
	}
	for i := range d.answer.Visits {
		a := &d.answer.Visits[i]
		d.book(shadowOf(a, "").booking(a.ID))
	}
	return d.compareGone(gone, before[len(d.answer.Visits):])
}

func (d *dayChange) book(b Booking) {
	d.next.Visits = append(d.next.Visits, b.ID)
	d.booked = append(d.booked, b)
}

func (d *dayChange) compareVisits(before []shadow[visitShadow]) error {
	for i := range d.answer.Visits {
		a := &d.answer.Visits[i]
		hash, err := Hash(d.seal, a)
		if err != nil {
			return fmt.Errorf("hash appointment: %w", err)
		}
		switch was := before[i]; {
		case was.known && was.facts.Hash == hash:
			d.same = append(d.same, *a)
			continue
		case was.known:
			d.result.Changed++
		default:
			d.result.Added++
		}
		d.changes = append(d.changes, visitChange{now: a, id: a.ID, hash: hash, before: before[i], listed: d.listed[a.ID]})
	}
	return nil
}

// compareGone decides what becomes of visits that were known and are not in the answer. A vendor in trouble answers
// "nothing found" with success, so an answer that is empty or less than half as large removes nothing until a second
// one agrees.
func (d *dayChange) compareGone(gone []phi.Text, before []shadow[visitShadow]) error {
	var vanished []visitChange
	for i, id := range gone {
		was := before[i]
		if was.known && (was.facts.Day != d.answer.Date || was.facts.Practice != d.answer.Practice) {
			d.result.Removed++ // it moved, and the answer that says where to has taken it along
			continue
		}
		vanished = append(vanished, visitChange{id: id, before: was, listed: d.listed[id]})
	}
	if len(vanished) == 0 {
		return nil
	}
	stay := d.answer.Partial
	if !stay && len(d.answer.Visits)*2 < len(d.roster.facts.Visits) {
		doubt, err := Hash(d.seal, d.next.Visits)
		if err != nil {
			return fmt.Errorf("hash roster: %w", err)
		}
		if stay = d.roster.facts.Doubt != doubt; stay {
			d.next.Doubt = doubt
			d.result.Doubtful = true
		}
	}
	if stay {
		for _, v := range vanished {
			if v.before.known || v.listed == nil {
				d.book(v.before.facts.booking(v.id))
			} else {
				d.book(*v.listed)
			}
		}
		return nil
	}
	d.changes = append(d.changes, vanished...)
	d.result.Removed += len(vanished)
	return nil
}

// commit makes the change visible: tags, event and shadows in one atomic step for each part. It returns the last part's
// grant; each visit keeps that of its own part, since a later one would hide what was invalidated in between.
func (d *dayChange) commit(ctx context.Context) (cache.Grant, error) {
	grant := d.answer.Since
	rosterChanged := !d.roster.known || !slices.Equal(d.roster.facts.Visits, d.next.Visits) ||
		d.roster.facts.Doubt != d.next.Doubt
	parts := d.parts()
	if len(parts) == 0 && rosterChanged {
		parts = append(parts, nil)
	}
	for i, part := range parts {
		change, err := d.part(part)
		if err != nil {
			return cache.Grant{}, err
		}
		if rosterChanged && i == len(parts)-1 {
			next, err := d.roster.next(d.seal, &d.next)
			if err != nil {
				return cache.Grant{}, err
			}
			change.LastSeen = append(change.LastSeen, next)
		}
		if grant, err = d.store.invalidate(ctx, d.tenant, change); err != nil {
			return cache.Grant{}, fmt.Errorf("apply day: %w", err)
		}
		for _, tag := range change.Tags {
			d.answer.Own[tag] = grant.Stamp
		}
		for j := range part {
			part[j].grant = grant
		}
	}
	return grant, nil
}

// parts cuts the changes so that each part fits into one atomic step, whatever its visits are shown on.
func (d *dayChange) parts() [][]visitChange {
	const spare = 2 // the day and its board
	var out [][]visitChange
	from, tags := 0, map[[3]string]bool{}
	for i := range d.changes {
		mine := d.changes[i].touched(d.answer.Practice, d.answer.Date)
		if i > from && (i-from == maxChanges || len(tags)+len(mine) > cache.MaxChange-spare) {
			out, from = append(out, d.changes[from:i]), i
			clear(tags)
		}
		for _, key := range mine {
			tags[key] = true
		}
	}
	if from < len(d.changes) {
		out = append(out, d.changes[from:])
	}
	return out
}

// touched names what the change reaches beside the visit's day, for counting: names for people to see cost a digest each.
func (c *visitChange) touched(practice string, on civil.Date) [][3]string {
	out := [][3]string{{"visit", c.id.Reveal()}}
	for _, r := range c.records(practice, on) {
		out = append(out, [3]string{"day", r.Day.String()}, [3]string{"board", r.Day.String()}, [3]string{"card", r.Patient.Reveal()})
		for _, p := range r.Providers {
			out = append(out, [3]string{"provider", p, r.Day.String()})
		}
	}
	return out
}

// part is the change that a part of the visits makes. It is conditional on that nobody else moved the documents that it
// is about since the vendor was asked: what is filled under its grant would hide that.
func (d *dayChange) part(part []visitChange) (cache.Change, error) {
	n, practice := d.names, d.answer.Practice
	r := reach{documents: []phi.Ref{n.Day(practice, d.answer.Date)}, views: []phi.Ref{n.Board(practice, d.answer.Date)}}
	change := cache.Change{BasedOn: d.answer.Since}
	for i := range part {
		c := &part[i]
		r.add(n, c.records(practice, d.answer.Date)...)
		if was := c.before.facts; c.before.known && was.Day != d.answer.Date {
			r.documents = append(r.documents, n.Day(was.Practice, was.Day))
		}
		var facts *visitShadow
		if c.now != nil {
			facts = shadowOf(c.now, c.hash)
		}
		next, err := c.before.next(d.seal, facts)
		if err != nil {
			return cache.Change{}, err
		}
		change.LastSeen = append(change.LastSeen, next)
	}
	change.Tags = r.tags()
	change.Event = r.event(n.Practice(practice))
	change.Preconditions = map[cache.Tag]uint64{}
	for _, ref := range append(r.documents, n.Practice(practice)) {
		tag := cache.TagOf(ref)
		change.Preconditions[tag] = max(d.answer.Since.Stamp, d.answer.Own[tag])
	}
	return change, nil
}

// fill caches what the answer says: changed visits and the roster under the commit's stamp, unchanged visits whose copies
// were lost under the stamp drawn before the vendor was asked. The roster comes last, so that who finds it valid finds its
// visits. Refusals mean that something newer happened.
func (d *dayChange) fill(ctx context.Context, grant cache.Grant) error {
	for _, part := range d.parts() {
		var items []cache.Item
		for _, c := range part {
			if c.now != nil {
				item, err := d.visitItem(*c.now)
				if err != nil {
					return err
				}
				items = append(items, item)
			}
		}
		if err := d.store.fillAll(ctx, part[0].grant, items); err != nil {
			return err
		}
	}
	if err := d.fillLost(ctx); err != nil {
		return err
	}
	if !d.result.Doubtful { // else the roster was not confirmed, and its age must go on growing
		n, a := d.names, d.answer
		day := n.Day(a.Practice, a.Date)
		item, err := documentItem(cache.Key{Tenant: d.tenant, Class: dayClass, ID: day},
			Day{Practice: a.Practice, Date: a.Date, Visits: d.booked}, day, n.Practice(a.Practice))
		if err != nil {
			return err
		}
		return d.store.fillAll(ctx, grant, []cache.Item{item})
	}
	return nil
}

// fillLost caches unchanged visits whose copies were lost or invalidated.
func (d *dayChange) fillLost(ctx context.Context) error {
	keys := make([]cache.Key, len(d.same))
	for i, a := range d.same {
		keys[i] = cache.Key{Tenant: d.tenant, Class: visitClass, ID: d.names.Appointment(a.ID)}
	}
	have, err := d.store.peekAll(ctx, keys)
	if err != nil {
		return fmt.Errorf("read visits: %w", err)
	}
	var lost []cache.Item
	for i, e := range have {
		if e.State != cache.Fresh {
			item, err := d.visitItem(d.same[i])
			if err != nil {
				return err
			}
			lost = append(lost, item)
		}
	}
	return d.store.fillAll(ctx, d.answer.Since, lost)
}

func (d *dayChange) visitItem(a Appointment) (cache.Item, error) {
	return visitItem(d.tenant, d.names, a)
}
