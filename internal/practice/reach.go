package practice

import (
	"slices"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// reach is how far a change of appointments goes.
type reach struct {
	visits    []phi.Ref // the appointments themselves
	documents []phi.Ref // what is cached under a tag of its own, visits included
	views     []phi.Ref // what shows them
}

// add takes in appointments as they were or are.
func (r *reach) add(n Names, records ...Record) {
	for _, one := range records {
		ref := n.Appointment(one.ID)
		r.visits, r.documents = append(r.visits, ref), append(r.documents, ref)
		r.views = append(r.views, n.Views(one)...)
	}
}

func (r *reach) tags() []cache.Tag {
	var out []cache.Tag
	for _, ref := range distinct(append(slices.Clone(r.documents), r.views...)) {
		out = append(out, cache.TagOf(ref))
	}
	return out
}

// event tells readers. More refs than an event may carry are left out, which means "some of this practice's".
func (r *reach) event(practice phi.Ref) events.Body {
	few := func(refs []phi.Ref) []phi.Ref {
		if refs = distinct(refs); len(refs) > events.MaxRefs {
			return nil
		}
		return refs
	}
	return events.Body{Kind: events.AppointmentChanged, Practice: practice, Refs: few(r.visits), Views: few(r.views)}
}

// distinct keeps the first of each.
func distinct[T comparable](all []T) []T {
	seen := make(map[T]bool, len(all))
	var out []T
	for _, one := range all {
		if !seen[one] {
			seen[one] = true
			out = append(out, one)
		}
	}
	return out
}
