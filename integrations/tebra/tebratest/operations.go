package tebratest

import (
	"slices"
	"strings"
)

// operations implement the vendor's operations. They run under the server's lock; an error becomes
// an InternalServiceFault. The contract defines their requests and responses.
var operations = map[string]func(*handler) (result, error){
	"GetPatient":               (*handler).getPatient,
	"GetPatients":              (*handler).getPatients,
	"GetAllPatients":           (*handler).getAllPatients,
	"CreatePatient":            (*handler).createPatient,
	"UpdatePatient":            (*handler).updatePatient,
	"UpdatePatientsExternalID": (*handler).updatePatientsExternalID,
	"GetAppointment":           (*handler).getAppointment,
	"GetAppointments":          (*handler).getAppointments,
	"CreateAppointment":        (*handler).createAppointment,
	"UpdateAppointment":        (*handler).updateAppointment,
	"UpdateAppointmentStatus":  (*handler).updateAppointmentStatus,
	"DeleteAppointment":        (*handler).deleteAppointment,
	"GetAppointmentReasons":    (*handler).getAppointmentReasons,
	"GetPractices":             (*handler).getPractices,
	"GetProviders":             (*handler).getProviders,
	"GetServiceLocations":      (*handler).getServiceLocations,
	"GetProcedureCodes":        (*handler).getProcedureCodes,
	"GetThrottles":             (*handler).getThrottles,
	"GetCustomerIdFromKey":     (*handler).getCustomerIDFromKey,
}

// maxRows is where the vendor silently cuts its lists.
const maxRows = 10_000

// listResult is the result of a filtered read, limited to maxRows and to the requested columns.
func (h *handler) listResult(name string, all rows) result {
	all = h.foreignRows(h.oddRows(name, all))
	wanted := h.requestedColumns()
	if len(wanted) > 0 && h.faults.Projection {
		all = rowsOf()
	}
	return result{members: record{name: rows(func(yield func(record) bool) {
		n := 0
		for r := range all {
			if len(wanted) > 0 {
				for column := range r {
					if !wanted[column] {
						delete(r, column)
					}
				}
			}
			if n++; n > maxRows || !yield(r) {
				return
			}
		}
	})}}
}

// requestedColumns returns the columns that Fields selects.
func (h *handler) requestedColumns() map[string]bool {
	fields, _ := h.in.object("Fields")
	wanted := map[string]bool{}
	for name := range fields {
		if fields.is(name) {
			wanted[name] = true
		}
	}
	return wanted
}

// foreignClinic returns a clinic that is not in except, if the call is to return foreign rows, and
// nil otherwise.
func (h *handler) foreignClinic(except []*Clinic) *Clinic {
	if !h.foreign {
		return nil
	}
	for _, c := range slices.Backward(h.Server.clinics) {
		if !slices.Contains(except, c) {
			return c
		}
	}
	return nil
}

// withForeignClinic adds the foreign clinic, if any. Directories are small enough to include all of
// its rows.
func (h *handler) withForeignClinic(asked []*Clinic) []*Clinic {
	if c := h.foreignClinic(asked); c != nil {
		return append(slices.Clip(asked), c)
	}
	return asked
}

// equalsFilter reports whether a filter is empty or equals value, ignoring case.
func equalsFilter(filter, value string) bool { return filter == "" || strings.EqualFold(filter, value) }

// containsFilter reports whether a filter is empty or contained in value, ignoring case.
func containsFilter(filter, value string) bool {
	return filter == "" || strings.Contains(strings.ToLower(value), strings.ToLower(filter))
}
