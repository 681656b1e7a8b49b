package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
)

func newRedis(e *env) *cobra.Command {
	return e.group("redis", "Inspect the Redis servers without changing them",
		newRedisHealth(e), newRedisLatency(e), newRedisMemory(e), newRedisSlowlog(e), newRedisClients(e))
}

// The values of --role, and the stores that each needs.
var (
	roleNames = []string{"queue", "cache", "both"}
	roleNeeds = map[string]config.Need{
		"queue": config.NeedQueue, "cache": config.NeedCache, "both": config.NeedQueue | config.NeedCache,
	}
)

// serversDoc is the result of the redis commands.
type serversDoc[T any] struct {
	OK      *bool `json:"ok,omitempty"` // no check failed; only in redis health
	Servers []T   `json:"servers"`
}

// inspection turns cmd into a command that inspects every server of the roles in --role, one after
// the other.
func inspection[T any](e *env, cmd *cobra.Command, inspect func(context.Context, diagnose.Server) (T, error), write func(io.Writer, T)) *cobra.Command {
	var role string
	cmd.Args = names()
	cmd.Flags().StringVar(&role, "role", "both", strings.Join(roleNames, ", "))
	oneOf(cmd, "role", roleNames)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		need, ok := roleNeeds[role]
		if !ok {
			return usage("--role must be %s", strings.Join(roleNames, ", "))
		}
		return e.withStores(cmd.Context(), need, func(s *stores) error {
			found, err := diagnose.EachServer(cmd.Context(), s.queue, s.cache, inspect)
			if err != nil {
				return err
			}
			doc := serversDoc[T]{Servers: found, OK: healthy(found)}
			err = e.answer(doc, func(w io.Writer) {
				for _, server := range found {
					write(w, server)
					_, _ = fmt.Fprintln(w)
				}
			})
			if err == nil && doc.OK != nil && !*doc.OK {
				return checkFailed("a check failed")
			}
			return err
		})
	}
	return cmd
}

// healthy reports whether no check failed, or nil if the results are not findings.
func healthy[T any](found []T) *bool {
	all, ok := any(found).([]diagnose.Health)
	if !ok {
		return nil
	}
	well := !slices.ContainsFunc(all, func(h diagnose.Health) bool { return diagnose.Failed(h.Findings) })
	return &well
}

// writePlace writes the heading of one server.
func writePlace(w io.Writer, p diagnose.Place) {
	_, _ = fmt.Fprintf(w, "%s redis, %s\n", p.Role, p.Server)
}

func writeAdvice(w io.Writer, advice []string) {
	for _, a := range advice {
		_, _ = fmt.Fprintf(w, "  %s\n", a)
	}
}

func newRedisHealth(e *env) *cobra.Command {
	return inspection(e, &cobra.Command{
		Use:   "health",
		Short: "Check the health of each Redis server",
		Long: `Check the memory, evictions, connections, disk, replication and latency of each Redis server. The command uses only
INFO, which managed services allow. The exit code is 7 if a check failed. "rounds doctor" also checks the other
dependencies.`,
		Example: "  rounds redis health\n  rounds redis health --role cache --json",
	}, func(ctx context.Context, s diagnose.Server) (diagnose.Health, error) { return s.Health(ctx) }, writeHealth)
}

func writeHealth(w io.Writer, h diagnose.Health) {
	writePlace(w, h.Place)
	limit := "no limit"
	if h.MaxBytes > 0 {
		limit = "of " + diagnose.Bytes(h.MaxBytes)
	}
	_, _ = fmt.Fprintf(w, "  version %s, up %s, %s with %d replicas, %d clients, %s (%s), %s, %d commands per second, replies in %s\n",
		h.Version, time.Duration(h.Uptime)*time.Second, h.Replication, h.Replicas, h.Clients, diagnose.Bytes(h.UsedBytes), limit, h.Policy,
		h.OpsPerSecond, micros(h.AnswerMicros))
	writeFindings(w, h.Findings)
}

func micros(n int64) string { return (time.Duration(n) * time.Microsecond).String() }

func newRedisLatency(e *env) *cobra.Command {
	var pings int
	cmd := inspection(e, &cobra.Command{
		Use:   "latency",
		Short: "Measure the latency of each Redis server",
		Long: `Measure the latency of each Redis server from this host (PING), and show the server's own statistics: the commands with
the most total time (INFO commandstats) and latency spikes (LATENCY LATEST). If PING is slow but the server's figures
are not, the network is the cause.`,
		Example: "  rounds redis latency --pings 200 --role queue",
		PreRunE: within("--pings", &pings, 1000),
	}, func(ctx context.Context, s diagnose.Server) (diagnose.Latency, error) { return s.Latency(ctx, pings) }, writeLatency)
	cmd.Flags().IntVar(&pings, "pings", 50, "number of PINGs to each server")
	return cmd
}

