package cache

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

//go:embed lua/prelude.lua
var preludeLua string

//go:embed lua/read.lua
var readLua string

//go:embed lua/fill.lua
var fillLua string

//go:embed lua/invalidate.lua
var invalidateLua string

//go:embed lua/release.lua
var releaseLua string

//go:embed lua/sweep.lua
var sweepLua string

//go:embed lua/versions.lua
var versionsLua string

var (
	readScript       = redis.NewScript(preludeLua + readLua)
	fillScript       = redis.NewScript(preludeLua + fillLua)
	invalidateScript = redis.NewScript(preludeLua + invalidateLua)
	releaseScript    = redis.NewScript(releaseLua)
	sweepScript      = redis.NewScript(preludeLua + sweepLua)
	versionsScript   = redis.NewScript(preludeLua + versionsLua)
)

var errReply = errors.New("cache: unexpected reply of a script")

// scriptCall is one execution of a script.
type scriptCall struct {
	keys []string
	args []any
}

// runMany runs one script several times in one round trip. If the server does not have the script
// yet, a second round trip sends it with its first call.
func (c *Cache) runMany(ctx context.Context, s *redis.Script, calls []scriptCall) ([]*redis.Cmd, error) {
	if len(calls) == 1 {
		cmd := s.Run(ctx, c.rdb, calls[0].keys, calls[0].args...)
		return []*redis.Cmd{cmd}, cmd.Err()
	}
	cmds := make([]*redis.Cmd, len(calls))
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, sc := range calls {
			cmds[i] = s.EvalSha(ctx, p, sc.keys, sc.args...)
		}
		return nil
	})
	if !isNoScript(err) {
		return cmds, err
	}
	_, err = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		first := true
		for i, sc := range calls {
			switch {
			case !isNoScript(cmds[i].Err()):
			case first:
				cmds[i], first = s.Eval(ctx, p, sc.keys, sc.args...), false
			default:
				cmds[i] = s.EvalSha(ctx, p, sc.keys, sc.args...)
			}
		}
		return nil
	})
	return cmds, err
}

// failed returns an error of Redis as that of the operation, and as an outage of the cache if it
// means that.
func failed(operation string, err error) error {
	return fmt.Errorf("%s: %w", operation, redisconn.Outage(outage.Cache, err))
}

func isNoScript(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") }

// random returns n random bytes for a token or an epoch.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return string(b)
}
