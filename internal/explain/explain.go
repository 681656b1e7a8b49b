package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// Snapshot is what was read about a task at one moment. All times are of the clock of the queue's
// Redis.
type Snapshot struct {
	queue.Position
	// MaxAttempts is how often the task may fail; 0 if its kind is not known.
	MaxAttempts int
	// Operation is the operation of the vendor that it calls. It is empty for a task that calls
	// none, and if its kind is not known.
	Operation string
	// Breakers are those that its call needs.
	Breakers []breaker.State
	// PlacesBefore is how many calls have places before that of the task, and Pitch their distance.
	// Pitch is 0 if the task has no place, and if the calendar could not be read.
	PlacesBefore int
	Pitch        time.Duration
}

// Reason is one reason why a task waits.
type Reason struct {
	// Code is the reason in one word, for programs.
	Code codes.Code
	// Text is the reason in plain words, which complete a sentence about the task.
	Text string
	// By is the operator who caused it, and Why that one's reason. Both are for operators only, and
	// empty if there is none.
	By, Why string
	// Since is when it began. Zero if that is not known.
	Since time.Time
	// Until is when it ends. Zero if that is not known.
	Until time.Time
}

// Start is when a task is expected to start: when a worker takes it.
type Start struct {
	// At is the time. Zero if it is unknown, or the task does not wait.
	At time.Time
	// NotBefore is a time before which the task does not start, if At is unknown. It may be zero.
	NotBefore time.Time
	// Text says how At was computed, or why it is unknown.
	Text string
}

// Explanation is why a task waits and when it starts. It is empty for a task that does not wait.
type Explanation struct {
	// Reasons are the reasons, from the outermost to the task's own.
	Reasons []Reason
	// Start is the expected start.
	Start Start
}

// cause is a reason together with what it means for the start.
type cause struct {
	Reason
	// open says why the start is unknown as long as the reason lasts. It is empty for a reason that
	// ends at Until.
	open string
	// basis says how Until was computed.
	basis string
}

// Explain returns why the task waits.
func (s Snapshot) Explain() Explanation {
	if !s.Waits() {
		return Explanation{}
	}
	var causes []cause
	for _, find := range []func() (cause, bool){s.paused, s.closed, s.unserved, s.quarantined, s.parked} {
		if c, ok := find(); ok {
			causes = append(causes, c)
		}
	}
	for _, b := range s.Breakers {
		if c, ok := s.broken(b); ok {
			causes = append(causes, c)
		}
	}
	for _, find := range []func() (cause, bool){s.demandedForLater, s.place, s.backOff} {
		if c, ok := find(); ok {
			causes = append(causes, c)
		}
	}
	if len(causes) == 0 {
		causes = append(causes, s.noFreeWorker())
	}
	var e Explanation
	for _, c := range causes {
		e.Reasons = append(e.Reasons, c.Reason)
	}
	e.Start = s.start(causes)
	return e
}

// start returns the expected start of a task that waits for some reasons.
func (s Snapshot) start(causes []cause) Start {
	last := slices.MaxFunc(causes, func(a, b cause) int { return a.Until.Compare(b.Until) })
	i := slices.IndexFunc(causes, func(c cause) bool { return c.open != "" })
	switch {
	case i >= 0:
		return Start{NotBefore: last.Until, Text: causes[i].open}
	case last.Until.IsZero():
		return Start{At: s.Now, Text: last.basis}
	}
	return Start{At: last.Until, Text: last.basis}
}

func (s Snapshot) paused() (cause, bool) {
	return cause{
		Reason: Reason{
			Code: codes.LanePaused, Text: fmt.Sprintf("its lane %s is paused", s.Lane), Since: s.PausedAt, By: s.PausedBy.By, Why: s.PausedBy.Why,
		},
		open: "it depends on when an operator resumes the lane",
	}, !s.PausedAt.IsZero()
}

// closed is why workers take no tasks of the lane although they serve it.
func (s Snapshot) closed() (cause, bool) {
	return cause{
		Reason: Reason{
			Code: s.Closed, Text: "workers take no tasks of its lane: " + cmp.Or(s.Closed.Meaning(), "a reason of their own"), Since: s.ClosedSince,
		},
		open: "it depends on when the workers' store is back",
	}, s.Closed != ""
}

func (s Snapshot) unserved() (cause, bool) {
	return cause{
		Reason: Reason{Code: codes.NoWorker, Text: fmt.Sprintf("no running worker serves its lane %s", s.Lane)},
		open:   "it depends on when a worker that serves the lane starts",
	}, s.Unserved
}

func (s Snapshot) quarantined() (cause, bool) {
	return cause{
		Reason: Reason{Code: codes.Quarantined, Text: codes.Quarantined.Meaning()},
		open:   "it depends on when a worker has no other task left to run",
	}, queue.IsQuarantine(s.Lane)
}

func (s Snapshot) parked() (cause, bool) {
	text := "an equal task runs, and it begins when that one has ended"
	if s.Behind != "" {
		text = fmt.Sprintf("the equal task %s runs, and it begins when that one has ended", s.Behind)
	}
	return cause{
		Reason: Reason{Code: codes.EqualRuns, Text: text, Since: s.EnqueuedAt},
		open:   "it depends on when the equal task that runs has ended",
	}, s.Parked
}

