package work

import (
	"context"
	"slices"
	"strings"
)

// owner is whose row of a list is. The vendor may match a practice's name anywhere in the names of
// others, so the list of one practice may have rows of several.
type owner uint8

const (
	ownRow     owner = iota
	otherRow         // of another practice of the account, whose own list has it
	unknownRow       // of a practice that is not known; it may be one of the account's
)

// owners are the practices that rows may belong to.
type owners struct {
	named
	ids, names map[string]bool // of the account's other practices
}

// owners reads which practices the account has: those of the tenant's settings, and those that the
// vendor lists.
func (d Deps) owners(ctx context.Context, n *named) (*owners, error) {
	o := &owners{named: *n, ids: map[string]bool{}, names: map[string]bool{}}
	list, err := d.Store.Practices(ctx, n.tenant)
	if err != nil {
		return nil, err
	}
	for _, p := range list.Practices {
		o.ids[p.ID], o.names[spelling(p.Name)] = true, true
	}
	for _, p := range n.Practices {
		o.ids[p.ID], o.names[spelling(p.Name)] = true, true
	}
	return o, nil
}

// place is what a row states about the practice that it belongs to.
type place struct {
	id, name string
	unread   bool // the number or the name cannot be read
}

// placeOf returns the place of a row with these columns that could not be read.
func placeOf(id, name string, unread []string) place {
	return place{id, name, slices.ContainsFunc(unread, isPlaceColumn)}
}

// isPlaceColumn reports whether a column of the vendor names the practice that a row belongs to.
func isPlaceColumn(column string) bool {
	return column == "PracticeID" || column == "PracticeId" || column == "PracticeName"
}

// of decides by the number, and by the name where there is no number. A row without either is the
// practice's own, unless it has one that cannot be read.
func (o *owners) of(p place) owner {
	id, name := p.id, spelling(p.name)
	switch {
	case id == "" && name == "" && p.unread:
		return unknownRow
	case id == o.id, id == "" && (name == "" || name == spelling(o.name)):
		return ownRow
	case id != "" && o.ids[id], id == "" && o.names[name]:
		return otherRow
	}
	return unknownRow
}

// spelling is a name without differences in case and spaces.
func spelling(name string) string { return strings.ToLower(strings.Join(strings.Fields(name), " ")) }

// own returns the practice's own rows, and those of a practice that is not known; the latter demand
// a reading of the account's practices, and callers alert operators of them. at returns the place
// of a row.
func own[T any](ctx context.Context, d Deps, n *named, rows []T, at func(*T) place) (kept, unknown []T, err error) {
	o := &owners{named: *n}
	all := true
	for i := range rows {
		all = all && o.of(at(&rows[i])) == ownRow
	}
	if all {
		return rows, nil, nil
	}
	if o, err = d.owners(ctx, n); err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		switch o.of(at(&row)) {
		case ownRow:
			kept = append(kept, row)
		case unknownRow:
			unknown = append(unknown, row)
		case otherRow:
		}
	}
	if len(unknown) == 0 {
		return kept, nil, nil
	}
	return kept, unknown, d.recheck(ctx, n)
}
