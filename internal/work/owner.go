package work

import (
	"context"
	"strings"

	"github.com/workflow-bolt/rounds/internal/codes"
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

// of decides by the number, and by the name where there is no number. A row without either is the
// practice's own.
func (o *owners) of(id, name string) owner {
	name = spelling(name)
	switch {
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
// a reading of the account's practices. place returns the number and name of a row's practice.
func own[T any](ctx context.Context, d Deps, n *named, rows []T, place func(*T) (id, name string)) (kept, unknown []T, err error) {
	o := &owners{named: *n}
	all := true
	for i := range rows {
		all = all && o.of(place(&rows[i])) == ownRow
	}
	if all {
		return rows, nil, nil
	}
	if o, err = d.owners(ctx, n); err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		switch o.of(place(&row)) {
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
	d.Logger.WarnContext(ctx, "rows of a list belong to a practice that is not known; they are not shown",
		"tenant", n.tenant.String(), "practice", string(d.Store.Names(n.tenant).Practice(n.id)), "code", codes.RowForeign, "rows", len(unknown))
	return kept, unknown, d.recheck(ctx, n)
}
