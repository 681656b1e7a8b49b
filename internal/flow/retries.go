package flow

import (
	"context"
	_ "embed" // the script
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// The retry budget of one operation of one account.
const (
	retryShare  = 0.2              // retries for each answer
	retryBurst  = 10               // retries that may be saved up
	retryPeriod = 10 * time.Second // in which one more is allowed, whatever the vendor answers
	retryWait   = 10 * time.Minute // longest wait
)

var (
	//go:embed lua/retries.lua
	retriesSource string
	retriesScript = redis.NewScript(retriesSource)
)

func retriesKey(id tenant.ID, operation string) string { return id.Key(space, "r", operation) }

// retries runs the script for one operation: it counts a call, or asks for a retry.
func (f *Flow) retries(ctx context.Context, id tenant.ID, operation, what string, tokens float64, ago time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	wait, err := retriesScript.Run(ctx, f.options.Redis, []string{retriesKey(id, operation)}, what,
		strconv.FormatFloat(tokens, 'f', -1, 64), ago.Microseconds(), retryBurst, retryPeriod.Microseconds(),
		retryWait.Microseconds(), keyLife.Milliseconds()).Int64()
	if err != nil {
		return 0, fmt.Errorf("retry budget: %w", redisconn.Clean(err))
	}
	return time.Duration(wait) * time.Microsecond, nil
}

// mayBeRepeated are the codes of attempts that are no answers: the same call may succeed later.
var mayBeRepeated = map[tebra.Code]bool{
	tebra.Unavailable: true, tebra.Timeout: true, tebra.Malformed: true, tebra.Unknown: true, tebra.Throttled: true,
	tebra.Canceled: true,
}

// sent counts a call that has ended. A call that may be repeated adds nothing to the retry budget.
// Errors are ignored: a call that is not counted makes retries rarer.
func (f *Flow) sent(ctx context.Context, op budget.Operation, o tebra.Outcome) {
	if o.NotSent || o.Void {
		return
	}
	tokens := retryShare
	if mayBeRepeated[o.Code] {
		tokens = 0
	}
	_, _ = f.retries(context.WithoutCancel(ctx), op.Tenant, op.Name, "sent", tokens, o.Latency)
}

// takeRetry refuses an attempt that repeats one of the same call if the retry budget is used up.
// Without an answer of Redis it lets the attempt through, which pace then refuses.
func (e *entry) takeRetry(ctx context.Context) *Refused {
	if !e.call.Retry {
		return nil
	}
	e.call.Retry = false // it asks once
	wait, err := e.flow.retries(ctx, e.budget.Tenant, e.budget.Name, "take", 0, 0)
	telemetry.VendorRetried(ctx, e.budget.Name, wait > 0)
	if err == nil && wait > 0 {
		return e.refusal(codes.RetryBudget, "", wait)
	}
	return nil
}

// Retry reserves a retry of a call that the vendor has seen and that failed. It returns how long
// the retry has to wait at least: 0, unless the retry budget of the operation is used up. Retries
// may be a fifth of the calls that were answered, and one every ten seconds; ten may be saved up.
// Without an answer of Redis the wait is 0.
func (f *Flow) Retry(ctx context.Context, id tenant.ID, operation string) time.Duration {
	wait, _ := f.retries(context.WithoutCancel(ctx), id, operation, "reserve", 0, 0)
	telemetry.VendorRetried(ctx, operation, wait > 0)
	if wait >= retryWait {
		wait = between(retryWait/2, retryWait) // so that those that found no token do not return together
	}
	return wait
}

// Usage is how much an operation of one tenant was called. Calls count when they have ended.
type Usage struct {
	// Minute and Hour are how many calls were sent in the last minute and hour, about.
	Minute, Hour float64
	// Retries is how many retries the budget has; negative if some that are to come are reserved.
	Retries float64
	// Delayed is how many retries of the last hour had to wait for longer, about.
	Delayed float64
}

// Shares returns the shares of the last minute's and hour's budget that were used, at the present
// spacing of calls.
func (u Usage) Shares(spacing time.Duration) (minute, hour float64) {
	return u.Minute * spacing.Minutes(), u.Hour * spacing.Hours()
}

// Usages reads how much operations were called, in the order of their budgets.
func (f *Flow) Usages(ctx context.Context, of ...budget.State) ([]Usage, error) {
	keys := make([]string, len(of))
	for i, b := range of {
		keys[i] = retriesKey(b.Tenant, b.Operation)
	}
	snapshots, err := redisconn.ReadSnapshots(ctx, f.options.Redis, keys, "tokens", "at", "mi", "mc", "mp", "hi", "hc", "hp", "di", "dc", "dp")
	if err != nil {
		return nil, fmt.Errorf("read usage: %w", redisconn.Clean(err))
	}
	out := make([]Usage, len(snapshots))
	for i, s := range snapshots {
		out[i] = Usage{
			Minute: lately(s, "m", time.Minute), Hour: lately(s, "h", time.Hour), Delayed: lately(s, "d", time.Hour), Retries: retryBurst,
		}
		if tokens, err := strconv.ParseFloat(s.Text("tokens"), 64); err == nil {
			out[i].Retries = min(retryBurst, tokens+max(0, -s.Until("at").Seconds())/retryPeriod.Seconds())
		}
	}
	return out, nil
}

// lately estimates how many events were counted in the time before a snapshot: those of the present
// window, and the share of those of the window before that is as long ago.
func lately(s redisconn.Snapshot, name string, length time.Duration) float64 {
	now, micros := s.Now.UnixMicro(), length.Microseconds()
	present, previous := float64(s.Int(name+"c")), float64(s.Int(name+"p"))
	switch now/micros - s.Int(name+"i") {
	case 0:
	case 1:
		present, previous = 0, present
	default:
		return 0
	}
	return present + previous*(1-float64(now%micros)/float64(micros))
}
