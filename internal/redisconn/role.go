package redisconn

// Role is what a Redis is used for. The zero value is RoleQueue, the stricter.
type Role int

const (
	// RoleQueue is asynq's Redis, with flow's keys: it must not lose a key.
	RoleQueue Role = iota
	// RoleCache may lose any key at any time.
	RoleCache
)

// String returns "queue" or "cache".
func (r Role) String() string {
	if r == RoleCache {
		return "cache"
	}
	return "queue"
}
