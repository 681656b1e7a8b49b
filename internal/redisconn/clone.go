package redisconn

import (
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Clone returns a second client of the same servers, with connections of its own, and the function
// that closes it. A client of an unknown type, such as a test's, is returned itself; closing it is
// then left to its owner.
func Clone(rdb redis.UniversalClient) (clone redis.UniversalClient, closeClone func()) {
	switch c := rdb.(type) {
	case *redis.Client:
		o := *c.Options()
		o.PushNotificationProcessor = nil // belongs to the client it came from
		o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		clone = redis.NewClient(&o)
	case *redis.ClusterClient:
		o := *c.Options()
		clone = redis.NewClusterClient(&o)
	default:
		return rdb, func() {}
	}
	return clone, func() { _ = clone.Close() }
}
