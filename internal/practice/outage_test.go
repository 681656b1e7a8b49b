package practice

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// fullCache is a hook that lets writes of a view and of read marks fail as in a full server.
type fullCache struct{}

type oom struct{}

func (oom) Error() string { return "OOM command not allowed when used memory > 'maxmemory'." }
func (oom) RedisError()   {}

func (fullCache) DialHook(next redis.DialHook) redis.DialHook { return next }

func (fullCache) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		cmd.SetErr(oom{})
		return oom{}
	}
}

func (fullCache) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// A process notices an outage of the cache when a read meets it, also if the view can be built.
func TestReadsReportOutages(t *testing.T) {
	t.Parallel()
	onEachView(t, func(t *testing.T, v *lostView) {
		var met []codes.Code
		over := func(rdb *redis.Client) *Store {
			t.Cleanup(func() { _ = rdb.Close() })
			o := v.options
			o.Redis = rdb
			c, err := cache.New(o)
			if err != nil {
				t.Fatal(err)
			}
			s := NewStore(c, v.keys)
			s.DoubtedBy(func(tenant.ID) codes.Code {
				if len(met) > 0 {
					return met[0]
				}
				return ""
			}, func(_ context.Context, code codes.Code) { met = append(met, code) })
			return s
		}
		late, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		if _, _, err := v.read(late, over(redis.NewClient(v.rdb.Options()))); err == nil || len(met) > 0 {
			t.Errorf("a caller without time: %v, %v", err, met)
		}
		if _, _, err := v.read(t.Context(), over(redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}))); err == nil || !slices.Contains(met, codes.CacheUnavailable) {
			t.Errorf("without a server: %v, %v", err, met)
		}
		met = nil
		rdb := redis.NewClient(v.rdb.Options())
		rdb.AddHook(fullCache{})
		_, fresh, err := v.read(t.Context(), over(rdb))
		if err != nil || !slices.Contains(met, codes.CacheFull) || !fresh.Stale || fresh.Reason != codes.CacheFull {
			t.Errorf("with a full server: %+v, %v, %v", fresh, err, met)
		}
	})
}
