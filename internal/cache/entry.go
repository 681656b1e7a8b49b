package cache

import (
	"context"
	"errors"
	"time"
)

// State says what may be thought of an entry.
type State uint8

// States. The scripts use the same numbers.
const (
	// Miss: there is nothing, or nothing that opens.
	Miss State = iota
	// Fresh: nothing it depends on has been invalidated, and it is younger than Soft.
	Fresh
	// Soft: as Fresh, but older than Soft. A refresh is due.
	Soft
	// Stale: something that it depends on has been invalidated since.
	Stale
	// Suspect: nothing known speaks against it, but the server has changed since and may have forgotten something.
	Suspect
)

// String returns the state's name in figures.
func (s State) String() string {
	return [...]string{"miss", "fresh", "soft", "stale", "suspect"}[s]
}

// Entry is what was found under a key. The slices are shared with other callers and must not be changed.
type Entry struct {
	State State
	// Value is nil for a Miss, and for a Negative entry.
	Value []byte
	// Negative says that the thing did not exist when it was loaded.
	Negative bool
	// Stamp is the tenant's clock before the load began: a cursor after which events tell what has changed since.
	Stamp uint64
	// AsOf is the server's time at Stamp: the value is at least as new as that.
	AsOf time.Time
	// Age is how long before this answer that was, by the server's clock.
	Age time.Duration
	// Cost is how long the load took, as its caller said.
	Cost time.Duration
	// ContentHash is the same as long as this entry holds the same bytes; a validator for conditional requests.
	ContentHash [16]byte
	// Tags are what the entry depends on. What is derived from it depends on the same.
	Tags []Tag

	present bool
}

// entryOf makes an Entry of a header and its opened value.
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

// decode opens an entry as Redis returned it; a Miss, counted, when it does not open.
func (c *Cache) decode(ctx context.Context, k Key, st *classStats, raw string, state State, now uint64) (Entry, error) {
	h, err := parseHeader(raw)
	if err == nil {
		var value []byte
		if value, err = c.codec.open(ctx, k, &h, raw); err == nil {
			return entryOf(&h, value, state, now), nil
		}
	}
	if errors.Is(err, errHeader) || errors.Is(err, errBroken) {
		st.broken.Add(1)
		return Entry{}, nil
	}
	return Entry{}, err
}

func micros(n uint64) time.Duration {
	return time.Duration(min(n, maxClock)) * time.Microsecond // at most 2^53
}
