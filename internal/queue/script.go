package queue

import (
	"context"
	"embed"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

//go:embed lua
var sources embed.FS

// laneScript is a script on the keys of one lane.
type laneScript struct{ *redis.Script }

// newScript returns the script lua/name.lua, which uses the functions of lua/demand.lua.
func newScript(name string) laneScript {
	return laneScript{redis.NewScript(source("demand") + source(name))}
}

// source returns the text of a script. The life of a generation has its home in this package.
func source(name string) string {
	text, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic("queue: no script " + name) //nolint:forbidigo // the scripts are part of the program
	}
	return strings.Replace(string(text), "GENERATION_LIFE", strconv.FormatInt(int64(generationLife/time.Second), 10), 1)
}

// on runs the script on a lane. Its first key, pending, and its last two arguments are added here.
func (s laneScript) on(ctx context.Context, rdb redis.Scripter, lane string, keys []string, args ...any) *redis.Cmd {
	return s.Run(ctx, rdb, laneKeys(lane, keys...), laneArgs(lane, args...)...)
}

func laneKeys(lane string, keys ...string) []string {
	return append([]string{asynqKey(lane, suffixPending)}, keys...)
}

func laneArgs(lane string, args ...any) []any {
	return append(slices.Clip(args), asynqKey(lane, ":"), recordPrefix(lane))
}

// recordPrefix precedes a digest in the key of its record. A quarantine lane has no records: those
// of its tasks stay in the lanes that they came from.
func recordPrefix(lane string) string {
	if IsQuarantine(lane) {
		return ""
	}
	return tenant.GlobalKey("q2", lane, "d", "")
}
