package budget

import "time"

// Decision is the result of one demand. Its values are those of acquire.lua.
type Decision int64

// The decisions.
const (
	Paced   Decision = iota // refused: the next slot is too far away
	Granted                 // a slot was granted
	Blocked                 // refused: the operation is blocked after a throttle response
)

// Slot is the result of one demand. Its exported durations and times hold on this process's clock.
type Slot struct {
	Decision Decision
	// Wait is how long until the slot begins. After a refusal, it is how long until the next slot
	// would.
	Wait time.Duration

	at           int64         // the slot, in microseconds of Redis' clock
	window       time.Duration // how long after the slot the call may still be sent
	before, next int64         // the budget before and after the grant
	asked        time.Time     // before the script ran
}

// SendBy returns the latest moment at which the call may be sent: half the margin after the slot.
// It is counted from before Redis was asked. The slot cannot have begun earlier on this process's
// clock, so the bound is safe however long the reply took.
func (s Slot) SendBy() time.Time { return s.asked.Add(s.Wait + s.window) }
