package redisconn

import (
	"context"
	"net"

	"github.com/redis/go-redis/v9"
)

// dialError is a failure to connect, whatever its cause is: a server that refuses, a certificate
// that is not trusted, or sentinels that know no primary.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// dialErrors is a hook that makes failures to connect recognizable. The client's own errors for
// them have no common type.
type dialErrors struct{}

func (dialErrors) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := next(ctx, network, addr)
		if err != nil {
			return nil, &dialError{err}
		}
		return c, nil
	}
}

func (dialErrors) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (dialErrors) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// markDials adds the hook to a client, and for a cluster to those of its nodes.
func markDials(c redis.UniversalClient) redis.UniversalClient {
	switch c := c.(type) {
	case *redis.ClusterClient:
		c.OnNewNode(func(node *redis.Client) { node.AddHook(dialErrors{}) })
	case *redis.Client:
		c.AddHook(dialErrors{})
	}
	return c
}
