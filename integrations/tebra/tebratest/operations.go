package tebratest

import (
	"slices"
	"strings"
)

// operations answer each call under the server's lock; an error becomes an InternalServiceFault. What they are asked and
// may answer stands in the contract.
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

// mostRows is where the vendor cuts its lists, without a word.
const maxRows = 10_000

// list answers a filtered read with all: capped, and cut down to the columns asked for.
func (h *handler) listResult(name string, all rows) result {
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

// wanted are the columns that Fields names.
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

// clinics are those of the account that a filter names by name or number; both may be empty.
func (h *handler) clinics(name, id string) []*Clinic {
	var all []*Clinic
	for _, c := range h.account.clinics {
		if equalsFilter(name, c.practice.Name) && equalsFilter(id, c.practiceID()) {
			all = append(all, c)
		}
	}
	return all
}

// stranger is a practice that none of the clinics is, of which a list has a row if the call is broken that way; else nil.
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

// andStranger are the clinics and the stranger, if there is one: directories are small enough to be foreign whole.
func (h *handler) withForeignClinic(asked []*Clinic) []*Clinic {
	if c := h.foreignClinic(asked); c != nil {
		return append(slices.Clip(asked), c)
	}
	return asked
}

// accepts reports whether a filter's text, if any, is the value but for case.
func equalsFilter(filter, value string) bool { return filter == "" || strings.EqualFold(filter, value) }

// holds reports whether a filter's text, if any, is in the value but for case.
func containsFilter(filter, value string) bool {
	return filter == "" || strings.Contains(strings.ToLower(value), strings.ToLower(filter))
}
