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

// Finding is a property of a Redis server that an operator should know.
type Finding struct {
	// Code is stable: version, policy, persistence, replication, shared, unknown.
	Code string
	// Text describes the problem and the fix. It holds no address.
	Text string
	// Fatal findings keep a process from starting.
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

// Check reads INFO from each master behind rdb and compares it with what the role needs: Redis 6.2
// or newer and no allkeys-* policy for both roles; no volatile-* policy and an append-only file for
// the queue; a replication ID for the cache. What is missing of the last two is fatal in production
// only. Check never sends CONFIG,
// which managed services refuse. An embedded server reports none of this and should not be checked.
func Check(ctx context.Context, rdb redis.UniversalClient, role Role, production bool) ([]Finding, error) {
	infos, err := readInfo(ctx, rdb)
	if err != nil {
		return nil, fmt.Errorf("check %s redis: %w", role, Clean(err))
	}
	var out []Finding
	seen := map[string]bool{}
	for _, info := range infos {
		for _, f := range classify(info, role, production) {
			if !seen[f.Code] {
				seen[f.Code] = true
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// classify returns the findings about one server.
func classify(info map[string]string, role Role, production bool) []Finding {
	var out []Finding
	version := info["redis_version"]
	switch {
	case version == "":
		out = append(out, Finding{
			Code: "unknown", Fatal: production,
			Text: "the server does not report its version, policy and persistence",
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
	if role == RoleCache && info["master_replid"] == "" {
		out = append(out, Finding{
			Code: "replication", Fatal: production,
			Text: "no replication ID: the cache would not notice that a replica became the primary",
		})
	}
	return out
}

// CheckShared reports a queue and a cache on one server, where the cache can use up the queue's
// memory. This is fatal in production.
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

var infoSections = []string{"server", "memory", "persistence", "replication"}

// readInfo returns the fields of INFO of every master. The map of a server that refuses the
// sections, as embedded ones do, is empty.
func readInfo(ctx context.Context, rdb redis.UniversalClient) ([]map[string]string, error) {
	var out []map[string]string
	if _, ok := rdb.(*redis.ClusterClient); !ok {
		info, err := Info(ctx, rdb, infoSections...)
		return append(out, info), err
	}
	err := EachServer(ctx, rdb, func(ctx context.Context, _ string, c *redis.Client) error {
		info, err := Info(ctx, c, infoSections...)
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
