package gateway

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"github.com/workflow-bolt/rounds/internal/access"
)

// caller is an API key with its rate limiters and its counts of requests and streams in progress.
type caller struct {
	access.Key
	requests *rate.Limiter
	demands  *rate.Limiter // demands for views that are not cached

	mu               sync.Mutex
	running, streams int
}

// maxKey bounds an Authorization header in bytes; a longer one is refused without hashing.
const maxKey = 256

// caller returns the caller whose key the request carries, or nil. It compares the key with every
// known one, so that its duration does not depend on which of them matches.
func (g *Gateway) caller(r *http.Request) *caller {
	given := r.Header.Values("Authorization")
	if len(given) != 1 || len(given[0]) > maxKey {
		return nil
	}
	scheme, key, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || key == "" {
		return nil
	}
	digest := access.DigestOf(key)
	var found *caller
	for _, c := range g.callers {
		if c.Matches(digest) {
			found = c
		}
	}
	return found
}

// acquire adds one to n, or returns false if n has reached the limit.
func (c *caller) acquire(n *int, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *n >= limit {
		return false
	}
	*n++
	return true
}

// release undoes one acquire.
func (c *caller) release(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n--
}

type callerKey struct{}

// callerOf returns the caller that the guard stored in the request's context.
func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}
