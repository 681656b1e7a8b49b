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

// redisMeaning says why each property matters, by role.
var redisMeaning = map[redisconn.Role]map[string]string{
	redisconn.RoleQueue: {
		"":            "without it nothing is enqueued and workers wait",
		"policy":      "a queue that evicts loses tasks that were accepted",
		"persistence": "without an append-only file a restart loses the tasks that wait",
		"scripts":     "every step of the queue and of the vendor's budget is a script",
	},
	redisconn.RoleCache: {
		"":            "without it nothing is read and every board is cold",
		"policy":      "eviction of keys without expiry would break what keeps the cache coherent",
		"persistence": "the cache can be rebuilt and needs none",
		"scripts":     "reads that miss, fills and invalidations are scripts",
	},
}

var redisFix = map[string]string{
	"version":     "use Redis 6.2 or newer, or Valkey",
	"policy":      "set maxmemory-policy noeviction",
	"persistence": "set appendonly yes",
	"unknown":     "use a server that answers INFO",
	"shared":      "give the cache a server of its own",
	"scripts":     "allow EVAL and EVALSHA to the user in the URL",
}

// checkRedis reports on one role: reachable, policy, persistence, scripts.
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
			Fix: "start it, or correct " + variable + " and its password, and see that this host may reach it",
		}}, skipAll(name, aspects, name+" does not answer")...)
	}
	took := time.Since(begun)
	info, _ := redisconn.Info(ctx, rdb, "server", "memory", "persistence") // only shown beside the grade, which is redisconn.Check's
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

// unreached says why a Redis did not answer. The client's errors say little on purpose, because they may end in tasks and
// logs; here somebody is looking for the reason, so the server of a plain URL is tried once more, without a password.
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
	_ = conn.Close() // it was only a knock
	return fmt.Sprintf("%s takes connections, but: %s", addr, err)
}

// gradeAspect lowers a Finding by what redisconn.Check noted about its aspect. What a server does not tell counts against each.
func gradeAspect(f Finding, aspect string, notes []redisconn.Finding) Finding {
	for _, n := range notes {
		if n.Code != aspect && n.Code != "unknown" && (aspect != "" || n.Code != "version") {
			continue
		}
		f.Grade, f.Means, f.Fix = Warn, n.Text, redisFix[n.Code]
		if n.Fatal {
			f.Grade = Fail
		}
	}
	return f
}

// checkScripts loads a script and runs it by its digest, which is how all of ours run; the script asks the server's time,
// as ours do.
func checkScripts(ctx context.Context, rdb redis.UniversalClient, check, means string) Finding {
	f := Finding{Check: check, Grade: OK, Evidence: "a script was loaded and ran by its digest", Means: means}
	sha, err := rdb.ScriptLoad(ctx, "return redis.call('TIME')[1]").Result()
	if err == nil {
		err = rdb.EvalSha(ctx, sha, []string{"rounds:doctor"}).Err()
	}
	if err != nil {
		f.Grade, f.Evidence, f.Fix = Fail, "scripts are refused: "+firstWord(err), redisFix["scripts"]
	}
	return f
}

// firstWord keeps of an error reply its code; the rest may quote what was sent.
func firstWord(err error) string {
	word, _, _ := strings.Cut(err.Error(), " ")
	return strings.TrimRight(word, ":")
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
		Check: name, Grade: OK, Evidence: "queue and cache are two servers",
		Means: "a cache that fills its server must not stop the queue",
	}
	if len(notes) > 0 {
		f.Evidence = "queue and cache are one server"
	}
	return []Finding{gradeAspect(f, "shared", notes)}
}
