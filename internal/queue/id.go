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

// ID identifies a task: see the package comment.
type ID struct {
	// Lane is one of the lanes.
	Lane string
	// Digest is a keyed digest of the work: 26 characters of lower-case base32.
	Digest string
	// Generation counts the tasks of the digest; it starts at a time in microseconds.
	Generation uint64
}

// String returns the ID as asynq stores it.
func (id ID) String() string {
	return id.stem() + strconv.FormatUint(id.Generation, 10)
}

// ParseID is the inverse of String. It accepts only the form that String writes, so that an
// external ID is safe in a key.
func ParseID(s string) (ID, error) {
	lane, rest, _ := strings.Cut(s, "-")
	digest, generation, _ := strings.Cut(rest, "-")
	g, err := strconv.ParseUint(generation, 10, 53)
	id := ID{Lane: lane, Digest: digest, Generation: g}
	if err != nil || !KnownLane(lane) || !isDigest(digest) || id.String() != s {
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

// stem is the ID without its generation.
func (id ID) stem() string { return id.Lane + "-" + id.Digest + "-" }

func (id ID) generationKey() string { return tenant.GlobalKey("q1", id.Lane, "g", id.Digest) }

func (id ID) outcomeKey() string { return tenant.GlobalKey("q1", id.Lane, "o", id.String()) }

func onceKey(lane, ref string) string { return tenant.GlobalKey("q1", lane, "once", ref) }
