package flow

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	space       = "f1"               // of keys that belong to a tenant
	hostSpace   = "f1h"              // of the one that belongs to none
	redisLimit  = time.Second        // for one script: who waits longer for a budget has lost its slot anyway
	memory      = 7 * 24 * time.Hour // life of pace and breaker keys that nobody touches
	marginLife  = 24 * time.Hour     // within which a learnt margin fades
	marginMille = 200                // margin in thousandths of the interval
	maxInterval = time.Minute        // longest interval believed
)

var (
	//go:embed lua/take.lua
	takeSource string
	//go:embed lua/throttled.lua
	throttledSource string
	//go:embed lua/giveback.lua
	giveBackSource string

	takeScript      = redis.NewScript(takeSource)
	throttledScript = redis.NewScript(throttledSource)
	giveBackScript  = redis.NewScript(giveBackSource)
)

func paceKey(id tenant.ID, operation string) string { return id.Key(space, "p", operation) }

// pacer asks and teaches the shared budgets.
type pacer struct {
	o Options
}

// The verdicts of take.lua.
const (
	refusedByPace  = 0
	granted        = 1
	refusedByBlock = 2
	calendarFull   = 3
)

// slot is what take.lua answered. The times in it are Redis'; wait and window are spans and hold on any clock.
type slot struct {
	verdict      int64
	wait         time.Duration // until the slot; until coming back when refused
	at           int64         // the slot, in microseconds
	window       time.Duration // how long after the slot the call may still leave
	before, next int64         // the budget before and after the grant
	asked        time.Time     // this process's clock, before the script ran
}

// take asks for a slot within limit. slow is the ramp's factor.
func (p pacer) take(ctx context.Context, key string, c tebra.Call, limit time.Duration, slow int) (slot, error) {
	return p.run(ctx, key, c, limit, slow, 0)
}

// book takes a place on the calendar that is at least floor from now.
func (p pacer) book(ctx context.Context, key string, c tebra.Call, floor time.Duration) (slot, error) {
	return p.run(ctx, key, c, 0, 1, max(floor, time.Microsecond))
}

func (p pacer) run(ctx context.Context, key string, c tebra.Call, limit time.Duration, slow int, floor time.Duration,
) (slot, error) {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	interactive := 0
	if c.Interactive {
		interactive = 1
	}
	s := slot{asked: time.Now()}
	v, err := takeScript.Run(ctx, p.o.Redis, []string{key},
		c.Interval.Microseconds(), p.o.MinMargin.Microseconds(), marginMille,
		p.o.MaxWait.Microseconds(), max(limit, 0).Microseconds(), interactive, slow, floor.Microseconds(),
		p.o.InteractiveMemory.Microseconds(), p.o.Horizon.Microseconds(),
		marginLife.Microseconds(), memory.Milliseconds()).Int64Slice()
	if err != nil {
		return slot{}, fmt.Errorf("take slot: %w", err)
	}
	if len(v) != 6 {
		return slot{}, fmt.Errorf("take slot: %d values", len(v))
	}
	s.verdict, s.wait, s.at, s.window = v[0], micros(v[1]), v[2], micros(v[3])
	s.before, s.next = v[4], v[5]
	return s, nil
}

// blocked tells whether the operation was blocked after the slot had been granted, so that it must not be used.
func (p pacer) blocked(ctx context.Context, key string, s slot) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	until, err := p.o.Redis.HGet(ctx, key, "blocked").Int64()
	if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns Nil as it is
		return false, fmt.Errorf("check slot: %w", err)
	}
	return until > s.at, nil
}

// giveBack returns an unused slot if it is the last one. An error is not told: the slot is lost, which is safe.
func (p pacer) giveBack(ctx context.Context, key string, s slot) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisLimit)
	defer cancel()
	_ = giveBackScript.Run(ctx, p.o.Redis, []string{key}, s.next, s.before).Err()
}

// throttled teaches the budget a throttle answer. An error is not told: the next answer teaches the same.
func (p pacer) throttled(ctx context.Context, key string, c tebra.Call, s slot, named time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisLimit)
	defer cancel()
	_ = throttledScript.Run(ctx, p.o.Redis, []string{key},
		c.Interval.Microseconds(), p.o.MinMargin.Microseconds(), marginMille, max(named, 0).Microseconds(),
		maxInterval.Microseconds(), s.at, marginLife.Microseconds(), memory.Milliseconds()).Err()
}

func (p pacer) setIntervals(ctx context.Context, id tenant.ID, intervals map[string]time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	_, err := p.o.Redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for op, d := range intervals {
			pipe.HSet(ctx, paceKey(id, op), "interval", d.Microseconds())
			pipe.PExpire(ctx, paceKey(id, op), memory)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("set intervals: %w", err)
	}
	return nil
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
