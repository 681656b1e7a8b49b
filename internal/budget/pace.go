package budget

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	space       = "f1"               // of keys, shared with flow's breakers
	redisLimit  = time.Second        // for one script: a caller that waits longer has lost its slot anyway
	keyLife     = 7 * 24 * time.Hour // of a budget that is not used
	marginLife  = 24 * time.Hour     // within which a learned margin fades
	marginMille = 200                // margin in thousandths of the interval
	minInterval = time.Millisecond   // shortest interval accepted
	maxInterval = time.Minute        // longest interval accepted
	maxBlock    = time.Hour          // longest block that the vendor can ask for
)

var (
	//go:embed lua/acquire.lua
	acquireSource string
	//go:embed lua/refund.lua
	refundSource string
	//go:embed lua/throttled.lua
	throttledSource string
	//go:embed lua/block.lua
	blockSource string

	acquireScript   = redis.NewScript(acquireSource)
	refundScript    = redis.NewScript(refundSource)
	throttledScript = redis.NewScript(throttledSource)
	blockScript     = redis.NewScript(blockSource)
)

// Operation is one operation of one tenant's account at the vendor. Each has a budget of its own.
type Operation struct {
	Tenant   tenant.ID
	Name     string
	Interval time.Duration // documented; used until the vendor names another
}

func (o Operation) key() string { return o.Tenant.Key(space, "p", o.Name) }

// Demand describes one call that needs a slot.
type Demand struct {
	// Interactive means that a person waits for the call. False: background.
	Interactive bool
	// Limit is how long this caller can wait, if that is less than Options.MaxWait.
	Limit time.Duration
	// Slowdown multiplies the spacing after an outage. 1: none.
	Slowdown int
}

// Pace grants slots. It starts no goroutine and needs no closing. It is safe for concurrent use.
type Pace struct{ o Options }

// NewPace returns a Pace. It does not connect to Redis yet.
func NewPace(o Options) (*Pace, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	return &Pace{o: o}, nil
}

// Acquire asks for the next slot.
func (p *Pace) Acquire(ctx context.Context, op Operation, d Demand) (Slot, error) {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	interactive := 0
	if d.Interactive {
		interactive = 1
	}
	asked := time.Now()
	v, err := acquireScript.Run(ctx, p.o.Redis, []string{op.key()},
		op.Interval.Microseconds(), p.o.MinMargin.Microseconds(), marginMille,
		p.o.MaxWait.Microseconds(), max(d.Limit, 0).Microseconds(), interactive, d.Slowdown,
		p.o.InteractiveMemory.Microseconds(), marginLife.Microseconds(), keyLife.Milliseconds()).Int64Slice()
	if err != nil {
		return Slot{}, fmt.Errorf("acquire slot: %w", err)
	}
	if len(v) != 6 {
		return Slot{}, fmt.Errorf("acquire slot: %d values", len(v))
	}
	return Slot{
		Decision: Decision(v[0]), Wait: micros(v[1]), at: v[2], window: micros(v[3]), before: v[4], next: v[5], asked: asked,
	}, nil
}

// Blocked reports whether the operation was blocked after the slot had been granted. The slot must
// not be used then.
func (p *Pace) Blocked(ctx context.Context, op Operation, s Slot) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	until, err := p.o.Redis.HGet(ctx, op.key(), "blocked").Int64()
	if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns Nil as it is
		return false, fmt.Errorf("check slot: %w", err)
	}
	return until > s.at, nil
}

// Refund returns an unused slot if it is the last one granted. Errors are ignored: the slot is
// lost, which is safe.
func (p *Pace) Refund(ctx context.Context, op Operation, s Slot) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisLimit)
	defer cancel()
	_ = refundScript.Run(ctx, p.o.Redis, []string{op.key()}, s.next, s.before).Err()
}

// Throttled records that the vendor throttled the call that used the slot. named is the interval in
// the vendor's response, 0 when it named none. Errors are ignored: the next throttle response has
// the same effect.
func (p *Pace) Throttled(ctx context.Context, op Operation, s Slot, named time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisLimit)
	defer cancel()
	_ = throttledScript.Run(ctx, p.o.Redis, []string{op.key()},
		op.Interval.Microseconds(), p.o.MinMargin.Microseconds(), marginMille, max(named, 0).Microseconds(),
		maxInterval.Microseconds(), s.at, marginLife.Microseconds(), keyLife.Milliseconds()).Err()
}

// Block grants nothing of the operation for a while, at most an hour: the vendor asked not to be
// called before. Errors are ignored: the next response asks again.
func (p *Pace) Block(ctx context.Context, op Operation, wait time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisLimit)
	defer cancel()
	_ = blockScript.Run(ctx, p.o.Redis, []string{op.key()}, min(max(wait, 0), maxBlock).Microseconds(), keyLife.Milliseconds()).Err()
}

// SetIntervals stores the intervals that the vendor reports for a tenant's operations, by name. If
// one of them is not between 1 ms and 1 min, it stores none.
func (p *Pace) SetIntervals(ctx context.Context, id tenant.ID, intervals map[string]time.Duration) error {
	for _, d := range intervals {
		if d < minInterval || d > maxInterval {
			return errors.New("set intervals: an interval is outside 1 ms to 1 min")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	_, err := p.o.Redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for name, d := range intervals {
			key := Operation{Tenant: id, Name: name}.key()
			pipe.HSet(ctx, key, "interval", d.Microseconds())
			pipe.PExpire(ctx, key, keyLife)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("set intervals: %w", redisconn.Outage(outage.Queue, err))
	}
	return nil
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
