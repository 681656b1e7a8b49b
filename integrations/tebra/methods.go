package tebra

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Operation is the policy of one vendor operation: what a caller, a gate or an operator must know before calling it.
type Operation struct {
	Name       string        // as in the WSDL and in SOAPAction
	Class      Class         // what kind of call it is
	Interval   time.Duration // the vendor's documented spacing per account; GetThrottles is the authority at run time
	Timeout    time.Duration // how long one attempt may take, from dial to the last byte
	Idempotent bool          // repeating it later undoes nothing that others did meanwhile
	PHI        bool          // its answer or its request is about a patient: audit every call
	MaxDays    int           // longest date range in days that one call may ask for; 0 when none is known
	MaxRows    int           // where the vendor cuts its list; 0 when it answers one record
	PageRows   int           // most rows of a page, for what is read page by page from a key; 0 when there are no pages
	Assumed    bool          // not in the contract of June 2025: known through other integrators' clients only

	payload    string // the member of the result without which a success is no success; "" is IsError's own false
	parameter  string // the element around the request's members; "" is "request"
	bare       bool   // its own members are in the namespace without the slash
	nullable   bool   // its request may say nil
	headerless bool   // credentials stand in the request itself, and the answer has no error and no security part
}

func (op *Operation) wrapper() string { return cmp.Or(op.parameter, "request") }

// One row per operation the client speaks. Intervals: the vendor's API guide of April 2025, section 3.3; it does not list
// UpdatePatientsExternalID, GetCustomerIdFromKey and those that are Assumed, which get a second each, or what another
// integrator keeps to. Timeouts: calls take 5 s as a rule and 6.6 s at p95, lists are slower; integrators use 30 s. Sixty
// days and 10,000 rows are what integrators ran into; the contract names neither.
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

// Operations returns the policy of every operation the client speaks, by name. The slice is the caller's own.
func Operations() []Operation {
	all := make([]Operation, 0, len(operations))
	for _, op := range operations {
		all = append(all, *op)
	}
	slices.SortFunc(all, func(a, b Operation) int { return strings.Compare(a.Name, b.Name) })
	return all
}
