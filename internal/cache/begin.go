package cache

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

//go:embed lua/begin.lua
var beginLua string

var beginScript = redis.NewScript(preludeLua + beginLua)

// Begin draws a stamp from the tenant's clock for a load that begins now and fills many entries, as
// one list call does. The grant has no lease, so it does not keep other callers from loading the
// same entries. Fills under it are refused for entries that were invalidated, or filled under a
// later grant, after it was drawn.
func (c *Cache) Begin(ctx context.Context, id tenant.ID) (Grant, error) {
	if _, err := tenant.Parse(string(id)); err != nil {
		return Grant{}, fmt.Errorf("cache: %w", err)
	}
	out, err := beginScript.Run(ctx, c.rdb, []string{metaKey(id)}, random(8)).Slice()
	if err != nil {
		return Grant{}, failed("begin", err)
	}
	if len(out) != 2 {
		return Grant{}, errReply
	}
	stamp, _ := out[0].(string)
	epoch, _ := out[1].(string)
	return parseGrant(stamp, epoch, "")
}
