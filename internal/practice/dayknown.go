package practice

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// readGroups reads what is known of every ID that is on the day, in the answer or before.
func (u *dayUpdate) readGroups(ctx context.Context) error {
	rows := map[phi.Text][]*Appointment{}
	var ids []phi.Text
	for i := range u.answer.Visits {
		v := &u.answer.Visits[i]
		rows[v.ID] = append(rows[v.ID], v)
		if v.Covers(u.answer.Date) {
			ids = append(ids, v.ID)
			u.onDay++
		}
	}
	u.overlap = u.answer.overlaps()
	u.cautious = u.incomplete() || u.onDay*2 < len(u.roster.facts.Visits)
	for _, key := range u.roster.facts.Visits {
		id, _ := splitKey(key)
		ids = append(ids, id)
	}
	ids = distinct(ids)
	refs := make([]phi.Ref, len(ids))
	for i, id := range ids {
		refs[i] = u.names.Appointment(id)
	}
	known, err := readLastSeen[visitSeen](ctx, u.scope, refs)
	if err != nil {
		return err
	}
	u.groups = make(map[phi.Text]*group, len(ids))
	for i, id := range ids {
		g := &group{id: id, before: known[i]}
		if g.rows, err = u.rowsOf(rows[id]); err != nil {
			return fmt.Errorf("sort rows: %w", err)
		}
		u.groups[id] = g
	}
	for _, key := range u.roster.facts.Visits {
		id, _ := splitKey(key)
		u.groups[id].listed = true
	}
	return nil
}

// placed places every group and returns the visits of the day in order of start.
func (u *dayUpdate) placed() []*Appointment {
	var out []*Appointment
	for _, g := range u.groups {
		u.place(g)
		out = append(out, g.here...)
	}
	slices.SortFunc(out, func(x, y *Appointment) int {
		return cmp.Or(x.Start.Compare(y.Start), cmp.Compare(x.key(), y.key()))
	})
	return out
}

// readBefore returns what is known of each visit that is in the answer, was on the roster, or left
// another day, by key.
func (u *dayUpdate) readBefore(ctx context.Context, visits []*Appointment, gone []phi.Text) (map[phi.Text]lastSeen[visitSeen], error) {
	keys := slices.Clone(gone)
	for _, v := range visits {
		keys = append(keys, v.key())
	}
	needed := len(keys)
	for _, key := range gone {
		keys = append(keys, u.sameRow(key)...)
	}
	for _, g := range u.groups {
		keys = append(keys, g.dropped...)
	}
	keys = distinct(keys)
	before := make(map[phi.Text]lastSeen[visitSeen], len(keys))
	var occurrences []phi.Text
	var refs []phi.Ref
	for _, key := range keys {
		id, occurrence := splitKey(key)
		if occurrence != "" {
			occurrences, refs = append(occurrences, key), append(refs, u.names.Appointment(key))
			continue
		}
		was := u.groups[id].before
		was.known = u.groups[id].isPlain()
		before[key] = was
	}
	known, err := readLastSeen[visitSeen](ctx, u.scope, refs)
	if err != nil {
		return nil, err
	}
	for i, key := range occurrences {
		before[key] = known[i]
	}
	if slices.ContainsFunc(keys[:needed], func(key phi.Text) bool { return !before[key].known }) {
		return before, u.reload(ctx)
	}
	return before, nil
}

// reload reads the cached roster, valid or not: a last-seen record may expire before the views that
// show its visit.
func (u *dayUpdate) reload(ctx context.Context) error {
	e, err := u.store.cache.Peek(ctx, u.day(u.answer.Date))
	if err != nil {
		return fmt.Errorf("read day: %w", err)
	}
	if day, ok := decode[Day](ctx, e); ok {
		u.listed = make(map[phi.Text]*Booking, len(day.Visits))
		for i := range day.Visits {
			u.listed[day.Visits[i].key()] = &day.Visits[i]
		}
	}
	return nil
}
