package tebra

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Operation describes one vendor operation: what a caller, a Gate or an operator must know before
// calling it.
type Operation struct {
	Name  string // as in the WSDL and in SOAPAction
	Class Class  // the class of its calls
	// Interval is the vendor's documented minimum spacing of calls per account. At run time,
	// GetThrottles is authoritative.
	Interval time.Duration
	Timeout  time.Duration // of one attempt, from dialing to the last byte
	// Idempotent reports that repeating a call later does not undo changes made by others in the
	// meantime.
	Idempotent bool
	// PHI reports that the request or the response concerns a patient, so every call must be
	// audited.
	PHI     bool
	MaxDays int // longest date range of one call in days; 0 if no limit is known
	MaxRows int // where the vendor cuts the list; 0 for single records
	// PageRows is the maximum number of rows of a page, for operations that are read page by page
	// from a key; 0 for others.
	PageRows int
	// Assumed reports that the operation is not in the contract of June 2025 and is known only
	// through other integrators' clients.
	Assumed bool

	// payload is the member without which a response is not a success; "" means that IsError must
	// be present.
	payload   string
	parameter string // the element around the request's members; "" is "request"
	bare      bool   // its own members are in the namespace without the slash
	nullable  bool   // its request may contain nil members
	// headerless: the request contains the credentials directly, and the response has no error and
	// no security part.
	headerless bool
}

func (op *Operation) wrapper() string { return cmp.Or(op.parameter, "request") }

// One variable per operation. Intervals are those of the vendor's API guide of April 2025, section
// 3.3. It does not list UpdatePatientsExternalID, GetCustomerIdFromKey and the operations marked
// Assumed; these have one second, or the interval that another integrator uses. Timeouts: calls
// usually take 5 s (p95 6.6 s), lists take longer, and integrators use 30 s. The limits of 60 days
// and 10,000 rows were observed by integrators; the contract states neither.
var (
	opGetPatient = Operation{
		Name: "GetPatient", Class: ReadOne, Interval: 250 * time.Millisecond, Timeout: 20 * time.Second,
		Idempotent: true, PHI: true, payload: "Patient",
	}
	opGetPatients = Operation{
		Name: "GetPatients", Class: ReadList, Interval: time.Second, Timeout: 60 * time.Second,
		Idempotent: true, PHI: true, MaxRows: maxRows, payload: "Patients",
	}
	opGetAllPatients = Operation{
		Name: "GetAllPatients", Class: ReadList, Interval: 5 * time.Second, Timeout: 60 * time.Second,
		Idempotent: true, PHI: true, PageRows: maxPageSize, payload: "Patients",
	}
	opGetAppointment = Operation{
		Name: "GetAppointment", Class: ReadOne, Interval: 500 * time.Millisecond, Timeout: 20 * time.Second,
		Idempotent: true, PHI: true, payload: "Appointment",
	}
	opGetAppointments = Operation{
		Name: "GetAppointments", Class: ReadList, Interval: time.Second, Timeout: 30 * time.Second,
		Idempotent: true, PHI: true, MaxDays: 60, MaxRows: maxRows, payload: "Appointments",
	}
	opCreateAppointment = Operation{
		Name: "CreateAppointment", Class: Write, Interval: 500 * time.Millisecond, Timeout: 30 * time.Second,
		PHI: true, payload: "Appointment",
	}
	opUpdateAppointment = Operation{
		Name: "UpdateAppointment", Class: Write, Interval: 500 * time.Millisecond, Timeout: 30 * time.Second,
		PHI: true, payload: "Appointment",
	}
	opUpdateAppointmentStatus = Operation{
		Name: "UpdateAppointmentStatus", Class: Write, Interval: 500 * time.Millisecond, Timeout: 30 * time.Second,
		PHI: true, Assumed: true,
	}
	opDeleteAppointment = Operation{
		Name: "DeleteAppointment", Class: Write, Interval: 500 * time.Millisecond, Timeout: 30 * time.Second,
		Idempotent: true, PHI: true, payload: "Deleted",
	}
	opGetAppointmentReasons = Operation{
		Name: "GetAppointmentReasons", Class: ReadList, Interval: time.Second, Timeout: 30 * time.Second,
		Idempotent: true, Assumed: true, MaxRows: maxRows, payload: "AppointmentReasons",
	}
	opCreatePatient = Operation{
		Name: "CreatePatient", Class: Write, Interval: 500 * time.Millisecond, Timeout: 30 * time.Second,
		PHI: true, payload: "PatientID", nullable: true,
	}
	opUpdatePatient = Operation{
		Name: "UpdatePatient", Class: Write, Interval: time.Second, Timeout: 30 * time.Second,
		PHI: true, payload: "PatientID", parameter: "UpdatePatientReq", nullable: true,
	}
	opUpdatePatientsExternalID = Operation{
		Name: "UpdatePatientsExternalID", Class: Write, Interval: time.Second, Timeout: 30 * time.Second,
		PHI: true,
	}
	opGetPractices = Operation{
		Name: "GetPractices", Class: ReadList, Interval: 500 * time.Millisecond, Timeout: 30 * time.Second,
		Idempotent: true, MaxRows: maxRows, payload: "Practices",
	}
	opGetProviders = Operation{
		Name: "GetProviders", Class: ReadList, Interval: 500 * time.Millisecond, Timeout: 30 * time.Second,
		Idempotent: true, MaxRows: maxRows, payload: "Providers",
	}
	opGetServiceLocations = Operation{
		Name: "GetServiceLocations", Class: ReadList, Interval: 500 * time.Millisecond, Timeout: 30 * time.Second,
		Idempotent: true, MaxRows: maxRows, payload: "ServiceLocations", bare: true,
	}
	opGetProcedureCodes = Operation{
		Name: "GetProcedureCodes", Class: ReadList, Interval: 500 * time.Millisecond, Timeout: 30 * time.Second,
		Idempotent: true, MaxRows: maxRows, payload: "ProcedureCodes", bare: true,
	}
	opGetThrottles = Operation{
		Name: "GetThrottles", Class: System, Interval: 5 * time.Second, Timeout: 20 * time.Second,
		Idempotent: true, payload: "ThrottleDetails",
	}
	opGetCustomerIDFromKey = Operation{
		Name: "GetCustomerIdFromKey", Class: System, Interval: time.Second, Timeout: 20 * time.Second,
		Idempotent: true, payload: "CustomerId", headerless: true,
	}
)

var operations = []*Operation{
	&opGetPatient, &opGetPatients, &opGetAllPatients, &opCreatePatient, &opUpdatePatient, &opUpdatePatientsExternalID,
	&opGetAppointment, &opGetAppointments, &opCreateAppointment, &opUpdateAppointment, &opUpdateAppointmentStatus,
	&opDeleteAppointment, &opGetAppointmentReasons, &opGetPractices, &opGetProviders, &opGetServiceLocations,
	&opGetProcedureCodes, &opGetThrottles, &opGetCustomerIDFromKey,
}

// Operations returns all operations that the client supports, sorted by name. The caller may modify
// the slice.
func Operations() []Operation {
	all := make([]Operation, 0, len(operations))
	for _, op := range operations {
		all = append(all, *op)
	}
	slices.SortFunc(all, func(a, b Operation) int { return strings.Compare(a.Name, b.Name) })
	return all
}
