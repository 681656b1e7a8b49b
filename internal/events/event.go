package events

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Limits of one event, for writers and readers alike.
const (
	// MaxTags is the largest number of tags of one change. Beyond it a writer uses tags of larger
	// things.
	MaxTags = 256
	// MaxID is the longest event id in bytes.
	MaxID = 128
)

// maxClock is the largest integer that Lua's numbers hold exactly; in microseconds it is in the
// year 2255.
const maxClock = 1 << 53

// ErrMalformed is returned for an entry that the cache's script cannot have written.
var ErrMalformed = errors.New("events: malformed event")

// Tag names something that cached entries depend on. It is a digest; a collision costs an
// unnecessary miss and nothing else.
type Tag [8]byte

// Event is one change in one tenant's cache.
type Event struct {
	// Clock is the tenant's clock at the change: the event's place in the log, and the cursor to
	// resume after it.
	Clock uint64
	// Prev is the clock of the previous event, 0 for the first of a log.
	Prev uint64
	// Epoch identifies the epoch: clocks of different epochs must not be compared.
	Epoch [8]byte
	// At is the server's time of the change. It equals Clock's time unless a server with a slower
	// clock took over.
	At time.Time
	// ID is the writer's name for the change, the same when the writer repeats it. May be empty.
	ID string
	// Tags are what the change touched. An event without tags is an announcement that invalidates
	// nothing.
	Tags []Tag
	// Body describes what changed.
	Body Body
}

// Key returns the key of a tenant's log.
func Key(id tenant.ID) string { return id.Key("c1", "x") }

// Channel returns the channel of a tenant's notifications.
func Channel(id tenant.ID) string { return id.Key("c1", "b") }

func metaKey(id tenant.ID) string { return id.Key("c1", "m") }

// Decode reads one entry of the log. Every error is ErrMalformed and contains no data of the entry.
func Decode(m redis.XMessage) (Event, error) {
	var ev Event
	var ok bool
	if ev.Clock, ok = parseID(m.ID); !ok {
		return Event{}, malformed("id")
	}
	if ev.Prev, ok = parseClock(field(m, "p")); !ok || ev.Prev >= ev.Clock {
		return Event{}, malformed("previous id")
	}
	epoch := field(m, "e")
	if len(epoch) != len(ev.Epoch) {
		return Event{}, malformed("epoch")
	}
	copy(ev.Epoch[:], epoch)
	at, ok := parseClock(field(m, "n"))
	if !ok {
		return Event{}, malformed("time")
	}
	ev.At = time.UnixMicro(int64(at)) // below 2^53
	if ev.ID = field(m, "i"); len(ev.ID) > MaxID {
		return Event{}, malformed("event id")
	}
	if ev.Tags, ok = parseTags(field(m, "t")); !ok {
		return Event{}, malformed("tags")
	}
	body, err := decodeBody(field(m, "b"))
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	ev.Body = body
	return ev, nil
}

func malformed(part string) error { return fmt.Errorf("%w: %s", ErrMalformed, part) }

func field(m redis.XMessage, name string) string {
	s, _ := m.Values[name].(string)
	return s
}

func parseID(id string) (uint64, bool) {
	clock, seq, found := strings.Cut(id, "-")
	if !found || seq != "0" {
		return 0, false
	}
	return parseClock(clock)
}

func parseClock(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && n < maxClock
}

func parseTags(s string) ([]Tag, bool) {
	const size = len(Tag{})
	if len(s)%size != 0 || len(s) > MaxTags*size {
		return nil, false
	}
	tags := make([]Tag, 0, len(s)/size)
	for ; s != ""; s = s[size:] {
		tags = append(tags, Tag([]byte(s[:size])))
	}
	return tags, true
}
