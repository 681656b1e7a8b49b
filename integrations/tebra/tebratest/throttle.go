package tebratest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Throttles say how the simulator limits calls, per account and operation, by the real time at which they arrive. The
// zero Throttles are the vendor's documented intervals, at which a call spaced by exactly one interval is still refused.
type Throttles struct {
	Off bool `json:"off"`
	// Intervals go before the documented ones; an entry of 0 is no limit. They are by operation, in the contract's spelling or
	// in that of the vendor's table, which Server.Throttles gives back; an operation in both has the contract's.
	// GetCustomerIdFromKey is never limited: its answer has no place for a refusal.
	Intervals map[string]time.Duration `json:"intervals_ns"`
	Scale     float64                  `json:"scale"`     // multiplies the intervals that are not in Intervals, for benches in a hurry; 0 is 1
	Margin    time.Duration            `json:"margin_ns"` // what the server really wants beyond the interval that it names
	Extend    bool                     `json:"extend"`    // a refused call starts the window anew
}

// documented is the table of the vendor's guide, in its own spelling.
var documented = map[string]time.Duration{
	"GetPatient": 250 * time.Millisecond, "SearchPatient": 250 * time.Millisecond,
	"GetAppointment": 500 * time.Millisecond, "GetEncounterDetails": 500 * time.Millisecond,
	"GetPractices": 500 * time.Millisecond, "GetProcedureCode": 500 * time.Millisecond,
	"GetProviders": 500 * time.Millisecond, "GetServiceLocations": 500 * time.Millisecond,
	"CreateAppointment": 500 * time.Millisecond, "CreateEncounter": 500 * time.Millisecond,
	"CreatePatient": 500 * time.Millisecond, "CreatePayments": 500 * time.Millisecond,
	"UpdateAppointment": 500 * time.Millisecond, "UpdateEncounterStatus": 500 * time.Millisecond,
	"DeleteAppointment": 500 * time.Millisecond,
	"GetAppointments":   time.Second, "GetCharges": time.Second, "GetExternalVendors": time.Second,
	"GetPatients": time.Second, "GetPayments": time.Second, "GetTransactions": time.Second, "UpdatePatient": time.Second,
	"GetAllPatients": 5 * time.Second, "GetThrottles": 5 * time.Second,
}

// reported are the intervals that other integrators keep to. The vendor's own table does not list them.
var reported = map[string]time.Duration{"GetAppointmentReasons": time.Second, "UpdateAppointmentStatus": 500 * time.Millisecond}

// spelled is how the table calls what the contract calls otherwise.
var tableNames = map[string]string{"GetProcedureCodes": "GetProcedureCode", "CreatePayment": "CreatePayments"}

// listed is the operation's name in the table.
func tableName(op string) string { return cmp.Or(tableNames[op], op) }

// listed are the same limits with every operation in the table's spelling, in a map of their own.
func (t Throttles) normalized() Throttles {
	if t.Intervals == nil {
		return t
	}
	intervals := map[string]time.Duration{}
	for op, d := range t.Intervals {
		if _, known := intervals[tableName(op)]; !known || tableNames[op] != "" {
			intervals[tableName(op)] = d
		}
	}
	t.Intervals = intervals
	return t
}

// check says what of the limits means nothing.
func (t Throttles) check() error {
	if t.Scale < 0 || t.Margin < 0 {
		return errors.New("scale or margin is negative")
	}
	for op, d := range t.Intervals {
		if _, known := documented[tableName(op)]; !known && contract.byName[op] == nil {
			return fmt.Errorf("%q is no operation", op)
		}
		if op == "GetCustomerIdFromKey" {
			return errors.New("GetCustomerIdFromKey is never limited")
		}
		if d < 0 {
			return fmt.Errorf("the interval of %s is negative", op)
		}
	}
	return nil
}

// interval is what the server says the operation's spacing is; 0 is no limit.
func (t Throttles) interval(op string) time.Duration {
	if t.Off {
		return 0
	}
	if d, ok := t.Intervals[tableName(op)]; ok {
		return d
	}
	d := cmp.Or(documented[tableName(op)], reported[op])
	if t.Scale > 0 {
		return time.Duration(float64(d) * t.Scale)
	}
	return d
}

// records are the rows of the vendor's table, one for an operation.
func (t Throttles) tableRows() []record {
	names := maps.Clone(documented)
	maps.Copy(names, t.Intervals)
	var rows []record
	for _, op := range slices.Sorted(maps.Keys(names)) {
		ms := float64(t.interval(op)) / float64(time.Millisecond)
		rows = append(rows, record{"Endpoint": op, "ThrottleTimeMs": fmt.Sprintf("%g", ms)})
	}
	return rows
}

type throttleKey struct {
	account int
	op      string
}

type throttle struct {
	config Throttles
	mu     sync.Mutex
	last   map[throttleKey]time.Time
}

// Throttles returns the limits as they stand.
func (s *Server) Throttles() Throttles {
	s.throttle.mu.Lock()
	defer s.throttle.mu.Unlock()
	return s.throttle.config.normalized()
}

// SetThrottles changes the limits from the next call on. What arrived before still counts.
func (s *Server) SetThrottles(t Throttles) {
	s.throttle.mu.Lock()
	defer s.throttle.mu.Unlock()
	s.throttle.config = t.normalized()
}

// refuse says when a call arrived, which is now: under the lock, so that calls are decided in the order of their arrivals.
// It reports whether that is too soon, and the interval to name.
func (t *throttle) arrive(account int, op string) (arrived time.Time, interval time.Duration, throttled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	arrived, interval = time.Now(), t.config.interval(op)
	key := throttleKey{account, op}
	last, before := t.last[key]
	throttled = before && interval > 0 && arrived.Sub(last) <= interval+t.config.Margin
	if !throttled || t.config.Extend {
		t.last[key] = arrived
	}
	return arrived, interval, throttled
}

// throttleText is the vendor's wording, in whole milliseconds that are long enough.
func throttleText(op string, interval time.Duration) string {
	return fmt.Sprintf("429: %s endpoint requested more than allowed over time interval %d milliseconds. "+
		"Please wait to try again.", op, (interval + time.Millisecond - 1).Milliseconds())
}

// delay waits as long as the vendor would work on an answer; false when the caller left meanwhile.
func (s *Server) delay(ctx context.Context) bool {
	s.mu.Lock()
	d := s.config.Latency.draw(s.latencyRand.NormFloat64)
	s.mu.Unlock()
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// draw turns a standard normal draw into a log-normal one through both quantiles; 1.645 is the normal one's own p95.
// Beyond twenty medians it is cut: one draw in a million should not hold up a bench.
func (l Latency) draw(normal func() float64) time.Duration {
	if l.P50 <= 0 {
		return 0
	}
	sigma := math.Log(float64(max(l.P95, l.P50))/float64(l.P50)) / 1.645
	return min(time.Duration(float64(l.P50)*math.Exp(sigma*normal())), 20*l.P50)
}
