package diagnose

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// Place names the server that a result is about.
type Place struct {
	Role   string `json:"role"`
	Server string `json:"server"` // its address, without credentials
}

// Server is one Redis server in one role.
type Server struct {
	place  Place
	role   redisconn.Role
	client *redis.Client
}

// Role returns the role's name.
func (s Server) Role() string { return s.place.Role }

// EachServer calls inspect for every server of both roles, one after the other, and returns the
// results in that order. It skips a role whose client is nil and stops at the first error.
func EachServer[T any](ctx context.Context, queueRedis, cacheRedis redis.UniversalClient, inspect func(context.Context, Server) (T, error)) ([]T, error) {
	var out []T
	for _, r := range []struct {
		role redisconn.Role
		rdb  redis.UniversalClient
	}{{redisconn.RoleQueue, queueRedis}, {redisconn.RoleCache, cacheRedis}} {
		if r.rdb == nil {
			continue
		}
		err := redisconn.EachServer(ctx, r.rdb, func(ctx context.Context, address string, c *redis.Client) error {
			result, err := inspect(ctx, Server{place: Place{Role: r.role.String(), Server: address}, role: r.role, client: c})
			if err == nil {
				out = append(out, result)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s redis: %w", r.role, err)
		}
	}
	return out, nil
}

// refusal returns a sentence if err is a server's refusal of a command: managed services forbid
// some commands, and users may lack permissions. Any other error is returned, without the addresses
// that the client's errors contain.
func refusal(command string, err error) (string, error) {
	if err == nil || errors.Is(err, redis.Nil) {
		return "", nil
	}
	err = redisconn.Clean(err)
	if reply, ok := errors.AsType[*redisconn.ReplyError](err); ok {
		return "the server refuses " + command + ": " + reply.Word, nil
	}
	return "", err
}

// unavailable is refusal for a command without which there is no result: a refusal is an error,
// too.
func unavailable(command string, err error) error {
	refused, err := refusal(command, err)
	if refused != "" {
		return fmt.Errorf("%s: %w", refused, redisconn.ErrUnavailable)
	}
	return err
}

// advice collects what an inspection result means and what to do, a sentence each.
type advice []string

func (a *advice) add(format string, args ...any) { *a = append(*a, fmt.Sprintf(format, args...)) }

// or returns the collected advice, or one sentence if there is none.
func (a advice) or(nothing string) []string {
	if len(a) == 0 {
		return []string{nothing}
	}
	return a
}

// adviceOn starts the advice with a server's refusal, if there is one.
func adviceOn(refusal string) advice {
	if refusal == "" {
		return nil
	}
	return advice{refusal}
}

var (
	ourKey = regexp.MustCompile(`^(asynq|q1|q2|c1|f1|f1h|m1|s1|demo):\{([^{}]*)\}(?::([a-z]{1,12})(?::|$)|$|:)`)
	// ourParts are the names that follow the braces in the keys of asynq and Rounds.
	ourParts = []string{
		"t", "pending", "active", "lease", "scheduled", "retry", "archived", "completed", "paused", "processed", "failed", "groups",
		"g", "o", "once", "turn", "trim", "reap", "m", "d", "l", "s", "x", "b", "sessions", "document",
	}
	// laneSpaces are the first parts of keys whose slot is a lane.
	laneSpaces = map[string]bool{"asynq": true, "q1": true, "q2": true}
	ourNames   = []string{"asynq:queues", "asynq:servers", "asynq:workers", "asynq:schedulers", "asynq:cancel", "rounds:doctor"}
)

// keyFamily returns a key's family: its purpose, never its owner. The keys of other programs are
// "other".
func keyFamily(key string) string {
	if m := ourKey.FindStringSubmatch(key); m != nil {
		slot := "*"
		if laneSpaces[m[1]] && queue.KnownLane(m[2]) {
			slot = m[2]
		}
		family := m[1] + ":{" + slot + "}"
		if slices.Contains(ourParts, m[3]) {
			family += ":" + m[3]
		}
		return family
	}
	for _, known := range ourNames {
		if key == known || strings.HasPrefix(key, known+":") {
			return known
		}
	}
	if key == "" {
		return ""
	}
	return "other"
}
