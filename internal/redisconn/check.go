package redisconn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Finding is something about a Redis that an operator should know.
type Finding struct {
	// Code is stable: version, policy, persistence, shared, unknown.
	Code string
	// Text says what is wrong and what to set. It holds no address.
	Text string
	// Fatal findings must keep the process from starting.
	Fatal bool
}

// ErrUnsuitable is returned by Enforce for a server with a fatal finding.
var ErrUnsuitable = errors.New("redis is set up in a way that loses data")

// Enforce logs the findings about one server and returns the fatal ones as errors, joined. The
// component names the server.
func Enforce(ctx context.Context, log *slog.Logger, component string, found []Finding) error {
	var errs []error
	for _, f := range found {
		if f.Fatal {
			errs = append(errs, fmt.Errorf("%s: %w: %s", component, ErrUnsuitable, f.Text))
			continue
		}
		log.WarnContext(ctx, "redis is not set up for production", "component", component, "code", f.Code, "error", errors.New(f.Text))
	}
	return errors.Join(errs...)
}

// Check reads what INFO says of each master behind rdb and compares it with
// what the role needs: Redis 6.2 or newer; no allkeys-* policy anywhere, no
// volatile-* and an append-only file for the queue. A missing file is fatal
// in production only. It never sends CONFIG, which managed services refuse.
// Leave it out for an embedded server, which has nothing of this.
func Check(ctx context.Context, rdb redis.UniversalClient, role Role, production bool) ([]Finding, error) {
	infos, err := readInfo(ctx, rdb)
	if err != nil {
		return nil, fmt.Errorf("check %s redis: %w", role, Clean(err))
	}
	var out []Finding
	seen := map[string]bool{}
	for _, info := range infos {
		for _, f := range judge(info, role, production) {
			if !seen[f.Code] {
				seen[f.Code] = true
				out = append(out, f)
			}
		}
	}
	return out, nil
}

func judge(info map[string]string, role Role, production bool) []Finding {
	var out []Finding
	version := info["redis_version"]
	switch {
	case version == "":
		out = append(out, Finding{
			Code: "unknown", Fatal: production,
			Text: "the server does not tell its version, policy and persistence",
		})
		return out
	case older(version, 6, 2):
		out = append(out, Finding{Code: "version", Fatal: true, Text: "redis 6.2 or newer is needed"})
	}
	policy := info["maxmemory_policy"]
	switch {
	case strings.HasPrefix(policy, "allkeys-"):
		out = append(out, Finding{
			Code: "policy", Fatal: true,
			Text: "maxmemory-policy allkeys-* drops live keys: set noeviction",
		})
	case role == RoleQueue && strings.HasPrefix(policy, "volatile-"):
		out = append(out, Finding{
			Code: "policy", Fatal: true,
			Text: "maxmemory-policy volatile-* drops keys of the queue: set noeviction",
		})
	}
	if role == RoleQueue && info["aof_enabled"] != "1" {
		out = append(out, Finding{
			Code: "persistence", Fatal: production,
			Text: "no append-only file: a restart loses accepted tasks; set appendonly yes",
		})
	}
	return out
}

// CheckShared reports when two roles live on one server, where the cache can
// starve the queue of memory: fatal in production.
func CheckShared(ctx context.Context, queue, cache redis.UniversalClient, production bool) ([]Finding, error) {
	a, err := RunID(ctx, queue)
	if err != nil {
		return nil, err
	}
	b, err := RunID(ctx, cache)
	if err != nil {
		return nil, err
	}
	if a != b || a == embeddedRunID {
		return nil, nil
	}
	return []Finding{{
		Code: "shared", Fatal: production,
		Text: "queue and cache are one server: a full cache stops the queue; use two",
	}}, nil
}

// readInfo returns the fields of INFO of every master. A server that refuses
// the sections, as embedded ones do, gives an empty map.
func readInfo(ctx context.Context, rdb redis.UniversalClient) ([]map[string]string, error) {
	var out []map[string]string
	if _, ok := rdb.(*redis.ClusterClient); !ok {
		info, err := Info(ctx, rdb, "server", "memory", "persistence")
		return append(out, info), err
	}
	err := EachServer(ctx, rdb, func(ctx context.Context, _ string, c *redis.Client) error {
		info, err := Info(ctx, c, "server", "memory", "persistence")
		out = append(out, info)
		return err
	})
	return out, err
}

func older(version string, major, minor int) bool {
	a, rest, _ := strings.Cut(version, ".")
	b, _, _ := strings.Cut(rest, ".")
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	return errX != nil || errY != nil || x < major || x == major && y < minor
}
