package tebra

import (
	"context"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// AppointmentStatus is a status as the typed operations spell it. Rows of a list spell statuses
// differently; see Appointment.Status.
type AppointmentStatus string

// The statuses that the contract defines.
const (
	StatusUnknown         AppointmentStatus = "Unknown"
	StatusScheduled       AppointmentStatus = "Scheduled"
	StatusReminderSent    AppointmentStatus = "ReminderSent"
	StatusConfirmed       AppointmentStatus = "Confirmed"
	StatusCheckedIn       AppointmentStatus = "CheckedIn"
	StatusRoomed          AppointmentStatus = "Roomed"
	StatusCheckedOut      AppointmentStatus = "CheckedOut"
	StatusNeedsReschedule AppointmentStatus = "NeedsReschedule"
	StatusReadyToBeSeen   AppointmentStatus = "ReadyToBeSeen"
	StatusNoShow          AppointmentStatus = "NoShow"
	StatusCancelled       AppointmentStatus = "Cancelled"
	StatusRescheduled     AppointmentStatus = "Rescheduled"
	StatusTentative       AppointmentStatus = "Tentative"
)

// AppointmentDetail is an appointment as the typed operations return it, with more fields than a
// row of a list. Identifiers that the vendor writes as 0 or nil are "". Times are in the requested
// zone.
type AppointmentDetail struct {
	ID                phi.Text
	PracticeID        string
	Status            AppointmentStatus
	Type              string // "P" with a patient, "O" other, "U" unknown
	Mode              string // "InOffice", "Telehealth" or ""
	Name              phi.Text
	Notes             phi.Text
	Start, End        time.Time
	Day               time.Time // of Start, as midnight UTC; see Appointment.Day
	Patient           phi.Text  // the patient's identifier; "" for groups and blocked time
	PatientFirst      phi.Text
	PatientLast       phi.Text
	Group             bool
	Attendees         []Attendee // of a group; nil otherwise
	MaxAttendees      int
	CaseID            phi.Text
	AuthorizationID   phi.Text
	ReasonID          string
	ProviderID        phi.Text
	ResourceID        phi.Text
	ResourceIDs       []phi.Text
	ServiceLocationID string
	Recurring         bool
	OccurrenceID      phi.Text
	Recurrence        *Recurrence // nil unless the appointment recurs and has a rule
	Deleted           bool
	Created           time.Time
	Updated           time.Time
	Unread            []string // the vendor's names of the members that could not be read
	// Repaired contains "AppointmentName" and "Notes" if characters of these texts were replaced by
	// U+FFFD.
	Repaired []string
}

// Attendee is a patient in a group appointment.
type Attendee struct {
	PatientID phi.Text
	FirstName phi.Text
	LastName  phi.Text
	Status    string // "PRESENT", "CANCELLED", "NO_SHOW"
}

// Recurrence describes how an appointment recurs.
type Recurrence struct {
	Start, End    time.Time // a zero End means no end
	EveryDays     int       // interval in days
	EveryMonths   int       // interval in months
	Occurrences   int
	Weekdays      []string // "Monday", …
	DayOfMonth    int
	RuleID        phi.Text
	NumberOfTimes int
}

// Get returns an appointment by its Tebra identifier, with times in zone (GetAppointment). The
// error is NotFound if the vendor returns no appointment.
func (s *AppointmentsService) Get(ctx context.Context, id string, zone *time.Location) (*AppointmentDetail, error) {
	op := &opGetAppointment
	switch {
	case !isIdentifier(id, 64):
		return nil, invalidRequest(op, "id")
	case zone == nil:
		return nil, invalidRequest(op, "location")
	}
	return s.detail(ctx, op, zone, func(w *writer) { w.group("Appointment", member{"AppointmentId", id}) },
		func(a *AppointmentDetail) (Code, string) {
			switch {
			case a.ID == "":
				return NotFound, ""
			case a.ID.Reveal() != id:
				return Malformed, "id" // a different appointment
			}
			return "", ""
		})
}

// detail makes a call that returns one appointment; validate checks it as in call.
func (s *AppointmentsService) detail(ctx context.Context, op *Operation, zone *time.Location, write func(*writer),
	validate func(*AppointmentDetail) (Code, string),
) (*AppointmentDetail, error) {
	one := single[detailRow]{
		op: op, write: write, zones: s.client.options.typedPair(zone), columns: detailColumns,
		hasID:      func(a *detailRow) bool { return a.ID != "" },
		hasContent: func(a *detailRow) bool { return !a.start.isZero() || a.Patient != "" },
		validate:   func(a *detailRow) (Code, string) { return validate(&a.AppointmentDetail) },
	}
	row, err := one.read(ctx, s.client)
	if err != nil {
		return nil, err
	}
	a := &row.AppointmentDetail
	a.Day = row.start.day()
	a.Start, a.End = span{zone: zone, start: row.start, end: row.end}.resolve()
	return a, nil
}

// isIdentifier reports whether text is a positive number with at most the given number of bits, in
// the vendor's spelling. A second spelling of a number would appear to be a second record.
func isIdentifier(text string, bits int) bool {
	_, err := strconv.ParseInt(text, 10, bits)
	return err == nil && text[0] >= '1' && text[0] <= '9'
}

// detailRow collects the members of an appointment.
type detailRow struct {
	AppointmentDetail
	start, end moment
}

// kept returns the text of a member that an update writes back.
func (a *detailRow) kept(c *cell) phi.Text {
	if c.fixed {
		a.Repaired = append(a.Repaired, c.column)
	}
	return c.text()
}

var detailColumns = newRecord(func(a *detailRow) *[]string { return &a.Unread },
	map[string]func(*detailRow, *cell){
		"AppointmentId":                  func(a *detailRow, c *cell) { a.ID = c.typedOwnID() },
		"AppointmentMode":                func(a *detailRow, c *cell) { a.Mode = c.name() },
		"AppointmentName":                func(a *detailRow, c *cell) { a.Name = a.kept(c) },
		"AppointmentReasonId":            func(a *detailRow, c *cell) { a.ReasonID = c.foreignID().Reveal() },
		"AppointmentStatus":              func(a *detailRow, c *cell) { a.Status = AppointmentStatus(c.trimmed()) },
		"AppointmentType":                func(a *detailRow, c *cell) { a.Type = c.trimmed() },
		"CreatedAt":                      func(a *detailRow, c *cell) { a.Created = c.time() },
		"EndTime":                        func(a *detailRow, c *cell) { a.end = c.moment() },
		"InsurancePolicyAuthorizationId": func(a *detailRow, c *cell) { a.AuthorizationID = c.foreignID() },
		"IsDeleted":                      func(a *detailRow, c *cell) { a.Deleted = c.boolean() },
		"IsGroupAppointment":             func(a *detailRow, c *cell) { a.Group = c.boolean() },
		"IsRecurring":                    func(a *detailRow, c *cell) { a.Recurring = c.boolean() },
		"MaxAttendees":                   func(a *detailRow, c *cell) { a.MaxAttendees = c.integer() },
		"Notes":                          func(a *detailRow, c *cell) { a.Notes = a.kept(c) },
		"OccurrenceId":                   func(a *detailRow, c *cell) { a.OccurrenceID = c.foreignID() },
		"PatientCaseId":                  func(a *detailRow, c *cell) { a.CaseID = c.foreignID() },
		"PracticeId":                     func(a *detailRow, c *cell) { a.PracticeID = c.foreignID().Reveal() },
		"ProviderId":                     func(a *detailRow, c *cell) { a.ProviderID = c.foreignID() },
		"ResourceId":                     func(a *detailRow, c *cell) { a.ResourceID = c.foreignID() },
		"ServiceLocationId":              func(a *detailRow, c *cell) { a.ServiceLocationID = c.foreignID().Reveal() },
		"StartTime":                      func(a *detailRow, c *cell) { a.start = c.start() },
		"UpdatedAt":                      func(a *detailRow, c *cell) { a.Updated = c.time() },
	},
	map[string]func(*reader, *detailRow, *cell) error{
		"PatientSummary": func(r *reader, a *detailRow, c *cell) error {
			var p Attendee
			err := part(r, c, attendeeColumns, &p)
			a.Patient, a.PatientFirst, a.PatientLast = p.PatientID, p.FirstName, p.LastName
			return err
		},
		"PatientSummaries": func(r *reader, a *detailRow, c *cell) error {
			return nestedRows(r, c, "GroupPatientSummary", attendeeColumns, func(p *Attendee) bool { return p.PatientID != "" }, &a.Attendees)
		},
		"RecurrenceRule": func(r *reader, a *detailRow, c *cell) error {
			var rule Recurrence
			err := part(r, c, recurrenceColumns, &rule)
			if rule.RuleID != "" || !rule.Start.IsZero() {
				a.Recurrence = &rule
			}
			return err
		},
		"ResourceIds": func(r *reader, a *detailRow, c *cell) error {
			ids, whole, err := r.items(nsArrays, "long")
			if !whole {
				c.fail()
			}
			for _, id := range ids {
				c.value = []byte(id)
				if id := c.foreignID(); id != "" {
					a.ResourceIDs = append(a.ResourceIDs, id)
				}
			}
			return err
		},
	})

var attendeeColumns = newRecord(nil, map[string]func(*Attendee, *cell){
	"PatientId": func(p *Attendee, c *cell) { p.PatientID = c.foreignID() },
	"FirstName": func(p *Attendee, c *cell) { p.FirstName = c.text() },
	"LastName":  func(p *Attendee, c *cell) { p.LastName = c.text() },
	"Status":    func(p *Attendee, c *cell) { p.Status = c.name() },
}, nil)

var recurrenceColumns = newRecord(nil,
	map[string]func(*Recurrence, *cell){
		"DayInterval":      func(q *Recurrence, c *cell) { q.EveryDays = c.integer() },
		"DayOfMonth":       func(q *Recurrence, c *cell) { q.DayOfMonth = c.integer() },
		"EndDate":          func(q *Recurrence, c *cell) { q.End = c.time() },
		"MonthInterval":    func(q *Recurrence, c *cell) { q.EveryMonths = c.integer() },
		"NumOccurrences":   func(q *Recurrence, c *cell) { q.Occurrences = c.integer() },
		"NumberOfTimes":    func(q *Recurrence, c *cell) { q.NumberOfTimes = c.integer() },
		"RecurrenceRuleId": func(q *Recurrence, c *cell) { q.RuleID = c.foreignID() },
		"StartDate":        func(q *Recurrence, c *cell) { q.Start = c.time() },
	},
	map[string]func(*reader, *Recurrence, *cell) error{
		"DayOfWeek": func(r *reader, q *Recurrence, c *cell) error {
			days, whole, err := r.items(nsSystem, "DayOfWeek")
			if q.Weekdays = days; !whole {
				c.fail()
			}
			return err
		},
	})
