package budget

import "time"

// Decision is the result of one demand. Its values are those of acquire.lua and send.lua.
type Decision int64

// The decisions.
const (
	Paced   Decision = iota // refused: the next slot is too far away, or it is too early to send
	Granted                 // a slot was reserved, or the call may be sent
	Blocked                 // refused: the operation is blocked after a throttle response
)

// Early is how long before its slot a caller asks for the permission to send, so that it is not
// late when the answer takes some time.
const Early = 5 * time.Millisecond

// Slot is the result of one demand. Its exported durations and times hold on this process's clock.
type Slot struct {
	Decision Decision
	// Wait is how long until the slot begins. After a refusal, it is how long until the next slot
	// would.
	Wait time.Duration

	slowdown     int
	at           int64     // the slot, in microseconds of Redis' clock, as last named
	reserved     int64     // the slot that was reserved
	mark         int64     // its mark (see acquire.lua)
	before, next int64     // the end of the reserved slots before and after the reservation
	asked        time.Time // before the last script ran
	replied      time.Time // after it

	sent, previous int64         // when the call and the one before it may be sent; 0 before Send
	margin         int64         // the margin between them
	window         time.Duration // how long after sent the call may still be sent
}

// Begin returns when the slot begins, never too early: Redis counted Wait from before its reply.
func (s Slot) Begin() time.Time { return s.replied.Add(s.Wait) }

// Spacing returns how far the slot of a background caller is from the next one.
func (s Slot) Spacing() time.Duration { return micros(s.next - s.reserved) }

// late returns at most how much later than granted a call would be sent now. It is counted from
// before Redis was asked, so it is safe however long the reply took.
func (s Slot) late() time.Duration { return time.Since(s.asked.Add(s.Wait)) }
