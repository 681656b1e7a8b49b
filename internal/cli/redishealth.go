package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

func newRedisHealth(e *env) *cobra.Command {
	i := &inspection{env: e}
	return i.add(&cobra.Command{
		Use:   "health",
		Short: "Say how each Redis server is, what that means and what to do",
		Long: `Say how each Redis server is: memory against its limit, evictions, connections, disk, replicas, and the answer's
speed. It reads INFO alone, which managed services allow. Exit code 7 says that a check failed; "rounds doctor"
looks at more than Redis.`,
		Example: "  rounds redis health\n  rounds redis health --role cache --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc := healthDoc{OK: true}
			err := i.each(cmd.Context(), doc.look)
			if err != nil {
				return err
			}
			if err := e.answer(doc, doc.write); err != nil {
				return err
			}
			if !doc.OK {
				return &failure{Exit: exitCheck, Code: "CHECK_FAILED", What: "a check failed", cause: errReported}
			}
			return nil
		},
	})
}

// healthDoc is how the servers are.
type healthDoc struct {
	OK      bool           `json:"ok"` // no check failed
	Servers []serverHealth `json:"servers"`
}

// serverHealth is how one server is.
type serverHealth struct {
	place
	Version      string    `json:"version"`
	Uptime       int64     `json:"uptime_seconds"`
	Replication  string    `json:"replication"` // master or slave, as Redis calls it
	Replicas     int64     `json:"replicas"`
	Clients      int64     `json:"clients"`
	UsedBytes    int64     `json:"used_bytes"`
	MaxBytes     int64     `json:"max_bytes"` // 0: no limit
	Policy       string    `json:"policy"`
	OpsPerSecond int64     `json:"ops_per_second"`
	Evicted      int64     `json:"evicted_keys"`
	HitRatio     *float64  `json:"hit_ratio,omitempty"` // of reads by key, when there were any
	AnswerMicros int64     `json:"answer_us"`
	Findings     []finding `json:"findings"`
}

func (d *healthDoc) look(ctx context.Context, s server) error {
	if err := s.client.Ping(ctx).Err(); err != nil { // so that connecting does not count as travel
		return unavailable(err)
	}
	begun := time.Now()
	info, err := redisconn.Info(ctx, s.client, infoSections...)
	if err != nil {
		return err
	}
	took := time.Since(begun) / time.Duration(len(infoSections))
	number := func(field string) int64 { return infoNumber(info, field) }
	h := serverHealth{
		place: s.place(), Version: known(info["redis_version"]), Uptime: number("uptime_in_seconds"), Replication: known(info["role"]),
		Replicas: number("connected_slaves"), Clients: number("connected_clients"), UsedBytes: number("used_memory"),
		MaxBytes: number("maxmemory"), Policy: known(info["maxmemory_policy"]), OpsPerSecond: number("instantaneous_ops_per_sec"),
		Evicted: number("evicted_keys"), AnswerMicros: took.Microseconds(), Findings: weighLoad(info, s.role),
	}
	if reads := number("keyspace_hits") + number("keyspace_misses"); reads > 0 {
		ratio := float64(number("keyspace_hits")) / float64(reads)
		h.HitRatio = &ratio
	}
	for _, f := range h.Findings {
		d.OK = d.OK && f.Verdict != verdictFail
	}
	d.Servers = append(d.Servers, h)
	return nil
}

// unavailable hides what the client says about addresses.
func unavailable(err error) error {
	said, err := refusal("PING", err)
	if said != "" {
		return fmt.Errorf("%s: %w", said, redisconn.ErrUnavailable)
	}
	return err
}

func (d healthDoc) write(w io.Writer) {
	for _, s := range d.Servers {
		writePlace(w, s.place)
		limit := "no limit"
		if s.MaxBytes > 0 {
			limit = "of " + bytesText(s.MaxBytes)
		}
		_, _ = fmt.Fprintf(w, "  version %s, up %s, %s with %d replicas, %d clients, %s (%s), %s, %d commands a second, answers in %s\n",
			s.Version, time.Duration(s.Uptime)*time.Second, s.Replication, s.Replicas, s.Clients, bytesText(s.UsedBytes), limit, s.Policy,
			s.OpsPerSecond, time.Duration(s.AnswerMicros)*time.Microsecond)
		for _, f := range s.Findings {
			f.write(w)
		}
		_, _ = fmt.Fprintln(w)
	}
}

// infoSections are the sections of INFO that weighLoad reads.
var infoSections = []string{"server", "clients", "memory", "persistence", "stats", "replication"}

func infoNumber(info map[string]string, field string) int64 {
	n, _ := strconv.ParseInt(info[field], 10, 64) // a server that does not say counts as 0
	return n
}

// When a server's load is worth a word.
const (
	memoryWarn   = 0.80
	memoryFail   = 0.95
	clientsWarn  = 0.80
	clientsFail  = 0.95
	fragmented   = 1.5
	fragmentedAt = 100 << 20 // below so many bytes the ratio says nothing
)

// weighLoad judges what INFO says of a server's load. What the server does not say is not judged.
func weighLoad(info map[string]string, role redisconn.Role) []finding {
	name := role.String() + "-redis"
	return []finding{
		weighMemory(info, role, name+"-memory"), weighEvictions(info, role, name+"-evictions"),
		weighClients(info, name+"-clients"), weighDisk(info, role, name+"-disk"), weighReplicas(info, name+"-replicas"),
	}
}

