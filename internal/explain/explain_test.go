package explain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// offset draws a time that is up to an hour before or after now, or at now.
func offset(t *rapid.T, name string) time.Time {
	return now.Add(time.Duration(rapid.Int64Range(-3600, 3600).Draw(t, name)) * time.Second)
}

// snapshots draws a task that waits, in any state that the queue can have.
func snapshots(t *rapid.T) Snapshot {
	s := Snapshot{MaxAttempts: rapid.IntRange(0, 10).Draw(t, "max"), Operation: "GetPatient", Pitch: 260 * time.Millisecond}
	s.Now, s.Lane, s.EnqueuedAt = now, rapid.SampledFrom([]string{queue.Sync, queue.Interactive, queue.Quarantine}).Draw(t, "lane"), now.Add(-time.Hour)
	s.State = rapid.SampledFrom([]string{queue.StatePending, queue.StateScheduled, queue.StateRetry}).Draw(t, "state")
	s.Slots, s.Busy = 4, rapid.IntRange(0, 4).Draw(t, "busy")
	s.Unserved = rapid.Bool().Draw(t, "unserved")
	if rapid.Bool().Draw(t, "paused") {
		s.PausedAt = now.Add(-time.Minute)
	}
	for _, scope := range []string{breaker.Host, breaker.Credential, "GetPatient"} {
		b := breaker.State{Name: breaker.Name{Scope: scope}, Since: now.Add(-time.Minute), Reason: "unavailable"}
		b.Condition = rapid.SampledFrom([]breaker.Condition{breaker.Closed, breaker.Open, breaker.Probing, breaker.Ramp}).Draw(t, scope)
		if b.Condition == breaker.Open {
			b.Until = now.Add(time.Duration(rapid.Int64Range(1, 3600).Draw(t, "probe")) * time.Second)
			if rapid.Bool().Draw(t, "forced") {
				b.Forced = &breaker.Forced{Open: true, At: now.Add(-time.Minute), Until: b.Until, By: "ann", Why: "ops-1234"}
			}
		}
		s.Breakers = append(s.Breakers, b)
	}
	if rapid.Bool().Draw(t, "closed") {
		s.Closed, s.ClosedSince = codes.LedgerFull, now.Add(-time.Second)
	}
	switch s.State {
	case queue.StatePending:
		s.Before = rapid.IntRange(-1, 9).Draw(t, "before")
	case queue.StateScheduled:
		if s.Parked = rapid.Bool().Draw(t, "parked"); s.Parked {
			break
		}
		s.NextAt = offset(t, "due")
		s.DemandedFor = s.NextAt
		if s.Booked = rapid.Bool().Draw(t, "booked"); s.Booked {
			s.Code, s.DemandedFor = codes.Booked, time.Time{}
			if rapid.Bool().Draw(t, "and for later") {
				s.DemandedFor = s.NextAt.Add(-time.Duration(rapid.Int64Range(0, 600).Draw(t, "earlier")) * time.Second)
			}
		}
	case queue.StateRetry:
		s.NextAt, s.FailedAt = offset(t, "due"), now.Add(-time.Minute)
		s.Code = rapid.SampledFrom([]codes.Code{codes.Pace, codes.Breaker, codes.VendorTimeout, codes.CacheUnavailable, codes.RetryBudget, "of_a_service"}).Draw(t, "code")
		s.Attempts = rapid.IntRange(0, 9).Draw(t, "attempts")
	}
	return s
}

// rank is the order of the chain.
var rank = []codes.Code{
	codes.LanePaused, codes.LedgerFull, codes.NoWorker, codes.Quarantined, codes.EqualRuns, codes.Breaker, codes.DemandedForLater, codes.Booked, "", codes.NoFreeWorker,
}

func rankOf(c codes.Code) int {
	if i := slices.Index(rank, c); i >= 0 {
		return i
	}
	return slices.Index(rank, "") // a code of the task's own
}

