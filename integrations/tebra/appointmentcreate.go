package tebra

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// The vendor has no idempotency keys for writes, and this client never repeats a write that the
// vendor may have received. After Timeout, Canceled or Unavailable with Error.Sent, read the record
// before writing again.

// NewAppointment describes an appointment to create. PracticeID, ServiceLocationID, Start, End, a
// provider or resource, and a patient or attendees are required.
type NewAppointment struct {
	PracticeID        string
	ServiceLocationID string
	Start, End        time.Time
	Status            AppointmentStatus // "" means Scheduled
	Mode              string            // "InOffice" or "Telehealth"; "" means the vendor's default
	Name              phi.Text
	Notes             phi.Text
	Patient           phi.Text   // for an appointment with one patient
	Attendees         []phi.Text // for a group appointment, instead of Patient
	MaxAttendees      int        // of a group; 0 means the vendor's default
	CaseID            phi.Text
	ReasonID          string
	ProviderID        phi.Text
	ResourceIDs       []phi.Text
	Recurrence        *Recurrence // nil if the appointment does not recur
}

// Create creates an appointment and returns it as the vendor stored it, with times in zone
// (CreateAppointment). It is not idempotent.
func (s *AppointmentsService) Create(ctx context.Context, a NewAppointment, zone *time.Location) (*AppointmentDetail, error) {
	op := &opCreateAppointment
	if reason := a.check(); reason != "" {
		return nil, invalidRequest(op, reason)
	}
	if zone == nil {
		return nil, invalidRequest(op, "location")
	}
	return s.detail(ctx, op, zone, func(w *writer) { w.element("Appointment", func() { a.write(w) }) },
		func(made *AppointmentDetail) (Code, string) {
			// No identifier, or another patient's appointment.
			if made.ID == "" || a.Patient != "" && made.Patient != "" && made.Patient != a.Patient {
				return Malformed, "id"
			}
			return "", ""
		})
}

func (a *NewAppointment) check() (reason string) {
	ids := slices.Concat([]phi.Text{phi.Text(cmp.Or(a.ReasonID, "1")), cmp.Or(a.CaseID, "1"), cmp.Or(a.ProviderID, "1")}, a.Attendees, a.ResourceIDs)
	switch {
	case !isIdentifier(a.PracticeID, 64):
		return "practice"
	case !isIdentifier(a.ServiceLocationID, 64):
		return "service location"
	case a.Start.IsZero(), !a.End.After(a.Start):
		return "range"
	case a.ProviderID == "" && len(a.ResourceIDs) == 0:
		return "provider"
	case (a.Patient == "") == (len(a.Attendees) == 0):
		return "patient"
	case a.Patient != "" && !isIdentifier(a.Patient.Reveal(), 64):
		return "id"
	case slices.ContainsFunc(ids, func(id phi.Text) bool { return !isIdentifier(id.Reveal(), 64) }):
		return "id"
	case a.Status != "" && !slices.Contains(writableStatuses, a.Status):
		return "status"
	case !slices.Contains(validModes, a.Mode):
		return "mode"
	case a.MaxAttendees < 0:
		return "size"
	}
	return ""
}

// validModes are the modes that the vendor accepts. "" leaves the mode to the vendor.
var validModes = []string{"", "InOffice", "Telehealth"}

// writableStatuses are the statuses that the vendor accepts.
var writableStatuses = []AppointmentStatus{
	StatusScheduled, StatusReminderSent, StatusConfirmed, StatusCheckedIn, StatusRoomed, StatusCheckedOut, StatusNeedsReschedule,
	StatusReadyToBeSeen, StatusNoShow, StatusCancelled, StatusRescheduled, StatusTentative,
}

func (a *NewAppointment) write(w *writer) {
	w.optional("AppointmentMode", a.Mode)
	w.optional("AppointmentName", a.Name.Reveal())
	w.optional("AppointmentReasonId", a.ReasonID)
	w.text("AppointmentStatus", string(cmp.Or(a.Status, StatusScheduled)))
	w.text("AppointmentType", "P")
	w.text("EndTime", typedTime(a.End))
	w.text("IsGroupAppointment", strconv.FormatBool(len(a.Attendees) > 0))
	w.text("IsRecurring", strconv.FormatBool(a.Recurrence != nil))
	w.optional("MaxAttendees", optionalNumber(a.MaxAttendees))
	w.optional("Notes", a.Notes.Reveal())
	w.optional("PatientCaseId", a.CaseID.Reveal())
	if len(a.Attendees) > 0 {
		w.element("PatientSummaries", func() {
			for _, id := range a.Attendees {
				w.group("GroupPatientSummary", member{"PatientId", id.Reveal()}, member{"Status", "PRESENT"})
			}
		})
	} else {
		w.group("PatientSummary", member{"PatientId", a.Patient.Reveal()})
	}
	w.text("PracticeId", a.PracticeID)
	w.optional("ProviderId", a.ProviderID.Reveal())
	if a.Recurrence != nil {
		w.element("RecurrenceRule", func() { a.Recurrence.write(w) })
	}
	w.items("ResourceIds", nsArrays, "long", revealAll(a.ResourceIDs))
	w.text("ServiceLocationId", a.ServiceLocationID)
	w.text("StartTime", typedTime(a.Start))
}

func (q *Recurrence) write(w *writer) {
	w.optional("DayInterval", optionalNumber(q.EveryDays))
	w.optional("DayOfMonth", optionalNumber(q.DayOfMonth))
	w.items("DayOfWeek", nsSystem, "DayOfWeek", q.Weekdays)
	w.optional("EndDate", typedTime(q.End))
	w.optional("MonthInterval", optionalNumber(q.EveryMonths))
	w.optional("NumOccurrences", optionalNumber(q.Occurrences))
	w.optional("NumberOfTimes", optionalNumber(q.NumberOfTimes))
	w.optional("StartDate", typedTime(q.Start))
}

// optionalNumber formats n, and returns "" for 0.
func optionalNumber(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func revealAll(ids []phi.Text) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = id.Reveal()
	}
	return all
}
