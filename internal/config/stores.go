package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// Redis says where the two roles are. The URLs are secrets because they may carry a password.
type Redis struct {
	Queue Secret // asynq's keys and flow's: noeviction, append-only file
	Cache Secret // documents, views, events: nothing that cannot be rebuilt
}

// redisSchemes are the URL schemes understood, and whether the connection is encrypted or never leaves the machine.
var redisSchemes = map[string]bool{
	"redis":           false,
	"rediss":          true,
	"redis+sentinel":  false,
	"rediss+sentinel": true,
	"redis+cluster":   false,
	"rediss+cluster":  true,
	"unix":            true,
}

const redisFix = "set it like rediss://HOST:6379/0, or redis+sentinel://, redis+cluster:// and their rediss+ forms"

// redis reads both roles. They may share a server in dev only: one server's eviction policy cannot suit both.
func (l *loader) redis() Redis {
	queue := l.redisURL("ROUNDS_QUEUE_REDIS", l.vars.QueueRedis)
	cache := l.redisURL("ROUNDS_CACHE_REDIS", l.vars.CacheRedis)
	if queue != nil && cache != nil && l.mode == Production && sharesServer(queue, cache) {
		l.problems.add("ROUNDS_CACHE_REDIS", "names the same server as ROUNDS_QUEUE_REDIS",
			"use a second server: the queue must never evict, the cache must never fill the queue's memory")
	}
	return Redis{Queue: Secret(l.vars.QueueRedis), Cache: Secret(l.vars.CacheRedis)}
}

// redisURL returns the parsed address, or nil after adding a problem.
func (l *loader) redisURL(name, value string) *url.URL {
	if value == "" {
		l.problems.add(name, "is not set", redisFix)
		return nil
	}
	u, err := url.Parse(value)
	if err != nil {
		l.problems.add(name, "is not a URL", redisFix)
		return nil
	}
	local, known := redisSchemes[u.Scheme]
	switch {
	case !known:
		l.problems.add(name, "has a scheme that is not Redis", redisFix)
		return nil
	case u.Scheme == "unix" && u.Path == "":
		l.problems.add(name, "names no socket", "set it like unix:///run/redis.sock?db=0")
		return nil
	case u.Scheme != "unix" && u.Hostname() == "":
		l.problems.add(name, "names no host", redisFix)
		return nil
	case l.mode == Production && !local:
		l.problems.add(name, "is not encrypted", "use a rediss scheme, or ROUNDS_ENV=dev on your own machine")
	}
	return u
}

// sharesServer tells whether two addresses have a host (and port) in common. It looks at the text only: two names of one
// server pass here and are found by the check at start, which asks the servers.
func sharesServer(a, b *url.URL) bool {
	in := servers(b)
	return slices.ContainsFunc(servers(a), func(s string) bool { return slices.Contains(in, s) })
}

// servers returns the socket, or every host:port of a list as Sentinel and cluster URLs carry them. For Sentinel the
// path's first element, the master's name, belongs to the address: one set of Sentinels may watch many masters.
func servers(u *url.URL) []string {
	if u.Scheme == "unix" {
		return []string{u.Path}
	}
	var suffix string
	if strings.HasSuffix(u.Scheme, "+sentinel") {
		suffix, _, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		suffix = "/" + suffix
	}
	hosts := strings.Split(u.Host, ",")
	for _, addr := range u.Query()["addr"] {
		hosts = append(hosts, strings.Split(addr, ",")...)
	}
	for i, h := range hosts {
		if _, _, err := net.SplitHostPort(h); err != nil {
			h += ":6379"
		}
		hosts[i] = strings.ToLower(h) + suffix
	}
	return hosts
}

const ledgerFix = "set it like postgres://HOST/DATABASE, or sqlite:FILE with ROUNDS_ENV=dev"

// ledger reads where the ledger is. There is no default: a ledger that nobody chose is one that nobody backs up.
func (l *loader) ledger() Secret {
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
	return Secret(value)
}

// maxKeyset is far above any keyset: rotating monthly for a century stays below it.
const maxKeyset = 1 << 20

// keyset reads the file with the keys that seal everything.
func (l *loader) keyset() Secret {
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
	return Secret(data)
}
