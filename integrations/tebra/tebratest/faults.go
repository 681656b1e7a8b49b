package tebratest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Faults are the settings that inject faults. The zero Faults inject none. /control/faults reads
// and writes them as JSON.
type Faults struct {
	// Outage: calls return InternalServiceFault, as in real outages.
	Outage bool `json:"outage"`
	// Maintenance: calls return HTTP 503 with an HTML page.
	Maintenance bool `json:"maintenance"`
	// CutBody: calls take effect, and the connection breaks in mid-response.
	CutBody bool `json:"cut_body"`
	// Hang: calls have no effect and no response until the caller gives up.
	Hang bool `json:"hang"`
	// Operations limits the settings above to these operations; empty means all.
	Operations []string `json:"operations"`
	// Rules select calls more precisely. The first rule that matches a call applies.
	Rules []Rule `json:"rules"`
	// FailPatients lists patients for whom GetPatient returns InternalServiceFault and who are
	// missing from lists.
	FailPatients []string `json:"fail_patients"`
	// FailDays lists days, as 2006-01-02 in the practice's zone. GetAppointments for a range that
	// contains one of them returns InternalServiceFault.
	FailDays []string `json:"fail_days"`
	// AbsentPatients lists patients for whom GetPatient returns no patient, although lists contain
	// them.
	AbsentPatients []string `json:"absent_patients"`
	// Projection makes lists return one placeholder row if any member of Fields is true.
	Projection bool `json:"projection"`
	// LongRanges makes ranges of more than 60 days succeed.
	LongRanges bool `json:"long_ranges"`
	// Stale is the age, in real time, of the data that reads of patients and appointments return.
	Stale time.Duration `json:"stale_ns"`
	// Updates selects what happens to members that an update leaves out: "clobber" clears them and
	// "merge" keeps them. "" is the behavior that integrators report: appointments are clobbered
	// and patients are merged.
	Updates string `json:"updates"`
	// ClockOffset is added to the vendor's clock, which timestamps changes and determines the
	// current day.
	ClockOffset time.Duration `json:"clock_offset_ns"`
}

// Fault is a way in which a call can fail.
type Fault string

// The faults that a Rule can inject.
const (
	// FaultOutage: the call returns InternalServiceFault.
	FaultOutage Fault = "outage"
	// FaultMaintenance: the call returns HTTP 503 with an HTML page.
	FaultMaintenance Fault = "maintenance"
	// FaultCut: the call takes effect, and half of the response arrives.
	FaultCut Fault = "cut"
	// FaultTrickle: the call takes effect, and the response arrives byte by byte at intervals of
	// Rule.For.
	FaultTrickle Fault = "trickle"
	// FaultHang: the call has no effect, and no response until the caller gives up.
	FaultHang Fault = "hang"
	// FaultEffectThenHang: the call takes effect, but has no response until the caller gives up.
	FaultEffectThenHang Fault = "effect-then-hang"
	// FaultHangThenEffect: the call has no response until the caller gives up. It takes effect
	// Rule.For later.
	FaultHangThenEffect Fault = "hang-then-effect"
	// FaultSilentRefusal: the response reports success, but the call has no effect.
	FaultSilentRefusal Fault = "silent-refusal"
	// FaultLocked: the call is refused because the login is locked.
	FaultLocked Fault = "locked"
	// FaultTooMany: the response is HTTP 429 with Retry-After, which is Rule.For in whole seconds.
	FaultTooMany Fault = "too-many"
	// FaultOdd: the call has the oddity of calls that Rule.Odd names, whether it is switched on or
	// not.
	FaultOdd Fault = "odd"
	// FaultReset: the connection is reset. The call has neither an effect nor a response.
	FaultReset Fault = "reset"
	// FaultForeignRows: a list contains rows of a practice that was not requested.
	FaultForeignRows Fault = "foreign-rows"
)

// Rule injects a fault into some calls.
type Rule struct {
	Fault      Fault    `json:"fault"`
	Operations []string `json:"operations"` // empty means all
	// Accounts are customer keys; empty means all.
	Accounts []string `json:"accounts,omitempty"`
	// Count is the number of calls before the rule expires; 0 means no limit.
	Count int `json:"count"`
	// Rate is the fraction of calls that the rule applies to, drawn with the seed; 0 means all.
	Rate float64 `json:"rate"`
	// For is used by FaultTrickle, FaultHangThenEffect and FaultTooMany.
	For time.Duration `json:"for_ns"`
	Odd Oddity        `json:"odd,omitzero"` // of FaultOdd
}

// allFaults are the faults that a Rule may name.
var allFaults = []Fault{
	FaultOutage, FaultMaintenance, FaultCut, FaultTrickle, FaultHang, FaultEffectThenHang, FaultHangThenEffect, FaultSilentRefusal,
	FaultForeignRows, FaultLocked, FaultTooMany, FaultOdd, FaultReset,
}

