package practice

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// roundTrips records the keys that each round trip of a Redis client reads with GET.
type roundTrips struct {
	mu   sync.Mutex
	keys [][]string
}

func (r *roundTrips) record(cmds ...redis.Cmder) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []string
	for _, cmd := range cmds {
		if args := cmd.Args(); len(args) > 1 && args[0] == "get" {
			key, _ := args[1].(string)
			keys = append(keys, key)
		}
	}
	r.keys = append(r.keys, keys)
}

func (r *roundTrips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *roundTrips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		r.record(cmd)
		return next(ctx, cmd)
	}
}

func (r *roundTrips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		r.record(cmds...)
		return next(ctx, cmds)
	}
}

// Why a view is stale is read together with the view, so that it costs no round trip and cannot
// fail by itself.
func TestReasonIsReadWithTheView(t *testing.T) {
	t.Parallel()
	onEachView(t, func(t *testing.T, v *lostView) {
		if err := v.store.SetIdentity(t.Context(), clinic, "7", Identity{Code: codes.PracticeDenied}, v.begin(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := v.store.Invalidate(t.Context(), clinic, Record{Noun: NounPractice, Practice: "7"}, ""); err != nil {
			t.Fatal(err)
		}
		var trips roundTrips
		v.rdb.AddHook(&trips)
		if _, fresh, err := v.read(t.Context(), v.store); err != nil || !fresh.Stale || fresh.Reason != codes.PracticeDenied {
			t.Errorf("%+v, %v", fresh, err)
		}
		view, identity := entryKey(v.key(v.store.scope(clinic, "7"))), entryKey(v.store.identityKey(clinic, "7"))
		found := 0
		for _, keys := range trips.keys {
			if slices.Contains(keys, identity) {
				found++
				if !slices.Contains(keys, view) {
					t.Error("the reason takes a round trip of its own")
				}
			}
		}
		if found != 1 {
			t.Errorf("the reason is read %d times", found)
		}
	})
}
