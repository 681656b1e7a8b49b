package practice

import (
	"context"
	"slices"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// impact is everything that a change of records affects.
type impact struct {
	records   []phi.Ref // the records themselves
	documents []phi.Ref // every document that the change replaces, those of the records included
	rollups   []phi.Ref // names that stand for many documents
	views     []phi.Ref // what shows the records
	basis     []phi.Ref // what the records depend on; the change does not replace it
}

// add adds records as they were or as they are. A record that moved is added twice.
func (i *impact) add(n Names, records ...Record) {
	for _, r := range records {
		own := n.of(r.Noun, r)
		i.records, i.documents = append(i.records, own), append(i.documents, own)
		for _, noun := range builtOn(r.Noun)[1:] {
			if rollup := n.of(noun, r); rollup != "" {
				i.rollups = append(i.rollups, rollup)
			}
		}
		if r.Noun == NounAppointment {
			i.views = append(i.views, n.Views(r)...)
		}
	}
}

func (i *impact) merge(other impact) {
	i.records = append(i.records, other.records...)
	i.documents = append(i.documents, other.documents...)
	i.rollups = append(i.rollups, other.rollups...)
	i.views = append(i.views, other.views...)
	i.basis = append(i.basis, other.basis...)
}

// all returns every name, without repeats.
func (i *impact) all() []phi.Ref { return distinct(slices.Concat(i.documents, i.rollups, i.views)) }

// tags returns the tags of every name, which a change raises.
func (i *impact) tags() []cache.Tag {
	var out []cache.Tag
	for _, ref := range i.all() {
		out = append(out, cache.TagOf(ref))
	}
	return out
}

// change is one atomic change: what was, what is, which views show it, and the answer of the vendor
// that it follows from.
type change struct {
	scope // whose practice is empty for what belongs to the whole account
	impact
	kind    string
	eventID string // may be empty
	// since is the grant that was drawn before the vendor was asked; zero for a change that follows
	// from no answer.
	since cache.Grant
	// own are the versions that earlier changes from the same answer have raised; commit adds to
	// them. May be nil.
	own map[cache.Tag]uint64
	// lastSeen are the last-seen records to replace.
	lastSeen []cache.LastSeenUpdate
}

// commit makes the change visible and returns its grant. It returns cache.ErrConflict if a
// last-seen record is not as it was read, or if another caller has changed one of the documents, or
// invalidated the practice, since the vendor was asked: what is filled under the grant of the
// change would hide that.
func (c *change) commit(ctx context.Context) (cache.Grant, error) {
	tags := c.tags()
	ctx, span := telemetry.Start(ctx, telemetry.SpanInvalidate, telemetry.Tenant(c.tenant.String()), telemetry.Changed(len(tags)))
	grant, err := c.store.cache.Invalidate(ctx, c.tenant, cache.Change{
		Tags: tags, Event: c.event(), EventID: c.eventID, LastSeen: c.lastSeen, BasedOn: c.since,
		Preconditions: c.preconditions(),
	})
	span.End(failed(err))
	if err == nil && c.own != nil {
		for _, tag := range tags {
			c.own[tag] = grant.Stamp
		}
	}
	return grant, err
}

func (c *change) preconditions() map[cache.Tag]uint64 {
	if len(c.documents) == 0 {
		return nil
	}
	basis := slices.Concat(c.documents, c.basis)
	if c.practice != "" {
		basis = append(basis, c.names.Practice(c.practice))
	}
	out := make(map[cache.Tag]uint64, len(basis))
	for _, ref := range basis {
		tag := cache.TagOf(ref)
		out[tag] = max(c.since.Stamp, c.own[tag])
	}
	return out
}

// event describes the change to readers. It names no record, or no view, if there are more than an
// event may carry: that means "some of this practice's".
func (c *change) event() events.Body {
	few := func(refs []phi.Ref) []phi.Ref {
		if refs = distinct(refs); len(refs) > events.MaxRefs {
			return nil
		}
		return refs
	}
	body := events.Body{Kind: c.kind, Refs: few(c.records), Views: few(c.views)}
	if c.practice != "" {
		body.Practice = c.names.Practice(c.practice)
	}
	return body
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
