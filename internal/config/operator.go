package config

import "github.com/workflow-bolt/rounds/internal/secret"

// Need names the stores that an operator's command talks to. Values are added up.
type Need uint8

// The stores.
const (
	NeedQueue Need = 1 << iota
	NeedCache
	NeedLedger
)

// Stores is where an operator's command looks that needs no key: what it did not ask for is empty.
type Stores struct {
	Mode      Mode
	Redis     Redis
	LedgerURL secret.Value
}

// LoadStores reads and checks what the command needs, and nothing else: who looks at a queue has no keyset, and need not.
// The error, if any, is an [*Error] with every problem.
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
