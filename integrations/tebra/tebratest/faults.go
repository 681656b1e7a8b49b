package tebratest

import (
	"net/http"
	"slices"
	"strconv"
)

// Faults are the switches that break the vendor. The zero Faults break nothing. Its JSON form is what /control/faults
// takes and gives.
type Faults struct {
	Outage         bool     `json:"outage"`          // InternalServiceFault, as in hours of real ones
	Maintenance    bool     `json:"maintenance"`     // HTTP 503 with a page of HTML
	CutBody        bool     `json:"cut_body"`        // the work is done, and the connection dies half way through the answer
	Hang           bool     `json:"hang"`            // no answer until the caller leaves
	Operations     []string `json:"operations"`      // limits the switches above to these operations; empty is all
	FailPatients   []string `json:"fail_patients"`   // GetPatient of these is an InternalServiceFault
	AbsentPatients []string `json:"absent_patients"` // GetPatient of these answers nothing, though lists name them
	Projection     bool     `json:"projection"`      // any true member of Fields makes the answer one placeholder row
	LongRanges     bool     `json:"long_ranges"`     // ranges over 60 days are answered instead of failing
}

func (f Faults) clone() Faults {
	f.Operations = slices.Clone(f.Operations)
	f.FailPatients = slices.Clone(f.FailPatients)
	f.AbsentPatients = slices.Clone(f.AbsentPatients)
	return f
}

func (f Faults) affects(op string) bool {
	return len(f.Operations) == 0 || slices.Contains(f.Operations, op)
}

// Faults returns the switches as they stand.
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

// brokenBy answers the call as the switches want; done is false when they leave it alone.
func (x *exchange) brokenBy(f Faults) (outcome Outcome, done bool) {
	switch {
	case !f.affects(x.op):
		return "", false
	case f.Hang:
		<-x.r.Context().Done()
		return OutcomeHang, true
	case f.Maintenance:
		x.w.Header().Set("Content-Type", "text/html; charset=utf-8")
		x.w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = x.w.Write([]byte("<html><body><h1>Service Unavailable</h1></body></html>"))
		return OutcomeMaintenance, true
	case f.Outage:
		return x.fault(nsDispatcher, "InternalServiceFault", textInternal), true
	}
	return "", false
}

// cut promises the whole body, sends half of it and drops the connection.
func (x *exchange) cut(body []byte) Outcome {
	x.w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(http.StatusOK)
	_, _ = x.w.Write(body[:len(body)/2])
	_ = http.NewResponseController(x.w).Flush()
	return OutcomeCut
}
