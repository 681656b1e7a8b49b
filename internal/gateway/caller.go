package gateway

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"github.com/workflow-bolt/rounds/internal/access"
)

// caller is a key and what it has used of its limits.
type caller struct {
	access.Key
	requests *rate.Limiter
	demands  *rate.Limiter // what is demanded because nothing was known

	mu               sync.Mutex
	running, streams int
}

// maxKey is the longest key in bytes that is worth hashing.
const maxKey = 256

// caller finds who sends a request, or nil. It compares with every key there is, so that the time it takes tells nothing.
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

// acquire takes one of the places that n counts, of which there are limit, or reports that all are taken.
func (c *caller) acquire(n *int, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *n >= limit {
		return false
	}
	*n++
	return true
}

// release gives a place back.
func (c *caller) release(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n--
}

type callerKey struct{}

// callerOf returns who sent the request; the guard has put it there.
func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}
