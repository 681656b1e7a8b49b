package config

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/workflow-bolt/rounds/internal/secret"
)

// Redis has the URLs of the two roles. They are secrets because they may hold a password.
type Redis struct {
	Queue secret.Value // keys of asynq and flow control; needs noeviction and an append-only file
	Cache secret.Value // documents, views and events, all of which can be rebuilt
}

const redisFix = "set it like rediss://HOST:6379/0, redis+sentinel://HOST,HOST/MASTER?tls=true or redis+cluster://HOST,HOST?tls=true"

// redis returns both URLs. The roles may share a server in dev only: one eviction policy cannot
// suit both.
func (l *loader) redis() Redis {
	queue := l.redisServers("ROUNDS_QUEUE_REDIS", l.vars.QueueRedis)
	cache := l.redisServers("ROUNDS_CACHE_REDIS", l.vars.CacheRedis)
	shared := func(server string) bool { return slices.Contains(queue, server) }
	if l.mode == Production && slices.ContainsFunc(cache, shared) {
		l.problems.add("ROUNDS_CACHE_REDIS", "names the same server as ROUNDS_QUEUE_REDIS",
			"use a second server: the queue must never evict, and the cache must never fill the queue's memory")
	}
	return Redis{Queue: secret.Value(l.vars.QueueRedis), Cache: secret.Value(l.vars.CacheRedis)}
}

// redisServers returns the servers that the URL names, as strings that are equal for equal servers,
// or nil after adding a problem. It compares names only: the check at start finds two names of one
// server, because it compares run ids.
func (l *loader) redisServers(name, value string) []string {
	if value == "" {
		l.problems.add(name, "is not set", redisFix)
		return nil
	}
	u, hosts, err := parseRedis(value)
	if err != nil {
		l.problems.add(name, "is not a URL", redisFix)
		return nil
	}
	private, port := false, "6379" // private: encrypted, or local to the machine
	switch u.Scheme {
	case "unix":
		if u.Path == "" {
			l.problems.add(name, "names no socket", "set it like unix:///run/redis.sock?db=0")
			return nil
		}
		return []string{u.Path}
	case "redis":
	case "rediss":
		private = true
	case "redis+sentinel":
		private, port = u.Query().Get("tls") == "true", "26379"
	case "redis+cluster":
		private = u.Query().Get("tls") == "true"
	default:
		l.problems.add(name, "has a scheme that is not Redis", redisFix)
		return nil
	}
	if slices.Contains(hosts, "") {
		l.problems.add(name, "names no host", redisFix)
		return nil
	}
	if l.mode == Production && !private {
		l.problems.add(name, "is not encrypted", "use rediss:// or ?tls=true, or ROUNDS_ENV=dev on your own machine")
	}
	for i, h := range hosts {
		if _, _, err := net.SplitHostPort(h); err != nil {
			h = net.JoinHostPort(strings.Trim(h, "[]"), port)
		}
		hosts[i] = strings.ToLower(h) + master(u)
	}
	return hosts
}

// parseRedis parses a URL whose host may be a list. The returned URL has the first host, because
// net/url does not accept lists.
func parseRedis(value string) (*url.URL, []string, error) {
	scheme, rest, _ := strings.Cut(value, "://")
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	list := authority[strings.LastIndexByte(authority, '@')+1:]
	hosts := strings.Split(list, ",")
	u, err := url.Parse(scheme + "://" + strings.TrimSuffix(authority, list) + hosts[0] + tail)
	return u, hosts, err
}

// master returns "/" and the master's name for a Sentinel URL, and "" for others. The name is part
// of the address, because one set of Sentinels may watch several masters.
func master(u *url.URL) string {
	if u.Scheme != "redis+sentinel" {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return "/" + name
}

const ledgerFix = "set it like postgres://HOST/DATABASE, or sqlite:FILE with ROUNDS_ENV=dev"

// ledger returns the ledger's URL. There is no default: a ledger that an operator did not choose is
// not backed up.
func (l *loader) ledger() secret.Value {
	const name = "ROUNDS_LEDGER"
	value := l.vars.Ledger
	scheme, rest, _ := strings.Cut(value, ":")
	switch {
	case value == "":
		l.problems.add(name, "is not set", ledgerFix)
	case scheme == "sqlite" && rest == "":
		l.problems.add(name, "names no file", ledgerFix)
	case scheme == "sqlite" && l.mode == Production:
		l.problems.add(name, "is SQLite, which serves one host only", "use postgres://HOST/DATABASE, or ROUNDS_ENV=dev")
	case scheme == "sqlite":
	case scheme == "postgres" || scheme == "postgresql":
		if u, err := url.Parse(value); err != nil || !strings.HasPrefix(rest, "//") || u.Opaque != "" {
			l.problems.add(name, "is not a PostgreSQL URL", ledgerFix)
		}
	default:
		l.problems.add(name, "is neither postgres:// nor sqlite:", ledgerFix)
	}
	return secret.Value(value)
}

// maxKeyset is far above the size of any keyset: a century of monthly rotation stays below it.
const maxKeyset = 1 << 20

// keyset returns the contents of the file with the encryption keys.
func (l *loader) keyset() secret.Value {
	const name = "ROUNDS_KEYS"
	if l.vars.Keys == "" {
		l.problems.add(name, "is not set", "set it to the path of a Tink keyset file")
		return ""
	}
	data, wrong, fix := readFile(l.vars.Keys, maxKeyset, l.mode == Production)
	if wrong == "" && strings.TrimSpace(data) == "" {
		wrong, fix = "names an empty file", "write a Tink keyset into it"
	}
	if wrong != "" {
		l.problems.add(name, wrong, fix)
		return ""
	}
	return secret.Value(data)
}
