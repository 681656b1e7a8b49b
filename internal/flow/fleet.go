package flow

import (
	"context"
	_ "embed" // the script
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	// mostAhead limits how much more vendor time than the others a tenant can have used, for each
	// unit of its weight: what it used beyond is not held against it.
	mostAhead = time.Minute
	// tolerance is how much more a tenant may have used before it is refused places. It covers what
	// the fleet uses between two exchanges.
	tolerance = 10 * time.Second
	// waitLife is how long a caller that had to wait counts as waiting.
	waitLife = 2 * time.Second
	// exchangeEvery is the shortest time between two exchanges of a process while tenants compete,
	// and idleExchange while none does.
	exchangeEvery, idleExchange = 250 * time.Millisecond, time.Second
	// exchangeRetry is the time after an exchange that failed.
	exchangeRetry = 5 * time.Second
	// fleetLife is the life of the fleet's keys.
	fleetLife = time.Hour
	// maxExchange limits the tenants of one exchange. The others are in the next one.
	maxExchange = 200
)

var (
	//go:embed lua/share.lua
	shareSource string
	shareScript = redis.NewScript(shareSource)
)

// fleet compares what the tenants use in all processes. Every process adds, about once a second,
// the vendor time of its tenants' background calls to a virtual time of each in Redis, and learns
// how far each is ahead of the waiting tenant that has used least.
type fleet struct {
	rdb      redis.UniversalClient
	waitLife time.Duration // see the constant

	mu      sync.Mutex
	next    time.Time     // of the next exchange
	virtual time.Duration // at the last exchange
	asked   time.Time     // the last exchange
}

// use is what one tenant has used since the last exchange.
type use struct {
	share *share
	used  time.Duration // by unit of weight
	waits bool          // callers of it wait, or did lately
}

// comparison is the reply to an exchange.
type comparison struct {
	ahead []time.Duration // of each tenant
	// speed is how fast the virtual time goes by, against real time; 0 if it is not known.
	speed float64
}

func fleetKeys() []string {
	key := func(part string) string { return tenant.GlobalKey(hostSpace, "fleet", part) }
	return []string{key("v"), key("u"), key("w")}
}

// due reports whether the next exchange is due, to one of the callers that ask at the same time.
func (f *fleet) due(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Before(f.next) {
		return false
	}
	f.next = now.Add(exchangeRetry)
	return true
}

// exchange runs the script.
func (f *fleet) exchange(ctx context.Context, uses []use) (comparison, error) {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	args := []any{mostAhead.Microseconds(), f.waitLife.Microseconds(), fleetLife.Milliseconds()}
	for _, u := range uses {
		waits := 0
		if u.waits {
			waits = 1
		}
		args = append(args, u.share.tenant.String(), u.used.Microseconds(), waits)
	}
	asked := time.Now()
	v, err := shareScript.Run(ctx, f.rdb, fleetKeys(), args...).Int64Slice()
	if err != nil {
		return comparison{}, fmt.Errorf("exchange use: %w", err)
	}
	if len(v) != 1+len(uses) {
		return comparison{}, fmt.Errorf("exchange use: %d values", len(v))
	}
	return f.compared(v, uses, asked), nil
}

// compared reads the script's reply.
func (f *fleet) compared(v []int64, uses []use, asked time.Time) comparison {
	c := comparison{ahead: make([]time.Duration, len(uses))}
	every := idleExchange
	for i, u := range uses {
		if c.ahead[i] = micros(v[i+1]); u.waits || c.ahead[i] > 0 {
			every = exchangeEvery
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	virtual := micros(v[0])
	if passed := asked.Sub(f.asked); passed < 2*idleExchange && virtual >= f.virtual {
		c.speed = float64(virtual-f.virtual) / float64(passed)
	}
	f.virtual, f.asked, f.next = virtual, asked, asked.Add(every)
	return c
}

// exchange exchanges the use of this process for that of the fleet, if that is due. Errors are
// ignored: the tenants then share the places of this process only.
func (f *Flow) exchange(ctx context.Context) {
	if ctx.Err() != nil || !f.fleet.due(time.Now()) {
		return
	}
	uses := f.places.uses(time.Now())
	if len(uses) == 0 {
		f.fleet.skip(time.Now())
		return
	}
	c, err := f.fleet.exchange(ctx, uses)
	switch {
	case err == nil:
		f.places.compared(uses, c, time.Now())
	case ctx.Err() != nil:
		f.fleet.skip(time.Now()) // the caller gave up, not Redis
	}
}

// skip lets the next exchange be due soon, because this one did not take place.
func (f *fleet) skip(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = now.Add(exchangeEvery)
}
