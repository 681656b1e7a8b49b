package tebratest

import (
	"slices"
	"strconv"
	"strings"
)

func (h *handler) createAppointment() (result, error) {
	in, ok := h.in.object("Appointment")
	if !ok {
		return nullReference, nil
	}
	clinics := h.clinics("", in.text("PracticeId"))
	if len(clinics) != 1 {
		return businessError("User is not authorized for Practice."), nil
	}
	c := clinics[0]
	v, errorMessage := c.requestedVisit(in)
	if errorMessage != "" {
		return businessError(errorMessage), nil
	}
	for _, each := range c.expandSeries(v, in) {
		if !h.dryRun {
			c.add(each)
		}
	}
	return c.detail(v), nil
}

// requestedVisit returns the visit that a request describes, or the text of the business error.
func (c *Clinic) requestedVisit(in message) (v *Visit, errorMessage string) {
	provider, ok := c.requestedProvider(in)
	if !ok {
		return nil, "Appointment must have valid ProviderGuids or ResourceGuids."
	}
	start, okStart := typedTime(in.text("StartTime"), c.zone)
	end, okEnd := typedTime(in.text("EndTime"), c.zone)
	patients := requestedPatients(in)
	unknown := slices.ContainsFunc(patients, func(id string) bool { _, known := c.patientIndex(id); return !known })
	if len(patients) == 0 || unknown || !okStart || !okEnd || !end.After(start) {
		return nil, "Error translating AppointmentCreate to CreateAppointmentV3Request."
	}
	n, _ := c.patientIndex(patients[0])
	v = c.newVisit(c.nextID(), n, provider, start.In(c.zone), end.Sub(start))
	v.Status, v.Reason, v.Notes, v.CaseID = rowStatuses[in.text("AppointmentStatus")], requestedReason(in), in.text("Notes"), in.text("PatientCaseId")
	v.Mode, v.Name = in.text("AppointmentMode"), in.text("AppointmentName")
	if in.is("IsGroupAppointment") || len(patients) > 1 {
		v.Attendees = patients
		v.MaxAttendees, _ = strconv.Atoi(in.text("MaxAttendees"))
	}
	return v, ""
}

// maxOccurrences limits the length of a series.
const maxOccurrences = 100

// expandSeries returns v and the further visits of its recurrence: as many as NumOccurrences states
// or EndDate allows, DayInterval days apart. The vendor's handling of the rule's other members is
// unknown; here they are ignored.
func (c *Clinic) expandSeries(v *Visit, in message) []*Visit {
	all := []*Visit{v}
	rule, ok := in.object("RecurrenceRule")
	if !ok || !in.is("IsRecurring") {
		return all
	}
	times, _ := strconv.Atoi(rule.text("NumOccurrences"))
	last, bounded := typedTime(rule.text("EndDate"), c.zone)
	if times < 1 && !bounded {
		times = 1
	} else if times < 1 || times > maxOccurrences {
		times = maxOccurrences
	}
	every, _ := strconv.Atoi(rule.text("DayInterval"))
	v.Series, v.Every = bookedSeries+c.bookedCount, min(max(every, 1), 366)
	for i := 1; i < times; i++ {
		next := *v
		next.Start = v.Start.AddDate(0, 0, i*v.Every)
		next.End = next.Start.Add(v.End.Sub(v.Start))
		if bounded && next.Start.After(last) {
			break
		}
		next.ID = c.nextID()
		all = append(all, &next)
	}
	for _, each := range all {
		each.Times = len(all)
	}
	return all
}

// requestedProvider returns the index of the provider that a request names as its provider or as a
// resource.
func (c *Clinic) requestedProvider(in message) (i int, ok bool) {
	named := []string{in.text("ProviderId"), in.text("ResourceId")}
	for _, id := range in.list("ResourceIds") {
		if text, ok := id.(string); ok {
			named = append(named, strings.TrimSpace(text))
		}
	}
	for i := range c.practice.Providers {
		if slices.Contains(named, c.provider(i).id) {
			return i, true
		}
	}
	return 0, false
}

