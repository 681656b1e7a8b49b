package tebratest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Faults are the switches that break the vendor. The zero Faults break nothing. Its JSON form is what /control/faults
// takes and gives.
type Faults struct {
	Outage         bool     `json:"outage"`          // InternalServiceFault, as in hours of real ones
	Maintenance    bool     `json:"maintenance"`     // HTTP 503 with a page of HTML
	CutBody        bool     `json:"cut_body"`        // the work is done, and the connection dies half way through the answer
	Hang           bool     `json:"hang"`            // no answer until the caller leaves, and no effect
	Operations     []string `json:"operations"`      // limits the switches above to these operations; empty is all
	Rules          []Rule   `json:"rules"`           // finer switches; the first that strikes counts
	FailPatients   []string `json:"fail_patients"`   // GetPatient of these is an InternalServiceFault, and lists leave them out
	AbsentPatients []string `json:"absent_patients"` // GetPatient of these answers nothing, though lists name them
	Projection     bool     `json:"projection"`      // any true member of Fields makes the answer one placeholder row
	LongRanges     bool     `json:"long_ranges"`     // ranges over 60 days are answered instead of failing

	// Stale makes reads of people and appointments answer what held so long ago, in real time.
	Stale time.Duration `json:"stale_ns"`
	// Updates says what a member that a change leaves out becomes: "clobber" is nothing, "merge" is what it was. "" is as
	// integrators report it: appointments are clobbered and patients merged.
	Updates string `json:"updates"`
	// ClockOffset is how far the vendor's clock goes before ours; it stamps changes and says what day it is.
	ClockOffset time.Duration `json:"clock_offset_ns"`
}

// Fault is one way to break a call.
type Fault string

// The faults that a Rule can cause.
const (
	FaultOutage         Fault = "outage"           // InternalServiceFault
	FaultMaintenance    Fault = "maintenance"      // HTTP 503 with a page of HTML
	FaultCut            Fault = "cut"              // the work is done, half of the answer arrives
	FaultTrickle        Fault = "trickle"          // the work is done, the answer arrives byte by byte, For apart
	FaultHang           Fault = "hang"             // nothing is done, no answer until the caller leaves
	FaultEffectThenHang Fault = "effect-then-hang" // the work is done, no answer until the caller leaves
	FaultHangThenEffect Fault = "hang-then-effect" // no answer until the caller leaves, and For later the work is done
	FaultSilentRefusal  Fault = "silent-refusal"   // success is answered, and nothing was done
	FaultForeignRows    Fault = "foreign-rows"     // a list holds rows of a practice that was not asked for
)

// Rule breaks some calls.
type Rule struct {
	Fault      Fault         `json:"fault"`
	Operations []string      `json:"operations"` // empty is all
	Count      int           `json:"count"`      // how many calls it breaks before it is used up; 0 is no end
	Rate       float64       `json:"rate"`       // the share of calls that it breaks, drawn by the seed; 0 is every one
	For        time.Duration `json:"for_ns"`     // see the faults that have a duration
}

// allFaults are those that a Rule may name.
var allFaults = []Fault{
	FaultOutage, FaultMaintenance, FaultCut, FaultTrickle, FaultHang, FaultEffectThenHang, FaultHangThenEffect, FaultSilentRefusal,
	FaultForeignRows,
}

// check says what of the switches would do nothing, or nobody knows what.
func (f Faults) check() error {
	if f.Updates != "" && f.Updates != "clobber" && f.Updates != "merge" {
		return errors.New("updates are neither clobber nor merge")
	}
	if f.Stale < 0 {
		return errors.New("stale is negative")
	}
	named := slices.Clone(f.Operations)
	for i, r := range f.Rules {
		if !slices.Contains(allFaults, r.Fault) {
			return fmt.Errorf("rule %d has no known fault", i)
		}
		if r.Count < 0 || r.Rate < 0 || r.Rate > 1 || r.For < 0 {
			return fmt.Errorf("rule %d has a count, a rate or a duration out of range", i)
		}
		named = append(named, r.Operations...)
	}
	for _, op := range named {
		if contract.byName[op] == nil {
			return fmt.Errorf("%q is no operation", op)
		}
	}
	return nil
}