func writeLatency(w io.Writer, l diagnose.Latency) {
	writePlace(w, l.Place)
	_, _ = fmt.Fprintf(w, "  %d replies: min %s, median %s, p99 %s, max %s\n", l.Pings, micros(l.Min), micros(l.Median), micros(l.P99), micros(l.Max))
	table(w, []string{"  COMMAND", "CALLS", "TOTAL", "MEAN"}, l.Commands, func(c diagnose.CommandStats) []string {
		return []string{"  " + c.Command, fmt.Sprint(c.Calls), micros(c.Micros), fmt.Sprintf("%.1fµs", c.Mean)}
	})
	for _, e := range l.Events {
		_, _ = fmt.Fprintf(w, "  event %s at %s: %d ms, max %d ms\n", e.Event, e.At.Format(time.RFC3339), e.Latest, e.Max)
	}
	writeAdvice(w, l.Advice)
}

func newRedisMemory(e *env) *cobra.Command {
	var sample int
	cmd := inspection(e, &cobra.Command{
		Use:   "memory",
		Short: "Show what uses the memory of each Redis server",
		Long: `Show what uses the memory of each Redis server, by key family: the purpose of the keys, never their owner. The command
samples keys (SCAN) and measures them (MEMORY USAGE) in small steps that do not block other clients, and extrapolates
to all keys. In a family, {*} stands for a tenant.`,
		Example: "  rounds redis memory --role cache --sample 20000",
		PreRunE: within("--sample", &sample, 100_000),
	}, func(ctx context.Context, s diagnose.Server) (diagnose.Memory, error) {
		p := e.progress("measuring keys of the " + s.Role())
		defer p.end()
		return s.Memory(ctx, sample, p.at)
	}, writeMemory)
	cmd.Flags().IntVar(&sample, "sample", 2000, "maximum number of keys to measure on each server")
	return cmd
}

func writeMemory(w io.Writer, m diagnose.Memory) {
	writePlace(w, m.Place)
	_, _ = fmt.Fprintf(w, "  %s used (peak %s), %s data, %s overhead; %d keys, %d sampled\n",
		diagnose.Bytes(m.Used), diagnose.Bytes(m.Peak), diagnose.Bytes(m.Dataset), diagnose.Bytes(m.Overhead), m.Keys, m.Sampled)
	table(w, []string{"  FAMILY", "KEYS", "BYTES", "MEAN", "MAX"}, m.Families, func(f diagnose.Family) []string {
		return []string{"  " + f.Family, fmt.Sprint(f.Keys), diagnose.Bytes(f.Bytes), diagnose.Bytes(f.Mean), diagnose.Bytes(f.Max)}
	})
	writeAdvice(w, m.Advice)
}

func newRedisSlowlog(e *env) *cobra.Command {
	var limit int
	cmd := inspection(e, &cobra.Command{
		Use:   "slowlog",
		Short: "List the slow commands of each Redis server",
		Long: `List the slow commands that each Redis server recorded (SLOWLOG GET): time, duration, command and key family. Arguments
and key names are not shown, only their number and size.`,
		Example: "  rounds redis slowlog --limit 50 --json",
		PreRunE: within("--limit", &limit, 128), // what a server keeps by default
	}, func(ctx context.Context, s diagnose.Server) (diagnose.Slowlog, error) { return s.Slowlog(ctx, limit) }, writeSlowlog)
	cmd.Flags().IntVar(&limit, "limit", 20, "maximum number for each server, the latest first")
	return cmd
}

func writeSlowlog(w io.Writer, l diagnose.Slowlog) {
	writePlace(w, l.Place)
	table(w, []string{"  AT", "TOOK", "COMMAND", "FAMILY", "ARGUMENTS", "BYTES"}, l.Entries, func(c diagnose.SlowCommand) []string {
		return []string{"  " + c.At.Format(time.RFC3339), micros(c.Micros), c.Command, c.Family, fmt.Sprint(c.Arguments), diagnose.Bytes(int64(c.Bytes))}
	})
	writeAdvice(w, l.Advice)
}

func newRedisClients(e *env) *cobra.Command {
	return inspection(e, &cobra.Command{
		Use:   "clients",
		Short: "List the clients of each Redis server",
		Long: `List the clients of each Redis server by user, host and name (CLIENT LIST), with the number and age of their connections
and their last commands.`,
		Example: "  rounds redis clients --role queue --json",
	}, func(ctx context.Context, s diagnose.Server) (diagnose.Clients, error) { return s.Clients(ctx) }, writeClients)
}

func writeClients(w io.Writer, c diagnose.Clients) {
	writePlace(w, c.Place)
	_, _ = fmt.Fprintf(w, "  %d connections\n", c.Connections)
	seconds := func(n int64) string { return (time.Duration(n) * time.Second).String() }
	table(w, []string{"  USER", "HOST", "NAME", "CONNECTIONS", "OLDEST", "IDLE", "BUFFERS", "LAST COMMANDS"}, c.Clients, func(g diagnose.ClientGroup) []string {
		return []string{
			"  " + cmp.Or(g.User, unknown), g.Host, g.Name, fmt.Sprint(g.Connections), seconds(g.Oldest), seconds(g.Idle),
			diagnose.Bytes(g.Buffers), strings.Join(g.Commands[:min(len(g.Commands), 6)], " "),
		}
	})
	writeAdvice(w, c.Advice)
}