// broken is a breaker that lets no call through, unless it is to be tried again before the task is
// due.
func (s Snapshot) broken(b breaker.State) (cause, bool) {
	whose := "of the vendor's host"
	switch b.Scope {
	case breaker.Host:
	case breaker.Credential:
		whose = "of its account's login"
	default:
		whose = "of " + b.Scope
	}
	c := cause{Reason: Reason{Code: codes.Breaker, Since: b.Since, Until: b.Until}}
	switch {
	case b.Forced != nil && b.Forced.Open:
		c.Text = fmt.Sprintf("an operator keeps the breaker %s open", whose)
		c.By, c.Why, c.Since, c.Until = b.Forced.By, b.Forced.Why, b.Forced.At, b.Forced.Until
		c.basis = "the time until which an operator keeps a breaker open"
	case b.Condition == breaker.Open:
		c.Text = fmt.Sprintf("the breaker %s is open, and one call tests the vendor when its time ends", whose)
		c.open = "it depends on when the vendor is back"
	case b.Condition == breaker.Probing:
		c.Text = fmt.Sprintf("the breaker %s is open, and one call tests the vendor now", whose)
		c.open = "it depends on whether the call that tests the vendor succeeds"
	default:
		return cause{}, false
	}
	if reason := codes.Code(b.Reason); b.Reason != "" && c.open != "" {
		c.Text += fmt.Sprintf(" (%s: %s)", reason.Shown(), cmp.Or(b.Evidence, "no evidence is stored"))
	}
	return c, c.Until.IsZero() || c.Until.After(s.Now) && !c.Until.Before(s.NextAt)
}

func (s Snapshot) demandedForLater() (cause, bool) {
	return cause{
		Reason: Reason{Code: codes.DemandedForLater, Text: codes.DemandedForLater.Meaning(), Since: s.EnqueuedAt, Until: s.DemandedFor},
		basis:  "the time that it was demanded for",
	}, s.State == queue.StateScheduled && s.DemandedFor.After(s.Now)
}

// refusals are the codes with which flow control lets a call come back at its next place.
var refusals = []codes.Code{codes.Pace, codes.Blocked, codes.InFlight, codes.Breaker}

// place is the task's place on the calendar of its operation.
func (s Snapshot) place() (cause, bool) {
	returned := s.State == queue.StateRetry && slices.Contains(refusals, s.Code)
	c := cause{
		Reason: Reason{Code: codes.Booked, Text: codes.Booked.Meaning(), Since: s.EnqueuedAt, Until: s.NextAt},
		basis:  "its place in the call budget" + s.ahead(),
	}
	if returned {
		if c.Since = s.FailedAt; s.Code != codes.Breaker { // the chain has one for each breaker that is still open
			c.Code = s.Code
		}
		c.Text = fmt.Sprintf("when its call was last due, %s; it comes back at its next place", s.Code.Meaning())
	}
	return c, (s.Booked || returned) && s.NextAt.After(s.Now)
}

// ahead describes what comes before the task's place.
func (s Snapshot) ahead() string {
	if s.Pitch <= 0 {
		return ""
	}
	return fmt.Sprintf(" of %s: about %d calls have places before it, one every %s", s.Operation, s.PlacesBefore, s.Pitch.Round(time.Millisecond))
}

// backOff is the wait after an attempt that failed or was postponed.
func (s Snapshot) backOff() (cause, bool) {
	c := cause{
		Reason: Reason{Code: cmp.Or(s.Code, codes.Later), Since: s.FailedAt, Until: s.NextAt},
		basis:  "the end of its wait after its last attempt",
	}
	c.Text = fmt.Sprintf("its last attempt ended without a result: %s", cmp.Or(c.Code.Meaning(), "a code of its own worker"))
	if s.Attempts > 0 && s.MaxAttempts > 0 {
		c.Text += fmt.Sprintf(" (%d of %d attempts have failed)", s.Attempts, s.MaxAttempts)
	}
	return c, s.State == queue.StateRetry && s.NextAt.After(s.Now) && !slices.Contains(refusals, s.Code) && s.Code != s.Closed
}

// noFreeWorker is why a task waits that could run.
func (s Snapshot) noFreeWorker() cause {
	c := cause{
		Reason: Reason{Code: codes.NoFreeWorker, Text: codes.NoFreeWorker.Meaning(), Since: s.NextAt},
		basis:  "now: a worker is free",
	}
	if c.Since.IsZero() {
		c.Since = s.EnqueuedAt
	}
	before := "many"
	if s.Before >= 0 {
		before = fmt.Sprint(s.Before)
	}
	if s.Before < 0 || s.Before >= s.Slots-s.Busy {
		c.open = fmt.Sprintf("it depends on when workers have ended other tasks: %s of the lane come before it, and %d of %d slots are busy",
			before, s.Busy, s.Slots)
	}
	return c
}
