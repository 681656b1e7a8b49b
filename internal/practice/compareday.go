package practice

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// compare finds out what the answer changes.
func (u *dayUpdate) compare(ctx context.Context) error {
	var err error
	a := &u.answer
	if u.roster, err = readLastSeenOf[daySeen](ctx, u.scope, u.names.Day(a.Practice, a.Date)); err != nil {
		return err
	}
	slices.SortStableFunc(a.Visits, func(x, y Appointment) int {
		return cmp.Or(x.Start.Compare(y.Start), cmp.Compare(x.ID.Reveal(), y.ID.Reveal()))
	})
	here := make(map[phi.Text]bool, len(a.Visits))
	a.Visits = slices.DeleteFunc(a.Visits, func(v Appointment) bool {
		twice := here[v.ID]
		here[v.ID] = true
		return twice
	})
	u.next.Incomplete = a.omissions()
	var refs []phi.Ref
	for _, v := range a.Visits {
		refs = append(refs, u.names.Appointment(v.ID))
	}
	var gone []phi.Text
	for _, id := range u.roster.facts.Visits {
		if !here[id] {
			gone = append(gone, id)
			refs = append(refs, u.names.Appointment(id))
		}
	}
	before, err := readLastSeen[visitSeen](ctx, u.scope, refs)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(before, func(l lastSeen[visitSeen]) bool { return !l.known }) {
		if err := u.reload(ctx); err != nil {
			return err
		}
	}
	if err := u.compareVisits(before); err != nil {
		return err
	}
	for i := range a.Visits {
		v := &a.Visits[i]
		u.book(seenOf(v, "").booking(v.ID))
	}
	return u.compareGone(ctx, gone, before[len(a.Visits):])
}

// reload reads the cached roster, valid or not: a last-seen record may expire before the views that
// show its visit.
func (u *dayUpdate) reload(ctx context.Context) error {
	e, err := u.store.cache.Peek(ctx, u.day(u.answer.Date))
	if err != nil {
		return fmt.Errorf("read day: %w", err)
	}
	if day, ok := decode[Day](e); ok {
		u.listed = make(map[phi.Text]*Booking, len(day.Visits))
		for i := range day.Visits {
			u.listed[day.Visits[i].ID] = &day.Visits[i]
		}
	}
	return nil
}

func (u *dayUpdate) book(b Booking) {
	u.next.Visits = append(u.next.Visits, b.ID)
	u.booked = append(u.booked, b)
}

func (u *dayUpdate) compareVisits(before []lastSeen[visitSeen]) error {
	for i := range u.answer.Visits {
		v := &u.answer.Visits[i]
		hash, err := contentHash(u.names.sealer, v)
		if err != nil {
			return fmt.Errorf("hash appointment: %w", err)
		}
		switch was := before[i]; {
		case was.known && was.facts.Hash == hash:
			u.same = append(u.same, visitDocument(*v))
			continue
		case was.known:
			u.result.Changed++
		default:
			u.result.Added++
		}
		u.changes = append(u.changes, visitChange{now: v, id: v.ID, hash: hash, before: before[i], listed: u.listed[v.ID]})
	}
	return nil
}

// compareGone decides about visits that were known and are not in the answer. During an
// outage the vendor sometimes answers "nothing found" with success, and always when it is asked for
// a wrong name: see doubts.
func (u *dayUpdate) compareGone(ctx context.Context, gone []phi.Text, before []lastSeen[visitSeen]) error {
	var vanished []visitChange
	for i, id := range gone {
		was := before[i]
		if was.known && (was.facts.Day != u.answer.Date || was.facts.Practice != u.answer.Practice) {
			u.result.Removed++ // it moved, and the answer about its new place has invalidated the old one
			continue
		}
		vanished = append(vanished, visitChange{id: id, before: was, listed: u.listed[id]})
	}
	doubtful, err := u.doubts(ctx, len(vanished))
	if err != nil {
		return err
	}
	u.result.Doubtful = doubtful
	stay := doubtful || len(u.next.Incomplete) > 0
	if stay {
		for _, v := range vanished {
			if v.before.known || v.listed == nil {
				u.book(v.before.facts.booking(v.id))
			} else {
				u.book(*v.listed)
			}
		}
		return nil
	}
	u.changes = append(u.changes, vanished...)
	u.result.Removed += len(vanished)
	return nil
}
