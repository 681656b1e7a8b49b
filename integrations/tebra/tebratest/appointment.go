package tebratest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// typed are the statuses as rows spell them, by how the typed operations do.
var typed = map[string]string{
	"Unknown": "Unknown", "Scheduled": Scheduled, "ReminderSent": "Reminder Sent", "Confirmed": Confirmed, "CheckedIn": CheckedIn,
	"Roomed": Roomed, "CheckedOut": CheckedOut, "NeedsReschedule": "Needs Reschedule", "ReadyToBeSeen": ReadyToSee,
	"NoShow": NoShow, "Cancelled": Cancelled, "Rescheduled": Rescheduled, "Tentative": "Tentative",
}

// typedStatus is the other way round. A word that no operation knows is Unknown.
func typedStatus(word string) string {
	for status, w := range typed {
		if strings.EqualFold(w, word) {
			return status
		}
	}
	return "Unknown"
}

// appointment finds a visit of the account, deleted ones included.
func (w *work) appointment(id string) (*Clinic, *Visit) {
	for _, c := range w.account.clinics {
		if v, err := c.find(id); err == nil {
			return c, v
		}
	}
	return nil, nil
}

// getAppointment answers nothing, rather than an error, for an identifier that the account does not have.
func (w *work) getAppointment() (result, error) {
	in, ok := w.in.object("Appointment")
	if !ok {
		return nullReference, nil
	}
	c, v := w.appointment(in.text("AppointmentId"))
	if v == nil {
		return result{members: record{}}, nil
	}
	if w.faults.Stale > 0 {
		v = c.asOf(v, time.Now().Add(-w.faults.Stale))
	}
	if v.ID == "" {
		return result{members: record{}}, nil
	}
	return c.detail(v), nil
}