// TestChain checks what holds for every snapshot: the reasons are in their order, each has words
// and no reason has passed; a start is known exactly if all ends are; and it is not before now, nor
// before the end of any reason.
func TestChain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := snapshots(t)
		e := s.Explain()
		if len(e.Reasons) == 0 || e.Start.Text == "" {
			t.Fatalf("%+v", e)
		}
		ends := true
		for i, r := range e.Reasons {
			if r.Text == "" || !r.Code.Valid() || !r.Until.IsZero() && !r.Until.After(now) || r.Since.After(now) {
				t.Errorf("reason %d: %+v", i, r)
			}
			if i > 0 && rankOf(e.Reasons[i-1].Code) >= rankOf(r.Code) && r.Code != codes.Breaker {
				t.Errorf("%s is after %s", r.Code, e.Reasons[i-1].Code)
			}
			tested := r.Code == codes.Breaker && r.By == "" // the vendor may still be down then
			ends = ends && !tested && (!r.Until.IsZero() || r.Code == codes.NoFreeWorker && s.Before >= 0 && s.Before < s.Slots-s.Busy)
			for _, at := range []time.Time{e.Start.At, e.Start.NotBefore} {
				if !at.IsZero() && (at.Before(now) || at.Before(r.Until)) {
					t.Errorf("starts at %v, but reason %+v lasts", at, r)
				}
			}
		}
		if ends == e.Start.At.IsZero() {
			t.Errorf("all ends are known: %t, but %+v", ends, e.Start)
		}
		if last := latest(e); ends && !last.IsZero() && !e.Start.At.Equal(last) {
			t.Errorf("the last reason ends at %v, but it starts at %v", last, e.Start.At)
		}
	})
}

// TestEachCauseIsOneReason checks that a cause adds its reason and changes no other one.
func TestEachCauseIsOneReason(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := snapshots(t)
		for code, remove := range map[codes.Code]func(*Snapshot){
			codes.LanePaused:  func(s *Snapshot) { s.PausedAt = time.Time{} },
			codes.LedgerFull:  func(s *Snapshot) { s.Closed = "" },
			codes.NoWorker:    func(s *Snapshot) { s.Unserved = false },
			codes.Quarantined: func(s *Snapshot) { s.Lane = queue.Sync },
			codes.EqualRuns:   func(s *Snapshot) { s.Parked = false },
			codes.Breaker:     func(s *Snapshot) { s.Breakers = nil },
		} {
			without := s
			remove(&without)
			with, rest := listed(s), listed(without)
			with = slices.DeleteFunc(with, func(c codes.Code) bool { return c == code })
			if len(with) == 0 {
				with = []codes.Code{codes.NoFreeWorker}
			}
			if !slices.Equal(with, rest) {
				t.Errorf("without %s: %v, want %v", code, rest, with)
			}
		}
	})
}

// latest returns when the last reason ends.
func latest(e Explanation) (out time.Time) {
	for _, r := range e.Reasons {
		if r.Until.After(out) {
			out = r.Until
		}
	}
	return out
}

func listed(s Snapshot) (out []codes.Code) {
	for _, r := range s.Explain().Reasons {
		out = append(out, r.Code)
	}
	return out
}

// TestTaskThatDoesNotWait checks that one that runs or is dead has no reasons.
func TestTaskThatDoesNotWait(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"", queue.StateActive, queue.StateArchived} {
		s := Snapshot{Position: queue.Position{Task: queue.Task{State: state}, PausedAt: now}}
		if e := s.Explain(); len(e.Reasons) != 0 || e.Start != (Start{}) {
			t.Errorf("%s: %+v", state, e)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	s := Snapshot{MaxAttempts: 10}
	s.State, s.Now, s.NextAt, s.Code, s.Attempts = queue.StateRetry, now, now.Add(time.Minute), codes.VendorTimeout, 3
	if text := s.Explain().Reasons[0].Text; !strings.Contains(text, "the vendor did not answer in time (3 of 10 attempts have failed)") {
		t.Error(text)
	}
	s.Code, s.PlacesBefore, s.Pitch, s.Operation = codes.Pace, 12, 260*time.Millisecond, "GetPatient"
	if text := s.Explain().Start.Text; text != "its place in the call budget of GetPatient: about 12 calls have places before it, one every 260ms" {
		t.Error(text)
	}
	s.State, s.Busy, s.Slots, s.Before = queue.StatePending, 3, 4, 7
	if text := s.Explain().Start.Text; !strings.Contains(text, "7 of the lane come before it, and 3 of 4 slots are busy") {
		t.Error(text)
	}
}
