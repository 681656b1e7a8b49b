package budget

import "time"

// documented are the intervals of the vendor's operations, as its documentation names them. A test
// of package work compares them with those of the vendor's client, which this package does not
// know.
var documented = map[string]time.Duration{
	"CreateAppointment":        500 * time.Millisecond,
	"CreatePatient":            500 * time.Millisecond,
	"DeleteAppointment":        500 * time.Millisecond,
	"GetAllPatients":           5 * time.Second,
	"GetAppointment":           500 * time.Millisecond,
	"GetAppointmentReasons":    time.Second,
	"GetAppointments":          time.Second,
	"GetCustomerIdFromKey":     time.Second,
	"GetPatient":               250 * time.Millisecond,
	"GetPatients":              time.Second,
	"GetPractices":             500 * time.Millisecond,
	"GetProcedureCodes":        500 * time.Millisecond,
	"GetProviders":             500 * time.Millisecond,
	"GetServiceLocations":      500 * time.Millisecond,
	"GetThrottles":             5 * time.Second,
	"UpdateAppointment":        500 * time.Millisecond,
	"UpdateAppointmentStatus":  500 * time.Millisecond,
	"UpdatePatient":            time.Second,
	"UpdatePatientsExternalID": time.Second,
}

// Documented returns the documented interval of an operation of the vendor, and 0 if it is unknown.
func Documented(operation string) time.Duration { return documented[operation] }