// isoTime is how typed members write a moment.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// detail is the appointment as the typed operations answer it.
func (c *Clinic) detail(v *Visit) result {
	r := record{
		"AppointmentId": v.ID, "AppointmentMode": v.Mode, "AppointmentName": v.Name, "AppointmentReasonId": reasonOf(v.Reason),
		"AppointmentStatus": typedStatus(v.Status), "AppointmentType": "P", "AttendeesCount": strconv.Itoa(len(v.Attendees)),
		"CreatedAt": isoTime(v.Created), "CustomerId": strconv.Itoa(c.account.id), "EndTime": isoTime(v.End),
		"IsDeleted": strconv.FormatBool(v.Deleted), "IsGroupAppointment": strconv.FormatBool(len(v.Attendees) > 0),
		"IsRecurring": strconv.FormatBool(v.Series != 0), "Notes": v.Notes, "PatientCaseId": v.CaseID, "PracticeId": c.id(),
		"ProviderId": v.ProviderID, "ResourceIds": []string{v.ProviderID}, "ServiceLocationId": c.siteID(),
		"StartTime": isoTime(v.Start), "UpdatedAt": isoTime(v.Modified),
	}
	if len(v.Attendees) == 0 {
		r["PatientSummary"] = c.summary(v.PatientID)
	} else {
		r["MaxAttendees"] = strconv.Itoa(cmp.Or(v.MaxAttendees, 10))
		all := []record{}
		for _, id := range v.Attendees {
			s := c.summary(id)
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

func (c *Clinic) summary(id string) record {
	n, ok := c.number(id)
	if !ok {
		return record{}
	}
	p := c.patient(n)
	r := record{
		"Email": p.Email, "FirstName": p.FirstName, "HomePhone": p.Phone, "LastName": p.LastName, "PatientId": p.ID,
		"PracticeId": c.id(),
	}
	if !p.BirthDate.IsZero() {
		r["DateOfBirth"] = p.BirthDate.Format("2006-01-02T15:04:05")
	}
	return r
}

func (w *work) createAppointment() (result, error) {
	in, ok := w.in.object("Appointment")
	if !ok {
		return nullReference, nil
	}
	clinics := w.clinics("", in.text("PracticeId"))
	if len(clinics) != 1 {
		return failed("User is not authorized for Practice."), nil
	}
	c := clinics[0]
	v, problem := c.wished(in)
	if problem != "" {
		return failed(problem), nil
	}
	for _, each := range c.recurring(v, in) {
		if !w.idle {
			c.add(each)
		}
	}
	return c.detail(v), nil
}

// wished is the appointment that a request asks for, or why there can be none.
func (c *Clinic) wished(in message) (v *Visit, problem string) {
	doctor, ok := c.doctor(in)
	if !ok {
		return nil, "Appointment must have valid ProviderGuids or ResourceGuids."
	}
	start, okStart := typedTime(in.text("StartTime"), c.zone)
	end, okEnd := typedTime(in.text("EndTime"), c.zone)
	who := patientsOf(in)
	strange := slices.ContainsFunc(who, func(id string) bool { _, known := c.number(id); return !known })
	if len(who) == 0 || strange || !okStart || !okEnd || !end.After(start) {
		return nil, "Error translating AppointmentCreate to CreateAppointmentV3Request."
	}
	n, _ := c.number(who[0])
	v = c.visit(c.nextID(), n, doctor, start.In(c.zone), end.Sub(start))
	v.Status, v.Reason, v.Notes, v.CaseID = typed[in.text("AppointmentStatus")], reasonNamed(in), in.text("Notes"), in.text("PatientCaseId")
	v.Mode, v.Name = in.text("AppointmentMode"), in.text("AppointmentName")
	if in.is("IsGroupAppointment") || len(who) > 1 {
		v.Attendees = who
		v.MaxAttendees, _ = strconv.Atoi(in.text("MaxAttendees"))
	}
	return v, ""
}

// mostOccurrences bounds a series that somebody asks for.
const mostOccurrences = 100

// recurring returns v and the appointments that its recurrence makes of it: as many as NumOccurrences says or EndDate allows,
// DayInterval days apart. What the vendor makes of the other members of a rule is not known; here they mean nothing.
func (c *Clinic) recurring(v *Visit, in message) []*Visit {
	all := []*Visit{v}
	rule, ok := in.object("RecurrenceRule")
	if !ok || !in.is("IsRecurring") {
		return all
	}
	times, _ := strconv.Atoi(rule.text("NumOccurrences"))
	last, bounded := typedTime(rule.text("EndDate"), c.zone)
	if times < 1 && !bounded {
		times = 1
	} else if times < 1 || times > mostOccurrences {
		times = mostOccurrences
	}
	every, _ := strconv.Atoi(rule.text("DayInterval"))
	v.Series, v.Every = bookedSeries+c.booked, min(max(every, 1), 366)
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

// doctor returns which of the clinic's providers a request names, as the provider or as a resource.
func (c *Clinic) doctor(in message) (i int, ok bool) {
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

func patientsOf(in message) []string {
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

func reasonNamed(in message) string {
	if i, err := strconv.Atoi(in.text("AppointmentReasonId")); err == nil && i > 0 && i <= len(reasons) {
		return reasons[i-1]
	}
	return ""
}

const textTranslating = "Error translating AppointmentUpdate to UpdateAppointmentV3Request."

// updateAppointment writes the whole record: what the request leaves out is gone, unless the vendor is switched to merge.
func (w *work) updateAppointment() (result, error) {
	in, ok := w.in.object("Appointment")
	if !ok {
		return nullReference, nil
	}
	c, v := w.appointment(in.text("AppointmentId"))
	if v == nil || v.Deleted {
		return failed("Appointment not found."), nil
	}
	changed := *v
	if w.faults.Updates != "merge" {
		changed.Status, changed.Reason, changed.Notes, changed.CaseID, changed.Mode, changed.Name = "Unknown", "", "", "", "", ""
		changed.MaxAttendees = 0
	}
	if id := in.text("PatientId"); id != "0" { // nobody in particular: a group stays as it is
		n, ok := c.number(id)
		if !ok {
			return failed(textTranslating), nil
		}
		p := c.patient(n)
		changed.PatientID, changed.Patient = p.ID, p.Name()
	}
	if i, ok := c.doctor(in); ok {
		d := c.provider(i)
		changed.ProviderID, changed.Provider = d.id, d.name()
	}
	for name, to := range map[string]*string{
		"AppointmentMode": &changed.Mode, "AppointmentName": &changed.Name, "Notes": &changed.Notes, "PatientCaseId": &changed.CaseID,
	} {
		if in.has(name) {
			*to = in.text(name)
		}
	}
	if status, ok := typed[in.text("AppointmentStatus")]; ok {
		changed.Status = status
	}
	if most, err := strconv.Atoi(in.text("MaxAttendees")); err == nil {
		changed.MaxAttendees = most
	}
	if in.has("AppointmentReasonId") {
		changed.Reason = reasonNamed(in)
	}
	start, okStart := typedTime(in.text("StartTime"), c.zone)
	end, okEnd := typedTime(in.text("EndTime"), c.zone)
	if !okStart {
		start = v.Start
	}
	if !okEnd {
		end = start.Add(v.End.Sub(v.Start))
	}
	if !end.After(start) {
		return failed(textTranslating), nil
	}
	if w.idle {
		changed.Start, changed.End = start, end
		return c.detail(&changed), nil
	}
	c.edit(v, func(v *Visit) {
		*v = changed
		c.move(v, start.In(c.zone), end.In(c.zone))
	})
	return c.detail(v), nil
}

func (w *work) updateAppointmentStatus() (result, error) {
	in, ok := w.in.object("Appointment")
	if !ok {
		return nullReference, nil
	}
	c, v := w.appointment(in.text("AppointmentId"))
	if v == nil || v.Deleted {
		return failed("Appointment not found."), nil
	}
	if !w.idle {
		c.edit(v, func(v *Visit) { v.Status = typed[in.text("AppointmentStatus")] })
	}
	return result{members: record{}}, nil
}

func (w *work) deleteAppointment() (result, error) {
	in, ok := w.in.object("Appointment")
	if !ok {
		return nullReference, nil
	}
	c, v := w.appointment(in.text("AppointmentId"))
	deleted := v != nil && !v.Deleted
	if deleted && !w.idle {
		c.edit(v, func(v *Visit) { v.Deleted = true })
	}
	return result{members: record{"AppointmentId": in.text("AppointmentId"), "Deleted": strconv.FormatBool(deleted)}}, nil
}
