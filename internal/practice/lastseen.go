package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// A last-seen record outlives the cached copy of a document: it has the hash by which an unchanged
// document is recognized, and the facts by which the views that showed it are found. Last-seen
// records are sealed, and are replaced only together with the tags that they explain
// (cache.Change).

// visitSeen is what was last seen of a visit. The record of an ID also has what concerns all its
// occurrences, and no hash if every visit of the ID is an occurrence.
type visitSeen struct {
	Hash      phi.Ref    `json:"hash"`
	Practice  string     `json:"practice"`
	Day       civil.Date `json:"day,omitzero"`
	Patient   phi.Text   `json:"patient,omitzero"`
	Providers []string   `json:"providers,omitempty"`
	Row       string     `json:"row,omitzero"` // its name among the rows of the ID

	Occurrences []string `json:"occurrences,omitempty"`
	More        bool     `json:"more,omitzero"`     // Occurrences is cut
	Modified    int64    `json:"modified,omitzero"` // of the latest row, in Unix seconds; 0 if unknown
	Left        []string `json:"left,omitempty"`    // rows that seemed to have moved, the latest first
}

// seen is what a visit is remembered by. on is the day whose roster has it.
func (sc scope) seen(a *Appointment, on civil.Date, hash phi.Ref) *visitSeen {
	out := &visitSeen{Hash: hash, Practice: a.Practice, Day: on, Patient: a.Patient, Providers: a.Providers()}
	if a.Occurrence == "" {
		out.Row = sc.rowName(a, 0)
	}
	return out
}

// record is the visit as it was last seen.
func (v *visitSeen) record(key phi.Text) Record {
	return Record{
		Noun: NounAppointment, ID: key, Practice: v.Practice, Day: v.Day, Patient: v.Patient, Providers: v.Providers,
	}
}

func bookingOf(key phi.Text, patient phi.Text, providers []string) Booking {
	id, occurrence := splitKey(key)
	return Booking{ID: id, Occurrence: occurrence, Patient: patient, Providers: providers}
}

type daySeen struct {
	Visits []phi.Text `json:"visits"`
	// Doubt is the digest of an answer that was not applied, with its question. The same answer is
	// applied once the practice's identity has been confirmed after Doubted.
	Doubt phi.Ref `json:"doubt,omitzero"`
	// Doubted is the tenant's clock after that answer was first received.
	Doubted uint64 `json:"doubted,omitzero"`
	// Near reports that no answer that counts has had all the days before this one that one call
	// has room for.
	Near bool `json:"near,omitzero"`
	// Incomplete is what the roster states about rows that it lacks.
	Incomplete []Omission `json:"incomplete,omitempty"`
}

type recordSeen struct {
	Hash phi.Ref `json:"hash"`
	// Doubt reports that the vendor answered once that the record does not exist. A second
	// identical answer is applied.
	Doubt bool `json:"doubt,omitzero"`
}

// lastSeen is one last-seen record: raw as Redis holds it (nil if there is none), and opened.
type lastSeen[T any] struct {
	name  string
	raw   []byte
	facts T
	known bool
}

const (
	// lastSeenTTL is how long a record is remembered after its last change. After that it counts as
	// new, which costs one invalidation.
	lastSeenTTL = 30 * 24 * time.Hour
	// lastSeenSeal is part of the seals of the stored records, so it must stay as it is.
	lastSeenSeal = "shadow"
	// lastSeenClass names the records where their failures are counted.
	lastSeenClass = "last-seen"
)

// replace returns the update that replaces the record with facts, or removes it if facts is nil.
func (l lastSeen[T]) replace(seal *phi.Sealer, facts *T) (cache.LastSeenUpdate, error) {
	out := cache.LastSeenUpdate{Name: l.name, Expect: l.raw, TTL: lastSeenTTL}
	if facts == nil {
		return out, nil
	}
	data, err := phi.Marshal(facts)
	if err != nil {
		return cache.LastSeenUpdate{}, fmt.Errorf("encode last-seen record: %w", err)
	}
	out.Next, err = seal.Seal(data, lastSeenSeal, l.name)
	return out, err
}

// readLastSeen reads many records at once. One that does not open counts as unknown, so that its
// document looks changed: that costs an invalidation and writes a record that opens.
func readLastSeen[T any](ctx context.Context, sc scope, refs []phi.Ref) ([]lastSeen[T], error) {
	if len(refs) == 0 {
		return nil, nil
	}
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = string(r)
	}
	raw, err := sc.store.cache.LastSeen(ctx, sc.tenant, names...)
	if err != nil {
		return nil, err
	}
	out := make([]lastSeen[T], len(names))
	for i, name := range names {
		out[i] = lastSeen[T]{name: name, raw: raw[i]}
		if raw[i] == nil {
			continue
		}
		data, err := sc.names.sealer.Open(raw[i], lastSeenSeal, name)
		if err != nil {
			telemetry.ValueUnusable(ctx, lastSeenClass, string(codes.SealBroken))
			continue
		}
		out[i].known = restored(ctx, lastSeenClass, data, &out[i].facts)
	}
	return out, nil
}

func readLastSeenOf[T any](ctx context.Context, sc scope, ref phi.Ref) (lastSeen[T], error) {
	all, err := readLastSeen[T](ctx, sc, []phi.Ref{ref})
	if err != nil {
		return lastSeen[T]{}, err
	}
	return all[0], nil
}
