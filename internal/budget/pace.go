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
	inRow       = 3                  // interactive calls before one of the background that waits
	redisLimit  = time.Second        // for one script: a caller that waits longer has lost its slot anyway
	keyLife     = 7 * 24 * time.Hour // of a budget that is not used
	marginLife  = 24 * time.Hour     // within which a learned margin fades
	firstMille  = 100                // first margin, in thousandths of the interval
	leastMille  = 40                 // least margin, in thousandths of the interval
	minInterval = time.Millisecond   // shortest interval accepted
	maxInterval = time.Minute        // longest interval accepted
	maxBlock    = time.Hour          // longest block that the vendor can ask for
)

var (
	//go:embed lua/margin.lua
	marginSource string
	//go:embed lua/budget.lua
	budgetSource string
	//go:embed lua/acquire.lua
	acquireSource string
	//go:embed lua/send.lua
	sendSource string
	//go:embed lua/renew.lua
	renewSource string
	//go:embed lua/refund.lua
	refundSource string
	//go:embed lua/throttled.lua
	throttledSource string
	//go:embed lua/block.lua
	blockSource string

	acquireScript   = redis.NewScript(marginSource + budgetSource + acquireSource)
	sendScript      = redis.NewScript(marginSource + budgetSource + sendSource)
	renewScript     = redis.NewScript(marginSource + budgetSource + renewSource)
	refundScript    = redis.NewScript(marginSource + budgetSource + refundSource)
	throttledScript = redis.NewScript(marginSource + budgetSource + throttledSource)
	blockScript     = redis.NewScript(marginSource + budgetSource + blockSource)
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
	// Ahead is how many slots away the caller's may be at most. 0: as many as fit into the wait.
	Ahead int
	// Slowdown multiplies the spacing after an outage. 1: none.
	Slowdown int
}

// Pace grants slots. It starts no goroutine and needs no closing. It is safe for concurrent use.
type Pace struct {
	o    Options
	sent lastSent
}

// NewPace returns a Pace. It does not connect to Redis yet.
func NewPace(o Options) (*Pace, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	return &Pace{o: o}, nil
}

// run runs a script on the budget of an operation.
func (p *Pace) run(ctx context.Context, script *redis.Script, op Operation, args ...any) *redis.Cmd {
	common := []any{
		op.Interval.Microseconds(), p.o.MinMargin.Microseconds(), firstMille, leastMille,
		marginLife.Microseconds(), keyLife.Milliseconds(), (2 * Early).Microseconds(),
	}
	return script.Run(ctx, p.o.Redis, []string{op.key()}, append(common, args...)...)
}

// Acquire reserves the next slot, or refuses. The caller of a reserved slot waits until shortly
// before it and calls Send.
func (p *Pace) Acquire(ctx context.Context, op Operation, d Demand) (Slot, error) {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	interactive := 0
	if d.Interactive {
		interactive = 1
	}
	asked := time.Now()
	v, err := p.run(ctx, acquireScript, op,
		p.o.MaxWait.Microseconds(), max(d.Limit, 0).Microseconds(), interactive, max(d.Slowdown, 1), max(d.Ahead, 0), inRow).Int64Slice()
	if err != nil {
		return Slot{}, fmt.Errorf("acquire slot: %w", err)
	}
	if len(v) != 6 {
		return Slot{}, fmt.Errorf("acquire slot: %d values", len(v))
	}
	return Slot{
		Decision: Decision(v[0]), Wait: micros(v[1]), at: v[2], reserved: v[2], mark: v[3], before: v[4], next: v[5],
		asked: asked, replied: time.Now(), slowdown: max(d.Slowdown, 1),
	}, nil
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
			pipe.HDel(ctx, key, "former", "trial")
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
