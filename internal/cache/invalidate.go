package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Bounds of one Invalidate.
const (
	// MaxChange is how many tags one change may move; beyond it the caller rolls up to tags of larger things.
	MaxChange = events.MaxTags
	// MaxLastSeen is how many shadows one change may swap.
	MaxLastSeen = 256
	// MaxPreconditions is how many tags one change may rest on.
	MaxPreconditions = 512
	// MaxLastSeenBytes is the longest shadow in bytes.
	MaxLastSeenBytes = 16 << 10
)

// ErrConflict is returned by Invalidate when a shadow was not as expected, or what the change was concluded from is
// outdated: somebody else has seen a change of the same thing first. Nothing was done. Ask the source again, read the
// shadows again and decide anew.
var ErrConflict = errors.New("cache: something has changed since it was read")

// Change is what has happened to a tenant's data.
type Change struct {
	// Tags are the things that changed, and the collections that they were in before and are in now; at most MaxChange.
	// None means an announcement, which invalidates nothing.
	Tags []Tag
	// Event says so to readers; it must have a kind.
	Event events.Body
	// EventID is the same whenever the same change is told again, so that consumers can tell. May be empty.
	EventID string
	// LastSeen are swapped together with the rest; at most MaxShadows.
	LastSeen []LastSeenUpdate
	// BasedOn is the grant under which the source was asked for what this change was concluded from. It must be given when
	// the answer is stored under the grant of the change, which is newer than whatever was invalidated while the answer
	// was on its way. The zero Grant makes no condition.
	BasedOn Grant
	// Preconditions are the tags that must not have moved while the answer was on its way, each with the stamp up to which it
	// may have: Loaded's, or that of the caller's own change since. At most MaxUnmoved.
	Preconditions map[Tag]uint64
}

// LastSeenUpdate is the swap of what is remembered of one thing at the vendor. It lies in Redis in clear: refs and keyed digests
// only.
type LastSeenUpdate struct {
	// Name is a ref, or several joined.
	Name string
	// Expect is what Shadows returned; nil if there was none.
	Expect []byte
	// Next takes its place; nil removes it.
	Next []byte
	// TTL is how long it is remembered from now on. Zero means for ever. A shadow that has ended makes the next look at
	// its thing a change, and the collections it was in before unknown.
	TTL time.Duration
}

// Invalidate moves the versions of all tags of a change, swaps its shadows and appends its event, in one atomic step.
// When it has returned, no reader is told an older value is Fresh, whoever was loading meanwhile.
//
// The grant that it returns is as new as the change: what the caller already knows to be the state after it may be stored
// under any number of keys with Fill or FillMany.
//
// An error of the network leaves open whether it happened. Repeating is harmless without shadows; with them a repetition
// may be an ErrConflict with the caller's own change.
func (c *Cache) Invalidate(ctx context.Context, id tenant.ID, ch Change) (Grant, error) {
	keys, args, err := c.changeCall(id, ch)
	if err != nil {
		return Grant{}, err
	}
	out, err := invalidateScript.Run(ctx, c.rdb, keys, args...).Slice()
	if err != nil {
		return Grant{}, fmt.Errorf("invalidate: %w", err)
	}
	if len(out) == 2 {
		return Grant{}, ErrConflict
	}
	if len(out) != 4 {
		return Grant{}, errReply
	}
	stamp, _ := out[1].(string)
	epoch, _ := out[2].(string)
	return parseGrant(stamp, epoch, "")
}

func (c *Cache) changeCall(id tenant.ID, ch Change) ([]string, []any, error) {
	if _, err := tenant.Parse(string(id)); err != nil {
		return nil, nil, fmt.Errorf("cache: %w", err)
	}
	body, err := ch.Event.Encode()
	if err != nil {
		return nil, nil, fmt.Errorf("invalidate: %w", err)
	}
	tags := compact(ch.Tags)
	if err := errors.Join(
		checkLimit("tags of a change", len(tags), MaxChange),
		checkLimit("bytes of an event id", len(ch.EventID), events.MaxID),
		checkLimit("shadows", len(ch.LastSeen), MaxLastSeen),
		checkLimit("tags to rest on", len(ch.Preconditions), MaxPreconditions),
	); err != nil {
		return nil, nil, err
	}
	joined := make([]byte, 0, len(tags)*8)
	for i := range tags {
		joined = append(joined, tags[i][:]...)
	}
	keys := []string{metaKey(id), events.Key(id)}
	args := []any{
		c.runID(), random(8), c.retain.Microseconds(), events.Channel(id), ch.EventID, body, joined,
	}
	args = append(args, preconditionArgs(ch)...)
	seen := make(map[string]bool, len(ch.LastSeen))
	for _, s := range ch.LastSeen {
		switch {
		case s.Name == "" || seen[s.Name]:
			return nil, nil, errors.New("cache: shadow without a name, or named twice")
		case s.TTL < 0:
			return nil, nil, errors.New("cache: shadow kept for a negative time")
		}
		if err := checkLimit("bytes of a shadow", len(s.Next), MaxLastSeenBytes); err != nil {
			return nil, nil, err
		}
		seen[s.Name] = true
		keep := s.TTL.Milliseconds()
		if s.TTL > 0 && keep == 0 {
			keep = 1
		}
		keys = append(keys, lastSeenKey(id, s.Name))
		args = append(args, orEmpty(s.Expect), orEmpty(s.Next), keep)
	}
	return keys, args, nil
}

// loadedArgs spells the condition of a change. Without a load there is none.
func preconditionArgs(ch Change) []any {
	if !ch.BasedOn.usable() {
		return []any{"", "", 0, ""}
	}
	preconditions := make([]byte, 0, len(ch.Preconditions)*16)
	for tag, stamp := range ch.Preconditions {
		preconditions = append(preconditions, tag[:]...)
		preconditions = binary.BigEndian.AppendUint64(preconditions, stamp)
	}
	return []any{strconv.FormatUint(ch.BasedOn.Stamp, 10), ch.BasedOn.Epoch[:], maxFillAge.Microseconds(), preconditions}
}

// notNil keeps nil from becoming something else on the wire.
func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// compact returns the tags sorted and without doubles.
func compact(tags []Tag) []Tag {
	out := slices.Clone(tags)
	slices.SortFunc(out, func(a, b Tag) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(out)
}