func (f Faults) clone() Faults {
	f.Operations = slices.Clone(f.Operations)
	f.FailPatients = slices.Clone(f.FailPatients)
	f.AbsentPatients = slices.Clone(f.AbsentPatients)
	f.Rules = slices.Clone(f.Rules)
	for i := range f.Rules {
		f.Rules[i].Operations = slices.Clone(f.Rules[i].Operations)
	}
	return f
}

// Faults returns the switches as they stand. Rules that were used up are gone.
func (s *Server) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.clone()
}

// SetFaults sets all switches at once. Calls that are being answered keep the old ones.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f.clone()
}

// Outage switches the outage of every operation on or off.
func (s *Server) Outage(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.Outage = on
}

// FailPatient makes reads of one patient fail, or work again.
func (s *Server) FailPatient(id string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	others := slices.DeleteFunc(slices.Clone(s.faults.FailPatients), func(o string) bool { return o == id })
	if on {
		others = append(others, id)
	}
	s.faults.FailPatients = others
}

// strike returns the rule that breaks this call of op; the zero Rule leaves it alone.
func (s *Server) matchRule(op string) Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.faults
	if len(f.Operations) == 0 || slices.Contains(f.Operations, op) {
		switch {
		case f.Hang:
			return Rule{Fault: FaultHang}
		case f.Maintenance:
			return Rule{Fault: FaultMaintenance}
		case f.Outage:
			return Rule{Fault: FaultOutage}
		case f.CutBody:
			return Rule{Fault: FaultCut}
		}
	}
	for i := range f.Rules {
		r := &f.Rules[i]
		if len(r.Operations) > 0 && !slices.Contains(r.Operations, op) || r.Rate > 0 && s.faultRand.Float64() >= r.Rate {
			continue
		}
		matched := *r
		if r.Count == 1 {
			f.Rules = slices.Delete(f.Rules, i, i+1)
		} else if r.Count > 1 {
			r.Count--
		}
		return matched
	}
	return Rule{}
}

// brokenBy answers the call without any work, when the rule wants that.
func (x *exchange) failEarly(r Rule) (outcome Outcome, done bool) {
	switch r.Fault {
	case FaultHang:
		<-x.r.Context().Done()
		return OutcomeHang, true
	case FaultMaintenance:
		x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
		x.w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = x.w.Write([]byte("<html><body><h1>Service Unavailable</h1></body></html>"))
		return OutcomeMaintenance, true
	case FaultOutage:
		return x.fault(nsDispatcher, "InternalServiceFault", textInternal), true
	}
	return "", false
}

// cut promises the whole body, sends half of it and drops the connection.
func (x *exchange) sendTruncated(body []byte) Outcome {
	x.sendHeader(body)
	_, _ = x.w.Write(body[:len(body)/2])
	_ = http.NewResponseController(x.w).Flush()
	return OutcomeCut
}

// trickle sends the body byte by byte, and reports whether the caller listened to the end.
func (x *exchange) sendSlowly(body []byte, pause time.Duration) bool {
	x.sendHeader(body)
	tick := time.NewTicker(max(pause, time.Millisecond))
	defer tick.Stop()
	for i := range body {
		_, _ = x.w.Write(body[i : i+1])
		_ = http.NewResponseController(x.w).Flush()
		select {
		case <-tick.C:
		case <-x.r.Context().Done():
			return false
		}
	}
	return true
}

func (x *exchange) sendHeader(body []byte) {
	x.w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(http.StatusOK)
}

// wait is for work that goes on after its caller left, whose context can end no more.
func wait(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}