func requestedPatients(in message) []string {
	var all []string
	if s, ok := in.object("PatientSummary"); ok {
		all = append(all, s.text("PatientId"))
	}
	for _, item := range in.list("PatientSummaries") {
		if s, ok := item.(message); ok {
			all = append(all, s.text("PatientId"))
		}
	}
	return all
}

func requestedReason(in message) string {
	if i, err := strconv.Atoi(in.text("AppointmentReasonId")); err == nil && i > 0 && i <= len(reasons) {
		return reasons[i-1]
	}
	return ""
}

// updateAppointment replaces the whole record: members that the request leaves out are cleared,
// unless Faults.Updates is "merge".
func (h *handler) updateAppointment() (result, error) {
	in, c, v, ok := h.namedAppointment()
	if !ok {
		return nullReference, nil
	}
	if v == nil || v.Deleted {
		return appointmentNotFound, nil
	}
	changed, ok := c.updated(*v, in, h.faults.Updates == "merge")
	switch {
	case !ok:
		return businessError("Error translating AppointmentUpdate to UpdateAppointmentV3Request."), nil
	case h.dryRun:
		return c.detail(&changed), nil
	}
	start, end := changed.Start.In(c.zone), changed.End.In(c.zone)
	changed.Start, changed.End = v.Start, v.End // move removes the visit from its old day
	c.edit(v, func(v *Visit) {
		*v = changed
		c.move(v, start, end)
	})
	return c.detail(v), nil
}

var appointmentNotFound = businessError("Appointment not found.")

// updated returns v with the members of an update. ok is false if the update is invalid.
func (c *Clinic) updated(v Visit, in message, merge bool) (changed Visit, ok bool) {
	length := v.End.Sub(v.Start)
	if !merge {
		v.Status, v.Reason, v.Notes, v.CaseID, v.Mode, v.Name, v.MaxAttendees = "Unknown", "", "", "", "", "", 0
	}
	if id := in.text("PatientId"); id != "0" { // "0" leaves a group unchanged
		n, ok := c.patientIndex(id)
		if !ok {
			return v, false
		}
		p := c.patient(n)
		v.PatientID, v.Patient = p.ID, p.Name()
	}
	if i, ok := c.requestedProvider(in); ok {
		d := c.provider(i)
		v.ProviderID, v.Provider = d.id, d.name()
	}
	for name, to := range map[string]*string{
		"AppointmentMode": &v.Mode, "AppointmentName": &v.Name, "Notes": &v.Notes, "PatientCaseId": &v.CaseID,
	} {
		if in.has(name) {
			*to = in.text(name)
		}
	}
	if status, ok := rowStatuses[in.text("AppointmentStatus")]; ok {
		v.Status = status
	}
	if most, err := strconv.Atoi(in.text("MaxAttendees")); err == nil {
		v.MaxAttendees = most
	}
	if in.has("AppointmentReasonId") {
		v.Reason = requestedReason(in)
	}
	if start, ok := typedTime(in.text("StartTime"), c.zone); ok {
		v.Start = start
	}
	if v.End, ok = typedTime(in.text("EndTime"), c.zone); !ok {
		v.End = v.Start.Add(length)
	}
	return v, v.End.After(v.Start)
}

func (h *handler) updateAppointmentStatus() (result, error) {
	in, c, v, ok := h.namedAppointment()
	if !ok {
		return nullReference, nil
	}
	if v == nil || v.Deleted {
		return appointmentNotFound, nil
	}
	if !h.dryRun {
		c.edit(v, func(v *Visit) { v.Status = rowStatuses[in.text("AppointmentStatus")] })
	}
	return result{members: record{}}, nil
}

func (h *handler) deleteAppointment() (result, error) {
	in, c, v, ok := h.namedAppointment()
	if !ok {
		return nullReference, nil
	}
	deleted := v != nil && !v.Deleted
	if deleted && !h.dryRun {
		c.edit(v, func(v *Visit) { v.Deleted = true })
	}
	return result{members: record{"AppointmentId": in.text("AppointmentId"), "Deleted": strconv.FormatBool(deleted)}}, nil
}
