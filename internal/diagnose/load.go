package diagnose

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// infoSections are the sections of INFO that gradeLoad reads.
var infoSections = []string{"server", "clients", "memory", "persistence", "stats", "replication"}

func infoNumber(info map[string]string, field string) int64 {
	n, _ := strconv.ParseInt(info[field], 10, 64) // a missing field counts as 0
	return n
}

// The limits of a server's load.
const (
	memoryWarn   = 0.80
	memoryFail   = 0.95
	clientsWarn  = 0.80
	clientsFail  = 0.95
	fragmented   = 1.5
	fragmentedAt = 100 << 20 // bytes below which the ratio means nothing
)

// gradeLoad grades a server's load by its INFO. Missing fields count as good.
func gradeLoad(info map[string]string, role redisconn.Role) []Finding {
	name := role.String() + "-redis"
	return []Finding{
		gradeMemory(info, role, name+"-memory"), gradeEvictions(info, role, name+"-evictions"),
		gradeClients(info, name+"-clients"), gradeDisk(info, role, name+"-disk"), gradeReplicas(info, name+"-replicas"),
	}
}

func gradeMemory(info map[string]string, role redisconn.Role, check string) Finding {
	used, limit := infoNumber(info, "used_memory"), infoNumber(info, "maxmemory")
	f := Finding{Check: check, Grade: OK, Evidence: Bytes(used) + " used, no limit", Means: "at its limit a queue refuses tasks, and a cache evicts keys or refuses writes"}
	ratio, _ := strconv.ParseFloat(info["mem_fragmentation_ratio"], 64)
	switch {
	case limit == 0 && info["maxmemory"] != "":
		f.Grade, f.Fix = Warn, "set maxmemory below the host's memory; without a limit the host may kill Redis"
	case limit > 0:
		full := float64(used) / float64(limit)
		f.Evidence = fmt.Sprintf("%s of %s used (%.0f %%)", Bytes(used), Bytes(limit), 100*full)
		if full > memoryWarn && role == redisconn.RoleQueue {
			f.Grade, f.Fix = Warn, "see rounds queue list for the backlog, or give the server more memory"
		}
		if full > memoryFail && role == redisconn.RoleQueue {
			f.Grade = Fail
		}
	}
	if f.Grade == OK && ratio > fragmented && used > fragmentedAt {
		f.Grade, f.Evidence = Warn, fmt.Sprintf("%s, and %.1f times as much taken from the system", f.Evidence, ratio)
		f.Fix = "restart the server at a quiet hour, or enable activedefrag"
	}
	return f
}

func gradeEvictions(info map[string]string, role redisconn.Role, check string) Finding {
	n := infoNumber(info, "evicted_keys")
	f := Finding{Check: check, Grade: OK, Evidence: fmt.Sprintf("evicted keys since the server started: %d", n), Means: "a queue that evicts keys loses tasks; a cache that evicts keys calls the vendor more often"}
	switch {
	case n > 0 && role == redisconn.RoleQueue:
		f.Grade, f.Fix = Fail, "set maxmemory-policy noeviction; lost work is due again at the next tick"
	case n > 0:
		f.Grade, f.Fix = Warn, "give the cache more memory"
	}
	return f
}

func gradeClients(info map[string]string, check string) Finding {
	n, limit, rejected := infoNumber(info, "connected_clients"), infoNumber(info, "maxclients"), infoNumber(info, "rejected_connections")
	f := Finding{Check: check, Grade: OK, Evidence: fmt.Sprintf("%d connected", n), Means: "above its limit the server refuses connections"}
	if limit > 0 {
		f.Evidence = fmt.Sprintf("%d of %d connected", n, limit)
		switch full := float64(n) / float64(limit); {
		case full > clientsFail:
			f.Grade = Fail
		case full > clientsWarn:
			f.Grade = Warn
		}
	}
	if rejected > 0 && f.Grade == OK {
		f.Grade = Warn
	}
	if f.Grade != OK {
		f.Evidence += fmt.Sprintf(", refused since the server started: %d", rejected)
		f.Fix = "see rounds redis clients for the owners of the connections, or raise maxclients"
	}
	return f
}

func gradeDisk(info map[string]string, role redisconn.Role, check string) Finding {
	f := Finding{Check: check, Grade: OK, Evidence: "the last writes to disk succeeded", Means: "data that is not on disk is lost with the server"}
	if role == redisconn.RoleCache {
		f.Means = "the cache can be rebuilt; a failing disk may still stop its server"
	}
	bad := func(field string) bool { return info[field] != "" && info[field] != "ok" }
	switch {
	case info["loading"] == "1":
		f.Grade, f.Evidence, f.Fix = Warn, "the server is loading its data from disk", "wait until it has finished"
	case bad("aof_last_write_status"), bad("aof_last_bgrewrite_status"):
		f.Grade, f.Evidence = Fail, "the append-only file could not be written"
		f.Fix = "free disk space; see the server's log"
	case bad("rdb_last_bgsave_status"):
		f.Grade, f.Evidence = Warn, "the last snapshot failed"
		f.Fix = "free disk space, and memory for the copy; see the server's log"
	}
	return f
}

func gradeReplicas(info map[string]string, check string) Finding {
	f := Finding{Check: check, Grade: OK, Evidence: fmt.Sprintf("replicas: %d", infoNumber(info, "connected_slaves")), Means: "writes go to the master; a replica refuses them"}
	if info["role"] == "slave" {
		f.Grade, f.Evidence = Fail, "this server is a replica"
		f.Fix = "use the master's address, or redis+sentinel:// or redis+cluster://, which follow it"
	}
	return f
}

func checkQueueLoad(ctx context.Context, d *deployment) []Finding {
	return checkLoad(ctx, d.queue, redisconn.RoleQueue)
}

func checkCacheLoad(ctx context.Context, d *deployment) []Finding {
	return checkLoad(ctx, d.cache, redisconn.RoleCache)
}

// checkLoad grades the load of a role's servers.
func checkLoad(ctx context.Context, rdb redis.UniversalClient, role redisconn.Role) []Finding {
	aspects := []string{"memory", "evictions", "clients", "disk", "replicas"}
	if rdb == nil {
		return skipAll(role.String()+"-redis", aspects, "the URL is not usable")
	}
	var out []Finding
	err := redisconn.EachServer(ctx, rdb, func(ctx context.Context, _ string, c *redis.Client) error {
		info, err := redisconn.Info(ctx, c, infoSections...)
		out = worst(out, gradeLoad(info, role))
		return err
	})
	if err != nil {
		return skipAll(role.String()+"-redis", aspects, role.String()+"-redis does not answer")
	}
	return out
}

// worst returns the worse finding of each check in two reports on the same checks.
func worst(a, b []Finding) []Finding {
	rank := map[Grade]int{OK: 0, Warn: 1, Fail: 2}
	for i := range a {
		if rank[a[i].Grade] > rank[b[i].Grade] {
			b[i] = a[i]
		}
	}
	return b
}
