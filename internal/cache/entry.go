package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// State is the validity of an entry at the time it was read.
type State uint8

// States. The scripts use the same numbers.
const (
	// Miss: there is no entry, or it does not open.
	Miss State = iota
	// Fresh: nothing it depends on has been invalidated, and it is younger than Class.Soft.
	Fresh
	// Soft: as Fresh, but older than Class.Soft. A refresh is due.
	Soft
	// Stale: something it depends on has been invalidated since its load began.
	Stale
	// Suspect: no invalidation is known, but the server that replied may lack some.
	Suspect
)

// String returns the state's name in metrics.
func (s State) String() string {
	return [...]string{"miss", "fresh", "soft", "stale", "suspect"}[s]
}

// Entry is what a key holds. Its slices are shared with other callers and must not be changed.
type Entry struct {
	State State
	// Value is nil for a Miss, and for a Negative entry.
	Value []byte
	// Negative reports that the thing did not exist when it was loaded.
	Negative bool
	// Stamp is the tenant's clock before the load began: the events after this cursor are the
	// changes since.
	Stamp uint64
	// AsOf is the server's time at Stamp: the value is at least as new as that.
	AsOf time.Time
	// Age is the time from AsOf to this read, by the server's clock.
	Age time.Duration
	// Cost is how long the load took, as its caller stated.
	Cost time.Duration
	// ContentHash stays the same as long as this entry holds the same bytes; it suits conditional
	// requests.
	ContentHash [16]byte
	// Tags are what the entry depends on. Anything derived from the entry depends on them too.
	Tags []Tag
	// Result is the load's Value.Result if Load loaded the entry for this call, or for another call
	// whose load began after this one. The other fields are empty if the load set Value.Unstored.
	Result any

	present bool
	key     Key       // of a peeked entry, whether or not there is one
	by      *versions // by which a peeked entry was classified
}

// entryOf makes an Entry from a header and its opened value.
func entryOf(h *header, value []byte, state State, now uint64) Entry {
	e := Entry{
		State: state, Negative: h.flags&flagNegative != 0, Stamp: h.stamp,
		AsOf:        time.UnixMicro(int64(h.stamp)), // below 2^53
		Age:         micros(now - min(now, h.stamp)),
		Cost:        time.Duration(h.cost) * time.Millisecond,
		ContentHash: h.hash, Tags: h.tags, present: true,
	}
	if !e.Negative {
		e.Value = value
	}
	return e
}

// decode opens an entry as Redis returned it. unusable says why one is a Miss because it does not
// open.
func (c *Cache) decode(ctx context.Context, k Key, raw string, state State, now uint64) (e Entry, unusable codes.Code, err error) {
	h, err := parseHeader(raw)
	if err != nil {
		return Entry{}, codes.ValueForeign, nil
	}
	value, err := c.codec.open(ctx, k, &h, raw)
	switch {
	case errors.Is(err, errBroken):
		return Entry{}, codes.SealBroken, nil
	case err != nil:
		return Entry{}, "", fmt.Errorf("open cache entry: %w", err)
	}
	return entryOf(&h, value, state, now), "", nil
}

// Class is the name of a peeked entry's class, whether or not there is an entry.
func (e Entry) Class() string {
	if e.key.Class == nil {
		return ""
	}
	return e.key.Class.Name
}

func micros(n uint64) time.Duration {
	return time.Duration(min(n, maxClock)) * time.Microsecond // at most 2^53
}
