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
	// MaxChange is the largest number of tags of one change; beyond it the caller uses tags of
	// larger things.
	MaxChange = events.MaxTags
	// MaxLastSeen is the largest number of last-seen records that one change may replace.
	MaxLastSeen = 256
	// MaxPreconditions is the largest number of tags in the preconditions of one change.
	MaxPreconditions = 512
	// MaxLastSeenBytes is the longest last-seen record in bytes.
	MaxLastSeenBytes = 16 << 10
)

// ErrConflict is returned by Invalidate when a last-seen record differs from the expected one, or
// when the load that the change is based on is outdated: another caller recorded a change of the
// same thing first. Nothing was written. The caller asks the source again, reads the last-seen
// records again and makes a new change.
var ErrConflict = errors.New("cache: something has changed since it was read")

// Change describes a change of a tenant's data.
type Change struct {
	// Tags are the things that changed, and the collections that they were in before and are in
	// now; at most MaxChange. A change without tags appends its event and invalidates nothing.
	Tags []Tag
	// Event describes the change to readers; it must have a kind.
	Event events.Body
	// EventID is the same whenever the same change is repeated, so that consumers can recognize it.
	// May be empty.
	EventID string
	// LastSeen are the last-seen records to replace in the same step; at most MaxLastSeen.
	LastSeen []LastSeenUpdate
	// BasedOn is the grant of the load from which this change was derived. It is required when the
	// loaded values are stored under the grant of the change: that grant is newer than any
	// invalidation that happened during the load. The zero Grant sets no condition.
	BasedOn Grant
	// Preconditions are tags that must not have changed during the load, each with the highest
	// version it may have: the stamp of BasedOn, or that of the caller's own change since. At most
	// MaxPreconditions.
	Preconditions map[Tag]uint64
}

// LastSeenUpdate replaces the last-seen record of one thing at the vendor if the record is still
// the expected one. Redis holds it in clear: refs and keyed digests only.
type LastSeenUpdate struct {
	// Name is a ref, or several joined.
	Name string
	// Expect is what Cache.LastSeen returned; nil if there was no record.
	Expect []byte
	// Next is the new record; nil removes the present one.
	Next []byte
	// TTL is how long the new record is kept. Zero means forever. After a record has expired, the
	// next read of its record counts as a change, and the collections it was in before are
	// unknown.
	TTL time.Duration
}

// Invalidate raises the versions of all tags of a change, replaces its last-seen records and
// appends its event, in one atomic step. After it has returned, no reader receives an older value
// as Fresh, even from a load that was in progress.
//
// The returned grant is as new as the change: a caller that already knows the values after the
// change may store them under any number of keys with FillMany.
//
// After a network error the change may or may not have happened. Repeating it is harmless without
// last-seen records; with them the repetition may return ErrConflict because of the caller's own
// change.
func (c *Cache) Invalidate(ctx context.Context, id tenant.ID, ch Change) (Grant, error) {
	keys, args, err := c.changeCall(id, ch)
	if err != nil {
		return Grant{}, err
	}
	out, err := invalidateScript.Run(ctx, c.rdb, keys, args...).Slice()
	if err != nil {
		return Grant{}, failed("invalidate", err)
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
		checkLimit("last-seen records", len(ch.LastSeen), MaxLastSeen),
		checkLimit("tags in preconditions", len(ch.Preconditions), MaxPreconditions),
	); err != nil {
		return nil, nil, err
	}
	joined := make([]byte, 0, len(tags)*8)
	for i := range tags {
		joined = append(joined, tags[i][:]...)
	}
	keys := []string{metaKey(id), events.Key(id)}
	args := []any{
		random(8), c.retain.Microseconds(), events.Channel(id), ch.EventID, body, joined,
	}
	args = append(args, preconditionArgs(ch)...)
	records, values, err := lastSeenCall(id, ch.LastSeen)
	if err != nil {
		return nil, nil, err
	}
	return append(keys, records...), append(args, values...), nil
}

// Check returns a *LimitError if the record is too long, which Invalidate would return too.
func (u *LastSeenUpdate) Check() error {
	return checkLimit("bytes of a last-seen record", len(u.Next), MaxLastSeenBytes)
}

// lastSeenCall returns the keys and arguments that replace last-seen records.
func lastSeenCall(id tenant.ID, updates []LastSeenUpdate) (keys []string, args []any, err error) {
	seen := make(map[string]bool, len(updates))
	for _, u := range updates {
		switch {
		case u.Name == "" || seen[u.Name]:
			return nil, nil, errors.New("cache: last-seen record without a name, or named twice")
		case u.TTL < 0:
			return nil, nil, errors.New("cache: last-seen record with a negative TTL")
		}
		if err := u.Check(); err != nil {
			return nil, nil, err
		}
		seen[u.Name] = true
		ttl := u.TTL.Milliseconds()
		if u.TTL > 0 && ttl == 0 {
			ttl = 1
		}
		keys = append(keys, lastSeenKey(id, u.Name))
		args = append(args, orEmpty(u.Expect), orEmpty(u.Next), ttl)
	}
	return keys, args, nil
}

// preconditionArgs encodes the conditions of a change. A change that is based on no load has none.
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

// orEmpty returns an empty slice for nil, which the client would encode differently.
func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// compact returns the tags sorted and without duplicates.
func compact(tags []Tag) []Tag {
	out := slices.Clone(tags)
	slices.SortFunc(out, func(a, b Tag) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(out)
}
