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

// Place says which server a result is about.
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

// EachServer hands every server of both roles to inspect, one after the other, and returns the results in that order. A
// role whose client is nil is left out. The first error ends it.
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

// refusal is a server's answer that it does not do what was asked: managed services forbid commands, and users may lack
// rights. It returns what to say about it, or the error when it is none of that.
func refusal(command string, err error) (string, error) {
	var reply redis.Error
	switch {
	case err == nil || errors.Is(err, redis.Nil):
		return "", nil
	case errors.As(err, &reply):
		return "the server refuses " + command + ": " + firstWord(err), nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "", err
	}
	return "", redisconn.ErrUnavailable // the client's own words name addresses
}

// unavailable is refusal for commands without which there is no result. It hides what the client says about addresses.
func unavailable(command string, err error) error {
	refused, err := refusal(command, err)
	if refused != "" {
		return fmt.Errorf("%s: %w", refused, redisconn.ErrUnavailable)
	}
	return err
}

// advice collects what an inspection means and what to do.
type advice []string

func (a *advice) add(format string, args ...any) { *a = append(*a, fmt.Sprintf(format, args...)) }

// or returns the collected advice, or the one sentence that stands for none.
func (a advice) or(nothing string) []string {
	if len(a) == 0 {
		return []string{nothing}
	}
	return a
}

// refused begins the advice with a server's refusal, if there is one.
func refused(refusal string) advice {
	if refusal == "" {
		return nil
	}
	return advice{refusal}
}

var (
	ourKey = regexp.MustCompile(`^(asynq|q1|c1|f1|f1h|m1|s1|demo):\{([^{}]*)\}(?::([a-z]{1,12})(?::|$)|$|:)`)
	// The names that follow the braces in keys of asynq's and ours.
	ourParts = []string{
		"t", "pending", "active", "lease", "scheduled", "retry", "archived", "completed", "paused", "processed", "failed", "groups",
		"g", "o", "once", "m", "d", "l", "s", "x", "b", "sessions", "document",
	}
	ourNames = []string{"asynq:queues", "asynq:servers", "asynq:workers", "asynq:schedulers", "asynq:cancel", "rounds:doctor"}
)

// keyFamily names the family of a key: what it is for, never whose it is. Nothing of the names of others' keys is repeated.
func keyFamily(key string) string {
	if m := ourKey.FindStringSubmatch(key); m != nil {
		slot := "*"
		if queue.KnownLane(m[2]) {
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
