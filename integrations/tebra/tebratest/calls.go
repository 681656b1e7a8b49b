package tebratest

import (
	"maps"
	"sync"
	"time"
)

// Outcome is how the simulator ended a call.
type Outcome string

// The outcomes.
const (
	OutcomeOK              Outcome = "ok"
	OutcomeThrottled       Outcome = "throttled"
	OutcomeUnauthenticated Outcome = "unauthenticated"
	OutcomeRejected        Outcome = "rejected" // a business error
	OutcomeFault           Outcome = "fault"
	OutcomeMaintenance     Outcome = "maintenance"
	OutcomeCut             Outcome = "cut"
	OutcomeHang            Outcome = "hang"
	OutcomeAborted         Outcome = "aborted" // the caller left before the answer
)

// keptCalls bounds the log: a demo may run for days. Counts go on.
const maxLoggedCalls = 200_000

// Call is one line of the log, written when the call ended. Account is the vendor's CustomerId, 0 before authentication.
type Call struct {
	Seq int `json:"seq"` // from 1, in the order of the calls' ends
	// Arrived is the moment by which the throttle decided, when the request was there whole; for a call that never came so
	// far it is when its first byte was.
	Arrived   time.Time     `json:"arrived"`
	Took      time.Duration `json:"took_ns"`
	Account   int           `json:"account"`
	Operation string        `json:"operation"` // "" for one that the vendor does not have
	Outcome   Outcome       `json:"outcome"`
}

// Count sums up the calls of one operation.
type Count struct {
	Calls     int `json:"calls"` // all of them
	OK        int `json:"ok"`
	Throttled int `json:"throttled"`
}

type callLog struct {
	mu     sync.Mutex
	seq    int
	calls  []Call
	counts map[string]Count
}

func (l *callLog) add(x *exchange, outcome Outcome) {
	call := Call{Arrived: x.arrived, Took: time.Since(x.arrived), Operation: x.op, Outcome: outcome}
	if x.auth.account != nil {
		call.Account = x.auth.account.id
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	call.Seq = l.seq
	if len(l.calls) == maxLoggedCalls {
		l.calls = append(l.calls[:0], l.calls[maxLoggedCalls/2:]...)
	}
	l.calls = append(l.calls, call)
	n := l.counts[x.op]
	n.Calls++
	switch outcome {
	case OutcomeOK:
		n.OK++
	case OutcomeThrottled:
		n.Throttled++
	}
	l.counts[x.op] = n
}

// Calls returns the log after the call numbered after; 0 is from the start. The oldest lines of a long log are gone.
func (s *Server) Calls(after int) []Call {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	skip := 0
	for skip < len(s.log.calls) && s.log.calls[skip].Seq <= after {
		skip++
	}
	return append([]Call(nil), s.log.calls[skip:]...)
}

// Counts sums up all calls ever, by operation.
func (s *Server) Counts() map[string]Count {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return maps.Clone(s.log.counts)
}
