package tebratest

import (
	"slices"
	"strings"
)

// operations answer each call under the server's lock; an error becomes an InternalServiceFault. What they are asked and
// may answer stands in the contract.
var operations = map[string]func(*work) (result, error){
	"GetPatient":               (*work).getPatient,
	"GetPatients":              (*work).getPatients,
	"GetAllPatients":           (*work).getAllPatients,
	"CreatePatient":            (*work).createPatient,
	"UpdatePatient":            (*work).updatePatient,
	"UpdatePatientsExternalID": (*work).updatePatientsExternalID,
	"GetAppointment":           (*work).getAppointment,
	"GetAppointments":          (*work).getAppointments,
	"CreateAppointment":        (*work).createAppointment,
	"UpdateAppointment":        (*work).updateAppointment,
	"UpdateAppointmentStatus":  (*work).updateAppointmentStatus,
	"DeleteAppointment":        (*work).deleteAppointment,
	"GetAppointmentReasons":    (*work).getAppointmentReasons,
	"GetPractices":             (*work).getPractices,
	"GetProviders":             (*work).getProviders,
	"GetServiceLocations":      (*work).getServiceLocations,
	"GetProcedureCodes":        (*work).getProcedureCodes,
	"GetThrottles":             (*work).getThrottles,
	"GetCustomerIdFromKey":     (*work).getCustomerIDFromKey,
}

// mostRows is where the vendor cuts its lists, without a word.
const mostRows = 10_000

// list answers a filtered read with all: capped, and cut down to the columns asked for.
func (w *work) list(name string, all rows) result {
	wanted := w.wanted()
	if len(wanted) > 0 && w.faults.Projection {
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
			if n++; n > mostRows || !yield(r) {
				return
			}
		}
	})}}
}

// wanted are the columns that Fields names.
func (w *work) wanted() map[string]bool {
	fields, _ := w.in.object("Fields")
	wanted := map[string]bool{}
	for name := range fields {
		if fields.is(name) {
			wanted[name] = true
		}
	}
	return wanted
}

// clinics are those of the account that a filter names by name or number; both may be empty.
func (w *work) clinics(name, id string) []*Clinic {
	var all []*Clinic
	for _, c := range w.account.clinics {
		if accepts(name, c.practice.Name) && accepts(id, c.id()) {
			all = append(all, c)
		}
	}
	return all
}

// stranger is a practice that none of the clinics is, of which a list has a row if the call is broken that way; else nil.
func (w *work) stranger(than []*Clinic) *Clinic {
	if !w.foreign {
		return nil
	}
	for _, c := range slices.Backward(w.Server.clinics) {
		if !slices.Contains(than, c) {
			return c
		}
	}
	return nil
}

// andStranger are the clinics and the stranger, if there is one: directories are small enough to be foreign whole.
func (w *work) andStranger(asked []*Clinic) []*Clinic {
	if c := w.stranger(asked); c != nil {
		return append(slices.Clip(asked), c)
	}
	return asked
}

// accepts reports whether a filter's text, if any, is the value but for case.
func accepts(filter, value string) bool { return filter == "" || strings.EqualFold(filter, value) }

// holds reports whether a filter's text, if any, is in the value but for case.
func holds(filter, value string) bool {
	return filter == "" || strings.Contains(strings.ToLower(value), strings.ToLower(filter))
}
