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

// Throttles configure the simulator's limits, which apply per account and operation and use the
// real time of arrival. The zero Throttles are the vendor's documented intervals. A call after
// exactly one interval is still throttled.
type Throttles struct {
	Off bool `json:"off"`
	// Intervals override the documented ones; 0 means no limit. Keys are operations in the spelling
	// of the contract or of the vendor's table. Server.Throttles returns the table's spelling. If a
	// map contains both spellings, the contract's applies. GetCustomerIdFromKey is never limited,
	// because its response cannot report throttling.
	Intervals map[string]time.Duration `json:"intervals_ns"`
	// Scale multiplies the intervals that are not in Intervals, to shorten benchmarks; 0 means 1.
	Scale float64 `json:"scale"`
	// Margin is the time that the server requires in addition to the interval that it names.
	Margin time.Duration `json:"margin_ns"`
	// Extend makes a throttled call restart the interval.
	Extend bool `json:"extend"`
}

// documented is the table in the vendor's guide, in its spelling.
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

// reported are intervals that other integrators use. The vendor's table does not contain them.
var reported = map[string]time.Duration{"GetAppointmentReasons": time.Second, "UpdateAppointmentStatus": 500 * time.Millisecond}

// tableNames maps the contract's names of operations to the table's, where they differ.
var tableNames = map[string]string{"GetProcedureCodes": "GetProcedureCode", "CreatePayment": "CreatePayments"}

// tableName returns the operation's name in the table.
func tableName(op string) string { return cmp.Or(tableNames[op], op) }

// normalized returns a copy with all operations in the table's spelling.
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

// check returns an error if a limit is invalid.
func (t Throttles) check() error {
	if t.Scale < 0 || t.Margin < 0 {
		return errors.New("scale or margin is negative")
	}
	for op, d := range t.Intervals {
		if _, known := documented[tableName(op)]; !known && contract.byName[op] == nil {
			return fmt.Errorf("unknown operation %q", op)
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

// interval returns the interval that the server names for the operation; 0 means no limit.
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

// tableRows returns the vendor's table, one row per operation.
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

// Throttles returns the current limits.
func (s *Server) Throttles() Throttles {
	s.throttle.mu.Lock()
	defer s.throttle.mu.Unlock()
	return s.throttle.config.normalized()
}

// SetThrottles replaces the limits for subsequent calls. Earlier arrivals still count.
func (s *Server) SetThrottles(t Throttles) {
	s.throttle.mu.Lock()
	defer s.throttle.mu.Unlock()
	s.throttle.config = t.normalized()
}

// arrive records the arrival of a call, which happens under the lock so that calls are decided in
// order of arrival. It returns the time of arrival, the interval to name, and whether the call is
// throttled.
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

// throttleText returns the vendor's text. The interval is rounded up to whole milliseconds.
func throttleText(op string, interval time.Duration) string {
	return fmt.Sprintf("429: %s endpoint requested more than allowed over time interval %d milliseconds. "+
		"Please wait to try again.", op, (interval + time.Millisecond - 1).Milliseconds())
}

// delay waits for the duration of the vendor's work. It returns false if the caller gave up in the
// meantime.
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

// draw converts a standard normal value into a log-normal one with both quantiles; 1.645 is the p95
// of the standard normal distribution. The result is limited to twenty medians, so that a rare
// value does not stall a benchmark.
func (l Latency) draw(normal func() float64) time.Duration {
	if l.P50 <= 0 {
		return 0
	}
	sigma := math.Log(float64(max(l.P95, l.P50))/float64(l.P50)) / 1.645
	return min(time.Duration(float64(l.P50)*math.Exp(sigma*normal())), 20*l.P50)
}
