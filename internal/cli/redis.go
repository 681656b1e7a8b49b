package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

func newRedis(e *env) *cobra.Command {
	return e.group("redis", "Look at the Redis servers, changing nothing",
		newRedisHealth(e), newRedisLatency(e), newRedisMemory(e), newRedisSlowlog(e), newRedisClients(e))
}

const bothRoles = "both"

var roleNames = []string{redisconn.RoleQueue.String(), redisconn.RoleCache.String(), bothRoles}

// server is one Redis server in one role.
type server struct {
	role    redisconn.Role
	address string
	client  *goredis.Client
}

// place says which server a part of an answer is about.
type place struct {
	Role   string `json:"role"`
	Server string `json:"server"` // its address, without credentials
}

func (s server) place() place { return place{Role: s.role.String(), Server: s.address} }

// inspection is a command that looks at every server of the roles that --role names, one after the other.
type inspection struct {
	env  *env
	role string
}

// add gives the command its --role.
func (i *inspection) add(cmd *cobra.Command) *cobra.Command {
	cmd.Args = names()
	cmd.Flags().StringVar(&i.role, "role", bothRoles, strings.Join(roleNames, ", "))
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roleNames, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// each hands every server to look. A server that does not answer ends it.
func (i *inspection) each(ctx context.Context, look func(ctx context.Context, s server) error) error {
	need, ok := map[string]config.Need{
		roleNames[0]: config.NeedQueue, roleNames[1]: config.NeedCache, bothRoles: config.NeedQueue | config.NeedCache,
	}[i.role]
	if !ok {
		return usage("--role must be %s", strings.Join(roleNames, ", "))
	}
	return i.env.withStores(ctx, need, func(s *stores) error {
		for _, r := range []struct {
			role redisconn.Role
			rdb  goredis.UniversalClient
		}{{redisconn.RoleQueue, s.queue}, {redisconn.RoleCache, s.cache}} {
			if r.rdb == nil {
				continue
			}
			err := redisconn.EachServer(ctx, r.rdb, func(ctx context.Context, address string, c *goredis.Client) error {
				return look(ctx, server{role: r.role, address: address, client: c})
			})
			if err != nil {
				return fmt.Errorf("%s redis: %w", r.role, err)
			}
		}
		return nil
	})
}

// refusal is a server's answer that it does not do what was asked: managed services forbid commands, and users may lack
// rights. It returns what to say about it, or the error when it is none of that.
func refusal(command string, err error) (string, error) {
	var reply goredis.Error
	switch {
	case err == nil || errors.Is(err, goredis.Nil):
		return "", nil
	case errors.As(err, &reply):
		return "the server refuses " + command + ": " + firstWord(err), nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "", err
	}
	return "", redisconn.ErrUnavailable // the client's own words name addresses
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

// keyGroup names the family of a key: what it is for, never whose it is. Nothing of the names of others' keys is repeated.
func keyGroup(key string) string {
	if m := ourKey.FindStringSubmatch(key); m != nil {
		slot := "*"
		if queue.KnownLane(m[2]) {
			slot = m[2]
		}
		group := m[1] + ":{" + slot + "}"
		if slices.Contains(ourParts, m[3]) {
			group += ":" + m[3]
		}
		return group
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

// bytesText is a size for people.
func bytesText(n int64) string {
	const step = 1024
	switch {
	case n < 10*step:
		return fmt.Sprintf("%d B", n)
	case n < 10*step*step:
		return fmt.Sprintf("%d KiB", n/step)
	case n < 10*step*step*step:
		return fmt.Sprintf("%d MiB", n/step/step)
	}
	return fmt.Sprintf("%d GiB", n/step/step/step)
}

// writePlace begins the part about one server.
func writePlace(w io.Writer, p place) { _, _ = fmt.Fprintf(w, "%s redis, %s\n", p.Role, p.Server) }

// writeAdvice says what an answer means and what to do.
func writeAdvice(w io.Writer, advice []string) {
	for _, a := range advice {
		_, _ = fmt.Fprintf(w, "  %s\n", a)
	}
	_, _ = fmt.Fprintln(w)
}
