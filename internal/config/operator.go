package config

import "github.com/workflow-bolt/rounds/internal/secret"

// Need is a set of the stores that an operator's command uses.
type Need uint8

// The stores.
const (
	NeedQueue Need = 1 << iota
	NeedCache
	NeedLedger
)

// Stores is the configuration of an operator's command that needs no key. Stores that the command
// does not need are empty.
type Stores struct {
	Mode      Mode
	Redis     Redis
	LedgerURL secret.Value
}

// LoadKeyset reads the keyset of a command that can do without: "" if ROUNDS_KEYS is not set.
func LoadKeyset(getenv func(string) string) (secret.Value, error) {
	l := newLoader(getenv)
	if l.vars.Keys == "" {
		return "", nil
	}
	keys := l.keyset()
	return keys, l.problems.err()
}

// LoadStores reads and checks only what the command needs: an operator that inspects a queue needs
// no keyset. The error, if any, is an [*Error] with every problem.
func LoadStores(getenv func(string) string, need Need) (Stores, error) {
	l := newLoader(getenv)
	s := Stores{Mode: l.mode}
	if need&NeedQueue != 0 {
		l.redisServers("ROUNDS_QUEUE_REDIS", l.vars.QueueRedis)
		s.Redis.Queue = secret.Value(l.vars.QueueRedis)
	}
	if need&NeedCache != 0 {
		l.redisServers("ROUNDS_CACHE_REDIS", l.vars.CacheRedis)
		s.Redis.Cache = secret.Value(l.vars.CacheRedis)
	}
	if need&NeedLedger != 0 {
		s.LedgerURL = l.ledger()
	}
	return s, l.problems.err()
}
