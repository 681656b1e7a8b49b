package tebratest

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// rowStatuses maps statuses in the spelling of typed operations to the spelling in rows.
var rowStatuses = map[string]string{
	"Unknown": "Unknown", "Scheduled": Scheduled, "ReminderSent": "Reminder Sent", "Confirmed": Confirmed, "CheckedIn": CheckedIn,
	"Roomed": Roomed, "CheckedOut": CheckedOut, "NeedsReschedule": "Needs Reschedule", "ReadyToBeSeen": ReadyToSee,
	"NoShow": NoShow, "Cancelled": Cancelled, "Rescheduled": Rescheduled, "Tentative": "Tentative",
}

// typedStatus is the inverse of rowStatuses. An unknown status becomes Unknown.
func typedStatus(word string) string {
	for status, w := range rowStatuses {
		if strings.EqualFold(w, word) {
			return status
		}
	}
	return "Unknown"
}

// namedAppointment returns the Appointment member of the request and the visit that it names, which
// may be deleted. v is nil for an unknown visit, and ok is false without the member.
func (h *handler) namedAppointment() (in message, c *Clinic, v *Visit, ok bool) {
	if in, ok = h.in.object("Appointment"); !ok {
		return nil, nil, nil, false
	}
	for _, c := range h.account.clinics {
		if v, err := c.find(in.text("AppointmentId")); err == nil {
			return in, c, v, true
		}
	}
	return in, nil, nil, true
}

// getAppointment returns no appointment, rather than an error, for an identifier that the account
// does not have.
func (h *handler) getAppointment() (result, error) {
	_, c, v, ok := h.namedAppointment()
	if !ok {
		return nullReference, nil
	}
	if v != nil && h.faults.Stale > 0 {
		v = c.asOf(v, time.Now().Add(-h.faults.Stale))
	}
	if v == nil || v.ID == "" {
		return result{members: record{}}, nil
	}
	return c.detail(v), nil
}

// isoTime formats a time for a typed member.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// detail returns the appointment as a response of the typed operations.
func (c *Clinic) detail(v *Visit) result {
	r := record{
		"AppointmentId": v.ID, "AppointmentMode": v.Mode, "AppointmentName": v.Name, "AppointmentReasonId": reasonIDByName(v.Reason),
		"AppointmentStatus": typedStatus(v.Status), "AppointmentType": cmp.Or(v.Type, "P"), "AttendeesCount": strconv.Itoa(len(v.Attendees)),
		"CreatedAt": isoTime(v.Created), "CustomerId": strconv.Itoa(c.account.id), "EndTime": isoTime(v.End),
		"IsDeleted": strconv.FormatBool(v.Deleted), "IsGroupAppointment": strconv.FormatBool(len(v.Attendees) > 0),
		"IsRecurring": strconv.FormatBool(v.Series != 0), "Notes": v.Notes, "PatientCaseId": v.CaseID, "PracticeId": c.practiceID(),
		"ProviderId": v.ProviderID, "ResourceIds": []string{v.ProviderID}, "ServiceLocationId": c.locationID(),
		"StartTime": isoTime(v.Start), "UpdatedAt": isoTime(v.Modified),
	}
	if len(v.Attendees) == 0 {
		r["PatientSummary"] = c.patientSummary(v.PatientID)
	} else {
		r["MaxAttendees"] = strconv.Itoa(cmp.Or(v.MaxAttendees, 10))
		all := []record{}
		for _, id := range v.Attendees {
			s := c.patientSummary(id)
			s["Status"] = "PRESENT"
			all = append(all, s)
		}
		r["PatientSummaries"] = all
	}
	if v.Series != 0 {
		r["OccurrenceId"] = v.ID
		r["RecurrenceRule"] = record{
			"AppointmentId": v.ID, "DayInterval": strconv.Itoa(v.Every), "DayOfWeek": []string{v.Start.Weekday().String()},
			"NumOccurrences": strconv.Itoa(v.Times), "RecurrenceRuleId": strconv.Itoa(v.Series), "StartDate": isoTime(v.Start),
		}
	}
	return result{members: record{"Appointment": r}}
}

func (c *Clinic) patientSummary(id string) record {
	n, ok := c.patientIndex(id)
	if !ok {
		return record{}
	}
	p := c.patient(n)
	r := record{
		"Email": p.Email, "FirstName": p.FirstName, "HomePhone": p.Phone, "LastName": p.LastName, "PatientId": p.ID,
		"PracticeId": c.practiceID(),
	}
	if !p.BirthDate.IsZero() {
		r["DateOfBirth"] = p.BirthDate.Format("2006-01-02T15:04:05")
	}
	return r
}
