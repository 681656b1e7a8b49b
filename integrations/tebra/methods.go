package tebra

import (
	"slices"
	"time"
)

// Operation is the policy of one vendor operation: what a caller, a gate or an operator must know before calling it.
type Operation struct {
	Name       string        // as in the WSDL and in SOAPAction
	Class      Class         // what kind of call it is
	Interval   time.Duration // the vendor's documented spacing per account; GetThrottles is the authority at run time
	Timeout    time.Duration // how long one attempt may take, from dial to the last byte
	Idempotent bool          // repeating it changes nothing at the vendor
	PHI        bool          // its answer or its request is about a patient: audit every call
	MaxDays    int           // longest date range in days that the vendor answers; 0 when it takes no range

	payload string // the member of the result without which a success is no success
}

// One row per operation the client speaks. Intervals: the vendor's API guide of April 2025, section 3.3. Timeouts: calls
// take 5 s as a rule and 6.6 s at p95, lists are slower; integrators use 30 s.
var (
	opGetAppointments = Operation{
		Name: "GetAppointments", Class: ReadList, Interval: time.Second, Timeout: 30 * time.Second,
		Idempotent: true, PHI: true, MaxDays: 60, payload: "Appointments",
	}
	opGetPatient = Operation{
		Name: "GetPatient", Class: ReadOne, Interval: 250 * time.Millisecond, Timeout: 20 * time.Second,
		Idempotent: true, PHI: true, payload: "Patient",
	}
	opGetProviders = Operation{
		Name: "GetProviders", Class: ReadList, Interval: 500 * time.Millisecond, Timeout: 30 * time.Second,
		Idempotent: true, payload: "Providers",
	}
	opGetThrottles = Operation{
		Name: "GetThrottles", Class: System, Interval: 5 * time.Second, Timeout: 20 * time.Second,
		Idempotent: true, payload: "ThrottleDetails",
	}
)

var operations = []*Operation{&opGetAppointments, &opGetPatient, &opGetProviders, &opGetThrottles}

// Operations returns the policy of every operation the client speaks, by name. The slice is the caller's own.
func Operations() []Operation {
	all := make([]Operation, 0, len(operations))
	for _, op := range operations {
		all = append(all, *op)
	}
	slices.SortFunc(all, func(a, b Operation) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}
