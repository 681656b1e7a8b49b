package redisconn

// Role is what a Redis is used for. The zero value is RoleQueue, which has the stricter rules.
type Role int

const (
	// RoleQueue holds the keys of asynq and of flow control, and must not lose one.
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
