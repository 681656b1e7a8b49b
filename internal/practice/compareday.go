package practice

import (
	"context"
	"fmt"
	"slices"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// compare finds out what the answer changes.
func (u *dayUpdate) compare(ctx context.Context) error {
	var err error
	if u.roster, err = readLastSeenOf[daySeen](ctx, u.scope, u.names.Day(u.answer.Practice, u.answer.Date)); err != nil {
		return err
	}
	u.next.Incomplete = u.answer.omissions()
	if err := u.readGroups(ctx); err != nil {
		return err
	}
	visits := u.placed()
	here := make(map[phi.Text]bool, len(visits))
	for _, v := range visits {
		here[v.key()] = true
	}
	var gone []phi.Text
	for _, key := range u.roster.facts.Visits {
		if !here[key] {
			gone = append(gone, key)
		}
	}
	before, err := u.readBefore(ctx, visits, gone)
	if err != nil {
		return err
	}
	if err := u.compareVisits(visits, before); err != nil {
		return err
	}
	for _, v := range visits {
		u.book(bookingOf(v.key(), v.Patient, v.Providers()))
	}
	if err := u.compareGone(ctx, gone, before); err != nil {
		return err
	}
	u.compareDropped(before)
	return nil
}

func (u *dayUpdate) book(b Booking) {
	u.next.Visits = append(u.next.Visits, b.key())
	u.booked = append(u.booked, b)
}

func (u *dayUpdate) compareVisits(visits []*Appointment, before map[phi.Text]lastSeen[visitSeen]) error {
	for _, v := range visits {
		hash, err := contentHash(u.names.sealer, v)
		if err != nil {
			return fmt.Errorf("hash appointment: %w", err)
		}
		key, g, seen := v.key(), u.groups[v.ID], u.seen(v, u.answer.Date, hash)
		if v.Occurrence == "" {
			g.seen = seen
		} else {
			g.stay = append(g.stay, v.Occurrence)
		}
		switch was := before[key]; {
		case was.known && was.facts.Hash == hash:
			u.same = append(u.same, visitDocument(*v))
			continue
		case was.known:
			u.result.Changed++
		default:
			u.result.Added++
			g.fresh++
		}
		u.changes = append(u.changes, visitChange{
			now: v, key: key, group: g, seen: seen, before: before[key], listed: u.listed[key],
		})
		g.reachOut(v, &u.answer)
	}
	return nil
}

// compareGone decides about visits that were known and are not in the answer. During an
// outage the vendor sometimes answers "nothing found" with success, and always when it is asked for
// a wrong name: see doubts.
func (u *dayUpdate) compareGone(ctx context.Context, gone []phi.Text, before map[phi.Text]lastSeen[visitSeen]) error {
	var vanished []visitChange
	for _, key := range gone {
		was, c := before[key], visitChange{key: key, group: u.group(key), before: before[key], listed: u.listed[key]}
		switch {
		case was.known && (was.facts.Day != u.answer.Date || was.facts.Practice != u.practice), u.left(key, was):
			u.result.Removed++ // it moved, and the answer about its new place has invalidated the old one
		case u.beyond(key), c.group.reaches(u.answer.Date):
			u.stay([]visitChange{c})
		case u.renamed(&c):
			u.leaveWith(&c)
			u.changes = append(u.changes, c)
			u.result.Added--
			u.result.Changed++
		default:
			vanished = append(vanished, c)
		}
	}
	doubtful, err := u.doubts(ctx, len(vanished))
	if err != nil {
		return err
	}
	u.result.Doubtful = doubtful
	u.next.Near = (!u.roster.known || u.roster.facts.Near) && (doubtful || !u.answer.Far)
	if doubtful || u.incomplete() {
		u.stay(vanished)
		return nil
	}
	for _, v := range vanished {
		u.leaveWith(&v)
	}
	u.changes = append(u.changes, vanished...)
	u.result.Removed += len(vanished)
	return nil
}

// beyond reports whether a row starts before the days that the answer has, so that the answer may
// lack it although it still reaches into the day.
func (u *dayUpdate) beyond(key phi.Text) bool {
	_, occurrence := splitKey(key)
	_, row := splitOccurrence(occurrence)
	return row != "" && !u.overlap && !u.answer.has(startOf(row)) && u.group(key).rowNamed(row) == nil
}

func (u *dayUpdate) group(key phi.Text) *group {
	id, _ := splitKey(key)
	return u.groups[id]
}

// left reports whether a visit without a record was removed by the answer about another day: the
// record of its ID does not name it any more.
func (u *dayUpdate) left(key phi.Text, was lastSeen[visitSeen]) bool {
	_, occurrence := splitKey(key)
	g := u.group(key)
	return !was.known && g.before.known && (occurrence == "" || !slices.Contains(g.before.facts.Occurrences, occurrence))
}

// renamed reports whether a visit that the answer lacks is one of its new ones under another name:
// a row of the same ID that began to be repeated, or no longer is, or has another start or patient.
func (u *dayUpdate) renamed(c *visitChange) bool {
	_, occurrence := splitKey(c.key)
	if c.group.fresh == 0 || occurrence != "" && u.cautious {
		return false
	}
	c.group.fresh--
	return true
}

// stay keeps visits that the answer lacks.
func (u *dayUpdate) stay(vanished []visitChange) {
	for _, v := range vanished {
		if v.before.known || v.listed == nil {
			u.book(bookingOf(v.key, v.before.facts.Patient, v.before.facts.Providers))
		} else {
			u.book(*v.listed)
		}
		if _, occurrence := splitKey(v.key); occurrence != "" {
			v.group.stay = append(v.group.stay, occurrence)
		} else if v.group.isPlain() {
			v.group.plain = true
		}
	}
}

// leaveWith drops the other days of a row that is gone, except those of which rows were set aside.
func (u *dayUpdate) leaveWith(v *visitChange) {
	for _, key := range u.sameRow(v.key) {
		_, occurrence := splitKey(key)
		on, row := splitOccurrence(occurrence)
		if i := slices.Index(v.group.others, occurrence); i >= 0 && !u.answer.lacks(on) && !v.group.reaches(on) {
			v.group.others = slices.Delete(v.group.others, i, i+1)
			v.group.drop(other{key, on, row}, &u.answer)
		}
	}
}

// sameRow lists the visits on other days that show the same row as an occurrence that the answer
// lacks.
func (u *dayUpdate) sameRow(key phi.Text) []phi.Text {
	g := u.group(key)
	_, occurrence := splitKey(key)
	on, row := splitOccurrence(occurrence)
	if on.IsZero() || g.rowNamed(row) != nil {
		return nil
	}
	var out []phi.Text
	for _, o := range g.others {
		if _, same := splitOccurrence(o); same == row {
			out = append(out, visitKey(g.id, o))
		}
	}
	return out
}

// compareDropped adds the visits that have left other days. A visit without an occurrence is not
// among them if the answer has it on this day: then its change is that it moved.
func (u *dayUpdate) compareDropped(before map[phi.Text]lastSeen[visitSeen]) {
	for _, g := range u.groups {
		for _, key := range g.dropped {
			moved := slices.ContainsFunc(g.here, func(a *Appointment) bool { return a.key() == key })
			if was := before[key]; !moved {
				u.changes = append(u.changes, visitChange{key: key, group: g, before: was})
			}
		}
		u.result.Reread = slices.Concat(u.result.Reread, g.reread, g.more)
	}
}
