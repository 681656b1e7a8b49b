// Package vendorlogtest makes logs of calls for tests.
package vendorlogtest

import (
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"

	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

// Origin is the time from which the arrivals of Log count.
var Origin = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// Log returns a log of calls that arrive at the given milliseconds and take 10 ms each; those in
// refused are refused.
func Log(refused []int, arrivals ...int) vendorlog.Timeline {
	var t vendorlog.Timeline
	for i, ms := range arrivals {
		c := tebratest.Call{
			Seq: i + 1, Arrived: Origin.Add(time.Duration(ms) * time.Millisecond), Took: 10 * time.Millisecond, Outcome: tebratest.OutcomeOK,
		}
		if slices.Contains(refused, ms) {
			c.Outcome = tebratest.OutcomeThrottled
		}
		t = append(t, c)
	}
	return t
}
