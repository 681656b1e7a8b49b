package flow

import (
	"context"
	"flag"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/report"
)

// workers is the number of worker processes.
const workers = 4

// settings are the sizes of a run.
type settings struct {
	atOnce            bool // run all parts at once
	interval, latency time.Duration

	accounts, calls, peerCalls int           // of part drain
	peerLimit                  time.Duration // longest time for a peer

	changeCalls, halvedCalls int // of part changes
	inRow                    int // calls in a row that show a pace
	changeAfter              time.Duration

	quiet, quietRounds, quietCalls int // of part hog: tenants, and calls of each in a round
	hogCalls                       int
	hogAhead, hogLimit             time.Duration // how long the hog works before the quiet, and the longest time for these
	hogLatency, quietLatency       time.Duration // of part hog-slow

	personAccounts         int // of part interactive
	personEvery, personFor time.Duration

	faultAccounts int     // of parts failover, skew and stopped
	faultScale    float64 // of the times in part failover
	skewFor       time.Duration
	stops         int
}

// full is the size whose figures count. The intervals are long enough for the jitter of a busy
// machine.
var full = settings{
	interval: 250 * time.Millisecond, latency: 2500 * time.Millisecond,
	accounts: 8, calls: 250, peerCalls: 100, peerLimit: 100 * time.Second,
	changeCalls: 250, halvedCalls: 500, inRow: 20, changeAfter: 10 * time.Second,
	quiet: 9, quietRounds: 4, quietCalls: 10, hogCalls: 50_000, hogAhead: time.Second, hogLimit: 60 * time.Second,
	hogLatency: 18 * time.Second, quietLatency: 360 * time.Millisecond,
	personAccounts: 4, personEvery: 2 * time.Second, personFor: 60 * time.Second,
	faultAccounts: 4, faultScale: 1, skewFor: 40 * time.Second, stops: 30,
}

// smoke is a size that shows in less than a minute whether the bench works.
var smoke = settings{
	atOnce: true, interval: 250 * time.Millisecond, latency: 500 * time.Millisecond,
	accounts: 2, calls: 20, peerCalls: 5, peerLimit: 8 * time.Second,
	changeCalls: 15, halvedCalls: 10, inRow: 4, changeAfter: 3 * time.Second,
	quiet: 2, quietRounds: 1, quietCalls: 4, hogCalls: 200, hogAhead: time.Second, hogLimit: 20 * time.Second,
	hogLatency: 2 * time.Second, quietLatency: 100 * time.Millisecond,
	personAccounts: 1, personEvery: 500 * time.Millisecond, personFor: 10 * time.Second,
	faultAccounts: 2, faultScale: 0.2, skewFor: 5 * time.Second, stops: 4,
}

var allParts = parts.List[settings]{
	{Name: "drain", About: "the backlogs of eight accounts, beside both peers", Run: drain},
	{Name: "changes", About: "accounts whose interval is not the documented one, or changes", Run: changes},
	{Name: "hog", About: "quiet tenants beside a hog", Run: hog},
	{Name: "hog-slow", About: "quiet tenants beside a hog with slow calls", Run: hogSlow},
	{Name: "interactive", About: "people's calls beside a backlog of the same account", Run: interactive},
	{Name: "failover", About: "the vendor's limit while flow control loses its keys, Redis fails over and a worker stops", Run: failover},
	{Name: "skew", About: "the vendor's limit with workers whose clocks are off", Run: skew},
	{Name: "stopped", About: "the vendor's limit while workers are stopped for moments", Run: stopped},
}

// Flags declares the bench's flags and returns its measurement.
func Flags(flags *flag.FlagSet) func(context.Context) ([]report.Row, error) {
	selected := flags.String("parts", strings.Join(allParts.Names(), ","), "the parts to run, separated by commas")
	small := flags.Bool("smoke", false, "take less than a minute: few calls, all parts at once, and figures that mean nothing")
	stops := flags.Int("stops", 0, "how often part stopped stops a worker, once a second; 0 means as often as usual")
	return func(ctx context.Context) ([]report.Row, error) {
		s := full
		if *small {
			s = smoke
		}
		if *stops > 0 {
			s.stops = *stops
		}
		return allParts.Measure(ctx, s, strings.Split(*selected, ","), s.atOnce)
	}
}
