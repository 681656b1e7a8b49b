package diagnose

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/secret"
)

func checkQueueRedis(ctx context.Context, d *deployment) []Finding {
	return d.checkRedis(ctx, d.queue, redisconn.RoleQueue, d.config.Redis.Queue)
}

func checkCacheRedis(ctx context.Context, d *deployment) []Finding {
	return d.checkRedis(ctx, d.cache, redisconn.RoleCache, d.config.Redis.Cache)
}

// redisMeaning explains why each property matters, by role. The empty property is the server
// itself.
var redisMeaning = map[redisconn.Role]map[string]string{
	redisconn.RoleQueue: {
		"":            "without it no task can be enqueued, and workers wait",
		"policy":      "a queue that evicts keys loses accepted tasks",
		"persistence": "without an append-only file, a restart loses waiting tasks",
		"scripts":     "the queue and the vendor's budget run as scripts",
	},
	redisconn.RoleCache: {
		"":            "without it no board can be read",
		"policy":      "evicting keys that have no expiry makes the cache incoherent",
		"persistence": "the cache can be rebuilt and needs no persistence",
		"scripts":     "cache misses, fills and invalidations run as scripts",
	},
}

var redisFix = map[string]string{
	"version":     "use Redis 6.2 or newer, or Valkey",
	"policy":      "set maxmemory-policy noeviction",
	"persistence": "set appendonly yes",
	"replication": "use a server whose INFO has master_replid",
	"unknown":     "use a server that answers INFO",
	"shared":      "give the cache its own server",
	"scripts":     "allow EVAL and EVALSHA for the user in the URL",
}

// checkRedis checks that the server of one role answers, its eviction policy, its persistence and
// its scripts.
func (d *deployment) checkRedis(ctx context.Context, rdb redis.UniversalClient, role redisconn.Role, address secret.Value) []Finding {
	name, variable := role.String()+"-redis", "ROUNDS_"+strings.ToUpper(role.String())+"_REDIS"
	aspects := []string{"policy", "persistence", "scripts"}
	if rdb == nil {
		return skipAll(name, append([]string{""}, aspects...), variable+" is not usable")
	}
	begun := time.Now()
	notes, err := redisconn.Check(ctx, rdb, role, d.config.Mode == config.Production)
	if err != nil {
		return append([]Finding{{
			Check: name, Grade: Fail, Evidence: unreached(ctx, address.Reveal(), err), Means: redisMeaning[role][""],
			Fix: "start the server, or correct " + variable + " and its password, and check that this host can reach it",
		}}, skipAll(name, aspects, name+" does not answer")...)
	}
	took := time.Since(begun)
	info, _ := redisconn.Info(ctx, rdb, "server", "memory", "persistence") // for the evidence only; redisconn.Check decides the grade
	seen := map[string]string{
		"":            fmt.Sprintf("version %s answered in %s", cmp.Or(info["redis_version"], unknown), took.Round(10*time.Microsecond)),
		"policy":      "maxmemory-policy " + cmp.Or(info["maxmemory_policy"], unknown),
		"persistence": "appendonly " + map[string]string{"0": "no", "1": "yes", "": unknown}[info["aof_enabled"]],
	}
	found := make([]Finding, 0, 4)
	for _, aspect := range []string{"", "policy", "persistence"} {
		found = append(found, gradeAspect(Finding{
			Check: joinName(name, aspect), Grade: OK, Evidence: seen[aspect], Means: redisMeaning[role][aspect],
		}, aspect, notes))
	}
	return append(found, checkScripts(ctx, rdb, joinName(name, "scripts"), redisMeaning[role]["scripts"]))
}

// unreached explains why Redis does not answer. The client's errors are terse on purpose, because
// they may end up in tasks and logs. An operator needs the reason, so unreached connects to the
// server of a plain URL once more, without a password.
func unreached(ctx context.Context, rawURL string, err error) string {
	u, parseErr := url.Parse(rawURL)
	if parseErr != nil || u.Scheme != "redis" && u.Scheme != "rediss" {
		return err.Error()
	}
	addr := u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), "6379")
	}
	conn, dialErr := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if dialErr != nil {
		return fmt.Sprintf("no connection to %s: %s", addr, dialReason(dialErr))
	}
	_ = conn.Close()
	return fmt.Sprintf("%s accepts connections, but: %s", addr, err)
}

// gradeAspect downgrades a finding if redisconn.Check found a problem with its aspect. A server
// that does not report its configuration downgrades every aspect.
func gradeAspect(f Finding, aspect string, notes []redisconn.Finding) Finding {
	for _, n := range notes {
		general := aspect == "" && (n.Code == "version" || n.Code == "replication")
		if n.Code != aspect && n.Code != "unknown" && !general {
			continue
		}
		f.Grade, f.Means, f.Fix = Warn, n.Text, redisFix[n.Code]
		if n.Fatal {
			f.Grade = Fail
		}
	}
	return f
}

// checkScripts loads a script and runs it by its digest, as the product does. Like the product's
// scripts, it reads the server's time.
func checkScripts(ctx context.Context, rdb redis.UniversalClient, check, means string) Finding {
	f := Finding{Check: check, Grade: OK, Evidence: "a script was loaded and run by its digest", Means: means}
	sha, err := rdb.ScriptLoad(ctx, "return redis.call('TIME')[1]").Result()
	if err == nil {
		err = rdb.EvalSha(ctx, sha, []string{"rounds:doctor"}).Err()
	}
	if err != nil {
		f.Grade, f.Evidence, f.Fix = Fail, "no script runs: "+redisconn.Clean(err).Error(), redisFix["scripts"]
	}
	return f
}

func checkSeparation(ctx context.Context, d *deployment) []Finding {
	const name = "redis-separation"
	if d.queue == nil || d.cache == nil {
		return []Finding{skipped(name, "a Redis URL is not usable")}
	}
	notes, err := redisconn.CheckShared(ctx, d.queue, d.cache, d.config.Mode == config.Production)
	if err != nil {
		return []Finding{skipped(name, "a Redis does not answer")}
	}
	f := Finding{
		Check: name, Grade: OK, Evidence: "the queue and the cache are two servers",
		Means: "a full cache must not stop the queue",
	}
	if len(notes) > 0 {
		f.Evidence = "the queue and the cache are one server"
	}
	return []Finding{gradeAspect(f, "shared", notes)}
}
