package flow

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// The turns are those of the fleet's exchanges, and reading them changes nothing.
func TestTurns(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		ids := []tenant.ID{"clinic-a", "clinic-b", "clinic-c", "clinic-d"}
		turns := func() []Turn {
			t.Helper()
			got, err := f.Turns(t.Context(), ids...)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := turns(); !slices.Equal(got, make([]Turn, 4)) {
			t.Errorf("before any call: %q", got)
		}
		fleet := &fleet{rdb: rdb, waitLife: time.Hour}
		by := func(id tenant.ID, used time.Duration, waits bool) use {
			return use{share: &share{tenant: id}, used: used, waits: waits}
		}
		exchange := func(uses ...use) {
			t.Helper()
			if _, err := fleet.exchange(t.Context(), uses); err != nil {
				t.Fatal(err)
			}
		}
		exchange(by("clinic-a", 0, true), by("clinic-b", time.Second, true), by("clinic-c", 30*time.Second, true), by("clinic-d", time.Second, false))
		before := fmt.Sprint(rdb.ZRangeWithScores(t.Context(), fleetKeys()[1], 0, -1).Val(), rdb.HGetAll(t.Context(), fleetKeys()[0]).Val())
		if got := turns(); !slices.Equal(got, []Turn{TurnNext, TurnWaiting, TurnHeld, NoTurn}) {
			t.Errorf("%q", got)
		}
		if after := fmt.Sprint(rdb.ZRangeWithScores(t.Context(), fleetKeys()[1], 0, -1).Val(), rdb.HGetAll(t.Context(), fleetKeys()[0]).Val()); after != before {
			t.Errorf("reading changed %s to %s", before, after)
		}
		exchange(by("clinic-a", 40*time.Second, true))
		if got := turns(); !slices.Equal(got, []Turn{TurnHeld, TurnNext, TurnHeld, NoTurn}) {
			t.Errorf("after clinic-a was served: %q", got)
		}
		// A report of a waiting caller counts for a while only. A tenant that waits alone is
		// served.
		rdb.ZAdd(t.Context(), fleetKeys()[2], redis.Z{Member: "clinic-a", Score: 1}, redis.Z{Member: "clinic-b", Score: 1})
		if got := turns(); got[0] != TurnHeld || got[1] != NoTurn || got[2] != TurnWaiting {
			t.Errorf("when clinic-c waits alone: %q", got)
		}
		if got, err := f.Turns(t.Context()); err != nil || got != nil {
			t.Errorf("of no tenant: %q, %v", got, err)
		}
		rdb.Set(t.Context(), fleetKeys()[1], "damaged", 0)
		if got, err := f.Turns(t.Context(), ids...); err == nil {
			t.Errorf("of damaged keys: %q", got)
		}
	})
}