func weighMemory(info map[string]string, role redisconn.Role, check string) finding {
	used, limit := infoNumber(info, "used_memory"), infoNumber(info, "maxmemory")
	f := finding{Check: check, Verdict: verdictOK, Evidence: bytesText(used) + " used, no limit", Means: "at the limit a queue refuses tasks, and a cache evicts or refuses"}
	ratio, _ := strconv.ParseFloat(info["mem_fragmentation_ratio"], 64)
	switch {
	case limit == 0 && info["maxmemory"] != "":
		f.Verdict, f.Fix = verdictWarn, "set maxmemory below what the host has: without it the host kills Redis"
	case limit > 0:
		full := float64(used) / float64(limit)
		f.Evidence = fmt.Sprintf("%s of %s used (%.0f %%)", bytesText(used), bytesText(limit), 100*full)
		if full > memoryWarn && role == redisconn.RoleQueue {
			f.Verdict, f.Fix = verdictWarn, "see rounds queue list for what piles up, or give it more memory"
		}
		if full > memoryFail && role == redisconn.RoleQueue {
			f.Verdict = verdictFail
		}
	}
	if f.Verdict == verdictOK && ratio > fragmented && used > fragmentedAt {
		f.Verdict, f.Evidence = verdictWarn, fmt.Sprintf("%s, and %.1f times that from the system", f.Evidence, ratio)
		f.Fix = "restart the server at a quiet hour, or let it defragment (activedefrag)"
	}
	return f
}

func weighEvictions(info map[string]string, role redisconn.Role, check string) finding {
	n := infoNumber(info, "evicted_keys")
	f := finding{Check: check, Verdict: verdictOK, Evidence: fmt.Sprintf("%d keys evicted since the start", n), Means: "a queue that evicts loses tasks; a cache that evicts asks the vendor more often"}
	switch {
	case n > 0 && role == redisconn.RoleQueue:
		f.Verdict, f.Fix = verdictFail, "set maxmemory-policy noeviction; what was lost is due again at the next tick"
	case n > 0:
		f.Verdict, f.Fix = verdictWarn, "give the cache more memory"
	}
	return f
}

func weighClients(info map[string]string, check string) finding {
	n, limit, rejected := infoNumber(info, "connected_clients"), infoNumber(info, "maxclients"), infoNumber(info, "rejected_connections")
	f := finding{Check: check, Verdict: verdictOK, Evidence: fmt.Sprintf("%d connected", n), Means: "beyond its limit the server refuses connections"}
	if limit > 0 {
		f.Evidence = fmt.Sprintf("%d of %d connected", n, limit)
		switch full := float64(n) / float64(limit); {
		case full > clientsFail:
			f.Verdict = verdictFail
		case full > clientsWarn:
			f.Verdict = verdictWarn
		}
	}
	if rejected > 0 && f.Verdict == verdictOK {
		f.Verdict = verdictWarn
	}
	if f.Verdict != verdictOK {
		f.Evidence += fmt.Sprintf(", %d refused since the start", rejected)
		f.Fix = "see rounds redis clients for who holds them, or raise maxclients"
	}
	return f
}

func weighDisk(info map[string]string, role redisconn.Role, check string) finding {
	f := finding{Check: check, Verdict: verdictOK, Evidence: "the last writes to disk went well", Means: "what is not on disk is lost with the server"}
	if role == redisconn.RoleCache {
		f.Means = "the cache can be rebuilt; a failing disk may still stop its server"
	}
	bad := func(field string) bool { return info[field] != "" && info[field] != "ok" }
	switch {
	case info["loading"] == "1":
		f.Verdict, f.Evidence, f.Fix = verdictWarn, "the server reads its data from disk", "wait: it answers when it is done"
	case bad("aof_last_write_status"), bad("aof_last_bgrewrite_status"):
		f.Verdict, f.Evidence = verdictFail, "the append-only file could not be written"
		f.Fix = "make room on the disk; see the server's log"
	case bad("rdb_last_bgsave_status"):
		f.Verdict, f.Evidence = verdictWarn, "the last snapshot failed"
		f.Fix = "make room on the disk and for the copy in memory; see the server's log"
	}
	return f
}

func weighReplicas(info map[string]string, check string) finding {
	f := finding{Check: check, Verdict: verdictOK, Evidence: fmt.Sprintf("%d replicas", infoNumber(info, "connected_slaves")), Means: "writes go to the master; a replica refuses them"}
	if info["role"] == "slave" {
		f.Verdict, f.Evidence = verdictFail, "this server is a replica"
		f.Fix = "let the URL name the master, or use redis+sentinel:// or redis+cluster://, which follow it"
	}
	return f
}

// lookAtLoad adds to the doctor's report how busy a role's servers are.
func lookAtLoad(ctx context.Context, rdb goredis.UniversalClient, role redisconn.Role) []finding {
	aspects := []string{"memory", "evictions", "clients", "disk", "replicas"}
	if rdb == nil {
		return skipAll(role.String()+"-redis", aspects, "its URL is not usable")
	}
	var out []finding
	err := redisconn.EachServer(ctx, rdb, func(ctx context.Context, _ string, c *goredis.Client) error {
		info, err := redisconn.Info(ctx, c, infoSections...)
		out = worst(out, weighLoad(info, role))
		return err
	})
	if err != nil {
		return skipAll(role.String()+"-redis", aspects, "it does not answer")
	}
	return out
}

// worst keeps of two reports on the same checks what is worse.
func worst(a, b []finding) []finding {
	rank := map[string]int{verdictOK: 0, verdictWarn: 1, verdictFail: 2}
	for i := range a {
		if rank[a[i].Verdict] > rank[b[i].Verdict] {
			b[i] = a[i]
		}
	}
	return b
}
