package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Options configure a Cache.
type Options struct {
	// Redis is the cache's Redis, required. It must send every command to a primary: a replica
	// makes no entry Fresh, and runs no script.
	Redis redis.UniversalClient
	// Key returns a tenant's data key, required. The result is cached for five minutes.
	Key func(context.Context, tenant.ID) (*phi.DataKey, error)
	// Sealer returns the sealer that makes a tenant's keyed digests, required; (*phi.Keys).For
	// fits.
	Sealer func(tenant string) *phi.Sealer
	// Retain is how long the event log keeps events. Zero means ten minutes.
	Retain time.Duration
}

// Cache is the coherent cache. It is safe for concurrent use, starts no goroutine and needs no
// closing.
type Cache struct {
	rdb     redis.UniversalClient
	cluster bool // rdb sends a command without a key to any node
	codec   *codec
	retain  time.Duration
	classes classes
	hints   hints
	calls   callGroup
}

// New returns a Cache, or an error that names each missing option.
func New(o Options) (*Cache, error) {
	var missing []error
	if o.Redis == nil {
		missing = append(missing, errors.New("redis is required"))
	}
	if o.Key == nil {
		missing = append(missing, errors.New("key is required"))
	}
	if o.Sealer == nil {
		missing = append(missing, errors.New("sealer is required"))
	}
	if o.Retain < 0 {
		missing = append(missing, errors.New("retain is negative"))
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("cache options: %w", errors.Join(missing...))
	}
	v, err := newCodec(o)
	if err != nil {
		return nil, err
	}
	c := &Cache{rdb: o.Redis, codec: v, retain: o.Retain}
	_, c.cluster = o.Redis.(*redis.ClusterClient)
	if c.retain == 0 {
		c.retain = 10 * time.Minute
	}
	return c, nil
}

// LimitError is returned when a caller exceeds what one operation may carry. Retrying does not
// help.
type LimitError struct {
	// What is counted: "tags of an entry", "tags of a change", "last-seen records", "bytes of a
	// value", …
	What string
	// Got and Max are the count and the limit.
	Got, Max int
}

// Error returns the count and the limit that it exceeds.
func (e *LimitError) Error() string {
	return fmt.Sprintf("cache: %d %s, at most %d allowed", e.Got, e.What, e.Max)
}

// ErrorCode returns codes.TooMuchData.
func (e *LimitError) ErrorCode() string { return string(codes.TooMuchData) }

// Permanent reports that a retry would fail in the same way.
func (e *LimitError) Permanent() bool { return true }

func checkLimit(what string, got, maximum int) error {
	if got <= maximum {
		return nil
	}
	return &LimitError{What: what, Got: got, Max: maximum}
}
