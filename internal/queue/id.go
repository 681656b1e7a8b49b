package queue

import (
	"errors"
	"strconv"
	"strings"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ErrID is returned for a string that is not a task's ID.
var ErrID = errors.New("queue: not a task id")

// digestLen is the length of a digest: 16 bytes in unpadded base32.
const digestLen = 26

// ID identifies a task: see the package comment. Its text is digest.generation.lane. asynqmon's
// column of IDs ends at the first hyphen, which only a lane may contain.
//
// Tasks of earlier releases have the form lane-digest-generation. They keep it, because their
// payload is sealed to the text of their ID.
type ID struct {
	// Lane is the lane for which the task was created.
	Lane string
	// Digest is a keyed digest of the work: 26 characters of lower-case base32.
	Digest string
	// Generation counts the tasks of the digest; it starts at a time in microseconds.
	Generation uint64

	former bool // it has the form of earlier releases
}

// String returns the ID as asynq stores it.
func (id ID) String() string {
	generation := strconv.FormatUint(id.Generation, 10)
	if id.former {
		return id.Lane + "-" + id.Digest + "-" + generation
	}
	return id.Digest + "." + generation + "." + id.Lane
}

// ParseID is the inverse of String. It accepts only the forms that String writes, so that an
// external ID is safe in a key.
func ParseID(s string) (ID, error) {
	digest, rest, _ := strings.Cut(s, ".")
	generation, lane, _ := strings.Cut(rest, ".")
	id := ID{Lane: lane, Digest: digest}
	if !isDigest(digest) {
		lane, rest, _ = strings.Cut(s, "-")
		digest, generation, _ = strings.Cut(rest, "-")
		id = ID{Lane: lane, Digest: digest, former: true}
	}
	var err error
	id.Generation, err = strconv.ParseUint(generation, 10, 53)
	switch {
	case err != nil, !isDigest(id.Digest), id.String() != s:
		return ID{}, ErrID
	case id.former && !OwnLane(id.Lane), !ValidLane(id.Lane):
		return ID{}, ErrID
	}
	return id, nil
}

func isDigest(s string) bool {
	if len(s) != digestLen {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// space is the first part of the keys that belong to the ID.
func (id ID) space() string {
	if id.former {
		return "q1"
	}
	return "q2"
}

// formerKey holds the current generation of a digest for producers of earlier releases.
func (id ID) formerKey() string { return tenant.GlobalKey("q1", id.Lane, "g", id.Digest) }

func (id ID) outcomeKey() string { return tenant.GlobalKey(id.space(), id.Lane, "o", id.String()) }

// onceKey holds the ID of the task that an idempotency key created. formerOnceKey is the one of
// earlier releases, which is still read.
func onceKey(lane, ref string) string       { return tenant.GlobalKey("q2", lane, "once", ref) }
func formerOnceKey(lane, ref string) string { return tenant.GlobalKey("q1", lane, "once", ref) }
