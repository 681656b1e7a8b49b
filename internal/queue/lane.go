package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Our own lanes, most urgent first. A service has lanes of its own, named service.lane. Names are
// frozen, because they are asynq queue names and part of every task's ID.
const (
	// Interactive is for tasks that a user waits for.
	Interactive = "interactive"
	// Push carries changes to the vendor.
	Push = "push"
	// Sync keeps documents fresh.
	Sync = "sync"
	// Warm rebuilds views before they are read.
	Warm = "warm"
	// Quarantine is for tasks that crashed a worker.
	Quarantine = "quarantine"
)

var lanes = []string{Interactive, Push, Sync, Warm, Quarantine}

const (
	// longestName is the length of the longest part of a lane's name, in bytes.
	longestName = 32
	// maxLanes bounds the lanes that are listed.
	maxLanes = 200
)

// Lanes returns our own lanes, most urgent first. The slice belongs to the caller.
func Lanes() []string { return slices.Clone(lanes) }

// OwnLane reports whether name is one of our own lanes.
func OwnLane(name string) bool { return slices.Contains(lanes, name) }

// ValidLane reports whether name is spelled as a lane: a lower-case letter and at most 31
// lower-case letters, digits and hyphens, or two such names with a dot between them: a service and
// its lane.
func ValidLane(name string) bool {
	service, lane, qualified := strings.Cut(name, ".")
	return validName(service) && (!qualified || validName(lane))
}

// KnownLane reports whether name is one of our own lanes, or spelled as that of a service. Lists
// show no other queue: its name may be anything.
func KnownLane(name string) bool {
	return OwnLane(name) || strings.Contains(name, ".") && ValidLane(name)
}

func validName(s string) bool {
	if s == "" || len(s) > longestName || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// BudgetWeight returns the weight of a lane's tasks when they share the vendor's budget with
// others: documents that become stale come before views that are built ahead of requests.
func BudgetWeight(lane string) int {
	if lane == Sync || lane == Push {
		return 8
	}
	return 4
}

// QuarantineOf returns the quarantine lane for the tasks of a lane: that of the lane's service.
func QuarantineOf(lane string) string { return sibling(lane, Quarantine) }

// IsQuarantine reports whether the lane is a quarantine lane.
func IsQuarantine(lane string) bool { return lane == QuarantineOf(lane) }

// InteractiveOf returns the interactive lane for the tasks of a lane: that of the lane's service.
func InteractiveOf(lane string) string { return sibling(lane, Interactive) }

// IsInteractive reports whether a user waits for the tasks of the lane.
func IsInteractive(lane string) bool { return lane == InteractiveOf(lane) }

// sibling returns the lane of the same service with another name.
func sibling(lane, name string) string {
	if service, _, qualified := strings.Cut(lane, "."); qualified {
		return service + "." + name
	}
	return name
}

// FindLanes returns our own lanes, most urgent first, then the lanes of services that have ever
// received a task, sorted.
func FindLanes(ctx context.Context, rdb redis.UniversalClient) ([]string, error) {
	found, err := rdb.SMembers(ctx, asynqQueues).Result()
	if err != nil {
		return nil, fmt.Errorf("find lanes: %w", clean(err))
	}
	found = slices.DeleteFunc(found, func(name string) bool { return OwnLane(name) || !KnownLane(name) })
	slices.Sort(found)
	out := append(Lanes(), found...)
	return out[:min(len(out), maxLanes)], nil
}
