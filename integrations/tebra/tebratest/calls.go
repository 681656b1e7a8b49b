package tebratest

import (
	"maps"
	"sync"
	"time"
)

// Outcome is how the simulator completed a call.
type Outcome string

// The outcomes of calls.
const (
	OutcomeOK              Outcome = "ok"
	OutcomeThrottled       Outcome = "throttled"
	OutcomeUnauthenticated Outcome = "unauthenticated"
	OutcomeRejected        Outcome = "rejected" // a business error
	OutcomeFault           Outcome = "fault"
	OutcomeMaintenance     Outcome = "maintenance"
	OutcomeOdd             Outcome = "odd" // an oddity of calls; see Oddities
	OutcomeCut             Outcome = "cut"
	OutcomeReset           Outcome = "reset"
	OutcomeHang            Outcome = "hang"
	OutcomeAborted         Outcome = "aborted" // the caller gave up before the response
)

// maxLoggedCalls limits the log, since a demo may run for days. Counts are not limited.
const maxLoggedCalls = 200_000

// Call is a log entry, written when the call ends. Account is the vendor's CustomerId, or 0 before
// authentication.
type Call struct {
	Seq int `json:"seq"` // from 1, in the order in which calls end
	// Arrived is the time that the throttle uses: when the request had arrived completely. For a
	// call that never got so far, it is the start of the request.
	Arrived   time.Time     `json:"arrived"`
	Took      time.Duration `json:"took_ns"`
	Account   int           `json:"account"`
	Operation string        `json:"operation"` // "" for an operation that does not exist
	Outcome   Outcome       `json:"outcome"`
}

// Count contains the totals of one operation.
type Count struct {
	Calls     int `json:"calls"` // with any outcome
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

// Calls returns the log entries with a Seq greater than after; 0 returns all. The oldest entries of
// a long log are dropped.
func (s *Server) Calls(after int) []Call {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	skip := 0
	for skip < len(s.log.calls) && s.log.calls[skip].Seq <= after {
		skip++
	}
	return append([]Call(nil), s.log.calls[skip:]...)
}

// Counts returns the totals of all calls by operation.
func (s *Server) Counts() map[string]Count {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return maps.Clone(s.log.counts)
}
