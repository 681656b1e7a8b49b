package breaker

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// Condition is which calls a breaker lets through.
type Condition string

// The conditions.
const (
	Closed  Condition = "closed"  // every call passes
	Open    Condition = "open"    // no call passes
	Probing Condition = "probing" // one call of the fleet may be sent
	Ramp    Condition = "ramp"    // closed recently: calls are slower than usual
)

// State is one breaker as an operator sees it: names and codes only. Times are on this process's
// clock.
type State struct {
	Name
	Condition Condition
	Since     time.Time // open and probing: of the first opening in a row; ramp: of the closing
	Until     time.Time // open: when a probe is due; ramp: when it ends; otherwise zero
	Opens     int       // openings in a row; not reset before the ramp ends
	Reason    string    // code of the failure that opened it last, or "operator"; empty if none did
	Evidence  string    // what opened it, in words; empty if an operator did
	Forced    *Forced   // an operator's decision that holds; nil if there is none
}

// Forced is an operator's decision.
type Forced struct {
	Open    bool // false: it is kept closed
	At      time.Time
	Until   time.Time
	By, Why string
}

// fields are what Inspect reads of each hash.
var fields = []string{"until", "since", "opens", "closed", "reason", "evidence", "fopen", "funtil", "fat", "fby", "fwhy"}

// Inspect reads breakers in one round trip, in the order of their names. ramp is how long the ramp
// lasts. One that was never open is closed.
func Inspect(ctx context.Context, rdb redis.UniversalClient, ramp time.Duration, names ...Name) ([]State, error) {
	keys := make([]string, len(names))
	for i, n := range names {
		keys[i] = n.keys()[0]
	}
	snapshots, err := redisconn.ReadSnapshots(ctx, rdb, keys, fields...)
	if err != nil {
		return nil, fmt.Errorf("read breakers: %w", redisconn.Clean(err))
	}
	now := time.Now()
	out := make([]State, len(names))
	for i, n := range names {
		out[i] = stateOf(n, snapshots[i], now, ramp)
	}
	return out, nil
}

func stateOf(n Name, s redisconn.Snapshot, now time.Time, ramp time.Duration) State {
	on := func(field string) time.Time {
		if s.Int(field) <= 0 {
			return time.Time{}
		}
		return now.Add(s.Until(field))
	}
	st := State{Name: n, Condition: Closed, Opens: int(s.Int("opens")), Reason: s.Text("reason"), Evidence: s.Text("evidence")}
	until, closed := on("until"), on("closed")
	switch {
	case until.After(now):
		st.Condition, st.Since, st.Until = Open, on("since"), until
	case !until.IsZero():
		st.Condition, st.Since = Probing, on("since")
	case !closed.IsZero() && now.Before(closed.Add(ramp)):
		st.Condition, st.Since, st.Until = Ramp, closed, closed.Add(ramp)
	}
	if ends := on("funtil"); ends.After(now) {
		st.Forced = &Forced{Open: s.Int("fopen") == 1, At: on("fat"), Until: ends, By: s.Text("fby"), Why: s.Text("fwhy")}
	}
	return st
}

// Limits of an operator's decision.
const (
	MaxForced = 24 * time.Hour
	MaxWhy    = 500 // bytes
)

// ErrForced is returned for a decision that lacks a reason or an author, or whose time is not
// between a second and MaxForced.
var ErrForced = errors.New("a breaker is forced for 1 s to 24 h, with an author and a reason of at most 500 bytes")

// Force opens or closes a breaker for an operator. It lasts until the decision's Until, by this
// process's clock; At is not used. A decision replaces the one before. The caller records it.
func (n Name) Force(ctx context.Context, rdb redis.Scripter, f Forced) (Shared, error) {
	d := time.Until(f.Until)
	if d < time.Second/2 || d > MaxForced || f.By == "" || f.Why == "" || max(len(f.By), len(f.Why)) > MaxWhy ||
		!utf8.ValidString(f.By+f.Why) {
		return Shared{}, ErrForced
	}
	what := "close"
	if f.Open {
		what = "open"
	}
	return n.run(ctx, rdb, forceScript, what, d.Microseconds(), f.By, f.Why, keyLife.Milliseconds())
}

// Release ends an operator's decision. A breaker that was forced open is due for a probe.
func (n Name) Release(ctx context.Context, rdb redis.Scripter) (Shared, error) {
	return n.run(ctx, rdb, forceScript, "release", 0, "", "", keyLife.Milliseconds())
}