// check returns an error if a setting is invalid or would have no effect.
func (f Faults) check() error {
	if f.Updates != "" && f.Updates != "clobber" && f.Updates != "merge" {
		return errors.New("updates must be clobber or merge")
	}
	if f.Stale < 0 {
		return errors.New("stale is negative")
	}
	for _, day := range f.FailDays {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return errors.New("fail_days has a day that is not a date")
		}
	}
	named := slices.Clone(f.Operations)
	for i, r := range f.Rules {
		if !slices.Contains(allFaults, r.Fault) {
			return fmt.Errorf("rule %d has an unknown fault", i)
		}
		if r.Count < 0 || r.Rate < 0 || r.Rate > 1 || r.For < 0 {
			return fmt.Errorf("rule %d has a count, rate or duration out of range", i)
		}
		if (r.Fault == FaultOdd) != isCallOddity(r.Odd) {
			return fmt.Errorf("rule %d must name an oddity of calls, or none", i)
		}
		named = append(named, r.Operations...)
	}
	for _, op := range named {
		if contract.byName[op] == nil {
			return fmt.Errorf("unknown operation %q", op)
		}
	}
	return nil
}

func (f Faults) clone() Faults {
	f.Operations = slices.Clone(f.Operations)
	f.FailPatients = slices.Clone(f.FailPatients)
	f.FailDays = slices.Clone(f.FailDays)
	f.AbsentPatients = slices.Clone(f.AbsentPatients)
	f.Rules = slices.Clone(f.Rules)
	for i := range f.Rules {
		f.Rules[i].Operations = slices.Clone(f.Rules[i].Operations)
		f.Rules[i].Accounts = slices.Clone(f.Rules[i].Accounts)
	}
	return f
}

// Faults returns the current settings, without the rules that have expired.
func (s *Server) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.clone()
}

// SetFaults replaces all settings. Calls in progress keep the previous ones.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f.clone()
}

// Outage starts or ends an outage of every operation.
func (s *Server) Outage(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.Outage = on
}

// FailPatient makes reads of a patient fail or succeed again.
func (s *Server) FailPatient(id string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	others := slices.DeleteFunc(slices.Clone(s.faults.FailPatients), func(o string) bool { return o == id })
	if on {
		others = append(others, id)
	}
	s.faults.FailPatients = others
}

// selects reports whether the rule is for calls of an operation with a customer key.
func (r *Rule) selects(op, customerKey string) bool {
	return (len(r.Operations) == 0 || slices.Contains(r.Operations, op)) &&
		(len(r.Accounts) == 0 || slices.Contains(r.Accounts, customerKey))
}

// matchRule returns the rule that applies to this call, or the zero Rule.
func (s *Server) matchRule(op, customerKey string) Rule {
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
		if !r.selects(op, customerKey) || r.Rate > 0 && s.faultRand.Float64() >= r.Rate {
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

// failEarly responds without any effect if the rule requires that.
func (x *exchange) failEarly(r Rule) (outcome Outcome, done bool) {
	switch r.Fault {
	case FaultHang:
		<-x.r.Context().Done()
		return OutcomeHang, true
	case FaultMaintenance:
		inFront(http.StatusServiceUnavailable, htmlType, "<html><body><h1>Service Unavailable</h1></body></html>", nil)(x)
		return OutcomeMaintenance, true
	case FaultReset:
		x.reset()
		return OutcomeReset, true
	case FaultOutage:
		return x.fault(nsDispatcher, "InternalServiceFault", textInternal), true
	case FaultLocked:
		return x.reply(businessError("Your account has been locked out after too many failed login attempts."), OutcomeUnauthenticated), true
	case FaultTooMany:
		seconds := strconv.Itoa(int(r.For.Seconds()))
		return inFront(http.StatusTooManyRequests, "", "", map[string]string{"Retry-After": seconds})(x), true
	}
	return "", false
}

// resetter is a response whose connection can be reset without one.
type resetter interface{ reset() }

// reset resets the caller's connection.
func (x *exchange) reset() {
	if r, ok := x.w.(resetter); ok {
		r.reset()
		return
	}
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server closes the connection
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}

// sendTruncated announces the complete body, sends half of it and closes the connection.
func (x *exchange) sendTruncated(body []byte) Outcome {
	x.sendHeader(body)
	_, _ = x.w.Write(body[:len(body)/2])
	_ = http.NewResponseController(x.w).Flush()
	return OutcomeCut
}

// sendSlowly sends the body byte by byte and reports whether the caller stayed until the end.
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
	x.w.Header().Set("Content-Type", xmlType)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(http.StatusOK)
}

// wait delays an effect that happens after the caller has gone and its context has ended.
func wait(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}
