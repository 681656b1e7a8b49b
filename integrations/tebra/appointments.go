package tebra

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// AppointmentsService reads and writes the schedule.
type AppointmentsService struct{ client *Client }

// ListAppointmentsRequest selects appointments. Days are calendar days: only the year, month and
// day count that a time shows in its own location. Set both From and To, or both ModifiedFrom and
// ModifiedTo, or all four.
type ListAppointmentsRequest struct {
	// PracticeName is required. It is the vendor's most effective filter and keeps the rows of
	// different practices apart.
	PracticeName string
	// From and To are the first and last day of the appointments in the practice's calendar, at
	// most 60 days.
	From, To time.Time
	// Lookback is how many days before From are requested too, so that the rows include entries
	// that began on those days and reach into later ones: whether the vendor selects by start or by
	// overlap is unknown. With From, the range has at most 60 days. Only Windows uses it.
	Lookback int
	// ModifiedFrom and ModifiedTo are the first and last day of the last change, at most 60 days.
	// The vendor compares days, so consecutive requests must overlap.
	ModifiedFrom time.Time
	ModifiedTo   time.Time
	PatientID    phi.Text       // only this patient's appointments; "" selects all
	Location     *time.Location // required; the practice's time zone
}

// Appointments is one list. The order of its rows is unspecified.
type Appointments struct {
	Rows []Appointment
	// Partial reports that the list reached the vendor's limit of 10,000 rows. Narrow the range,
	// and do not treat missing rows as deleted.
	Partial bool
	// SetAside lists the rows that could not be read. With any, do not treat missing rows as
	// deleted.
	SetAside []SetAside
	// Authorized are the numbers of the practices that the user may access, in any order. Nil means
	// that the response does not say. Whether the vendor always fills the list is unknown.
	Authorized []string
}

// Appointment is a row of the schedule. Times are in the request's Location. Fields that the vendor
// left out are zero, as are those of the columns in Unread.
type Appointment struct {
	ID          phi.Text
	PatientID   phi.Text // "" for time blocked without a patient
	PatientName phi.Text
	CaseID      phi.Text
	CaseName    phi.Text
	Start, End  time.Time
	// Duration is from Start to End. It is AppointmentDuration where the vendor gives one, except
	// for entries of a day or longer, and of several days, which end when the row says. An End that
	// the vendor left out follows from it.
	Duration time.Duration
	// Day is the calendar day under which the vendor lists the row, as midnight UTC. It is the day
	// of Start, except where the clocks skip the time before midnight.
	Day    time.Time
	AllDay bool
	// Status is ConfirmationStatus as written. The spelling varies, so compare it without case,
	// spaces and hyphens.
	Status              string
	Type                string // "P" or "Patient", "O" or "Other", "U"
	Resources           []Resource
	Reasons             []Reason
	ServiceLocationID   string
	ServiceLocationName string
	PracticeID          string
	PracticeName        string
	Notes               phi.Text
	Recurring           bool
	Created             time.Time
	LastModified        time.Time
	Unread              []string // the vendor's names of the columns that could not be read
}

// Resource is a provider, a room or a device that an appointment occupies.
type Resource struct {
	ID   phi.Text
	Name phi.Text
	Type string // "1" is a doctor, "2" a resource of the practice
}

// Reason is the reason for a visit, as named by the practice.
type Reason struct {
	ID   string
	Name phi.Text
}

// Providers returns the resources that are doctors, in the row's order; nil if there are none.
func (a *Appointment) Providers() []Resource {
	var doctors []Resource
	for _, r := range a.Resources {
		if r.Type == "1" {
			doctors = append(doctors, r)
		}
	}
	return doctors
}

// List returns the appointments that req selects, with one call (GetAppointments). An empty list is
// not an error.
func (s *AppointmentsService) List(ctx context.Context, req ListAppointmentsRequest) (Appointments, error) {
	l, err := s.listing(req)
	if err != nil {
		return Appointments{}, err
	}
	all, err := l.all(ctx, s.client)
	return Appointments{Rows: all.rows, Partial: all.partial, SetAside: all.setAside, Authorized: all.authorized}, err
}

// Rows is like List, but does not hold all rows in memory. Each iteration makes one call, whose
// timeout runs while the rows are consumed. Rows count only if the iteration ends without an error,
// because a response may be truncated after any row. ErrPartial at the end means that there may be
// more rows; errors.As finds an *IncompleteError that lists the rows that could not be read.
func (s *AppointmentsService) Rows(ctx context.Context, req ListAppointmentsRequest) iter.Seq2[Appointment, error] {
	l, err := s.listing(req)
	if err != nil {
		return failedSeq[Appointment](err)
	}
	return l.seq(ctx, s.client)
}

func (s *AppointmentsService) listing(req ListAppointmentsRequest) (*listing[scheduleRow, Appointment], error) {
	op := &opGetAppointments
	if reason := req.check(op.MaxDays); reason != "" {
		return nil, invalidRequest(op, reason)
	}
	zones := s.client.options.Zones
	pair := zones.pair(req.Location)
	return &listing[scheduleRow, Appointment]{
		op: op, item: "AppointmentData", columns: scheduleColumns, zones: pair,
		hasID:      func(a *scheduleRow) bool { return a.ID != "" },
		hasContent: (*scheduleRow).hasContent,
		span:       func(a *scheduleRow, unread []string) (start, end time.Time) { return a.asideSpan(pair.local, unread) },
		finish:     func(a *scheduleRow) Appointment { return a.compact(pair.local) },
		write:      func(w *writer) { req.write(w, pair, zones) },
	}, nil
}

func (q *ListAppointmentsRequest) check(maxDays int) (reason string) {
	visits, changes := !q.From.IsZero() && !q.To.IsZero(), !q.ModifiedFrom.IsZero() && !q.ModifiedTo.IsZero()
	switch {
	case strings.TrimSpace(q.PracticeName) == "":
		return "practice"
	case q.Location == nil:
		return "location"
	case q.Lookback < 0 || q.Lookback >= opGetAppointments.MaxDays:
		return "range"
	case !visits && !changes, q.From.IsZero() != q.To.IsZero(), q.ModifiedFrom.IsZero() != q.ModifiedTo.IsZero():
		return "range"
	case visits && (days(q.From, q.To) < 1 || days(q.From, q.To) > maxDays):
		return "range"
	case changes && (days(q.ModifiedFrom, q.ModifiedTo) < 1 || days(q.ModifiedFrom, q.ModifiedTo) > maxDays):
		return "range"
	}
	return ""
}

func (q *ListAppointmentsRequest) write(w *writer, pair zonePair, zones Zones) {
	offset := ""
	if zones == Greenwich {
		offset = "0"
	}
	w.filter(
		member{"EndDate", pair.endOfDay(q.To)},
		member{"FromLastModifiedDate", pair.startOfDay(q.ModifiedFrom)},
		member{"PatientID", q.PatientID.Reveal()},
		member{"PracticeName", q.PracticeName},
		member{"StartDate", pair.startOfDay(q.From)},
		member{"TimeZoneOffsetFromGMT", offset},
		member{"ToLastModifiedDate", pair.endOfDay(q.ModifiedTo)},
	)
}

// scheduleRow collects the members of a row. Some columns are repeated with the numbers 1 to 10; in
// the schema's order, 10 comes between 1 and 2.
type scheduleRow struct {
	Appointment
	start, end moment
	length     time.Duration
	resources  [10]Resource
	reasons    [10]Reason
}

// hasContent reports whether a row describes an appointment, even without an identifier.
func (s *scheduleRow) hasContent() bool {
	return !s.start.isZero() || s.PatientID != "" || s.PatientName != ""
}

// compact returns the appointment with its times, and with the resources and reasons that are
// present. zone is the practice's.
func (s *scheduleRow) compact(zone *time.Location) Appointment {
	s.Day = s.start.day()
	s.Start, s.End = s.span(zone)
	if !s.Start.IsZero() && !s.End.IsZero() {
		s.Duration = s.End.Sub(s.Start)
	}
	for i := range s.resources {
		if r := s.resources[i]; r.ID != "" || r.Name != "" {
			s.Resources = append(s.Resources, r)
		}
		if r := s.reasons[i]; r.ID != "" || r.Name != "" {
			s.Reasons = append(s.Reasons, r)
		}
	}
	return s.Appointment
}

// span returns when the row starts and ends, each zero if the row does not say.
func (s *scheduleRow) span(zone *time.Location) (start, end time.Time) {
	return span{zone: zone, start: s.start, end: s.end, length: s.length, allDay: s.AllDay}.resolve()
}

// asideSpan is SetAside.Start and SetAside.End of a row.
func (s *scheduleRow) asideSpan(zone *time.Location, unread []string) (start, end time.Time) {
	start, end = s.span(zone)
	switch {
	case start.IsZero():
		return start, start
	case end.IsZero() && !lacksEnd(unread):
		return start, start
	}
	return start, end
}

// EndUnread reports that End is zero because the columns that contain it could not be read: the
// appointment may last for days.
func (a *Appointment) EndUnread() bool { return a.End.IsZero() && lacksEnd(a.Unread) }

// lacksEnd reports whether a column that states the end could not be read.
func lacksEnd(unread []string) bool {
	return slices.Contains(unread, "EndDate") || slices.Contains(unread, "AppointmentDuration")
}

var scheduleColumns = newRecord(func(a *scheduleRow) *[]string { return &a.Unread }, addNumberedColumns(map[string]func(*scheduleRow, *cell){
	"ID":                  func(a *scheduleRow, c *cell) { a.ID = c.ownID() },
	"PatientID":           func(a *scheduleRow, c *cell) { a.PatientID = c.foreignID() },
	"PatientFullName":     func(a *scheduleRow, c *cell) { a.PatientName = c.text() },
	"PatientCaseID":       func(a *scheduleRow, c *cell) { a.CaseID = c.foreignID() },
	"PatientCaseName":     func(a *scheduleRow, c *cell) { a.CaseName = c.text() },
	"StartDate":           func(a *scheduleRow, c *cell) { a.start = c.start() },
	"EndDate":             func(a *scheduleRow, c *cell) { a.end = c.moment() },
	"AppointmentDuration": func(a *scheduleRow, c *cell) { a.length = c.minutes() },
	"AllDay":              func(a *scheduleRow, c *cell) { a.AllDay = c.boolean() },
	"ConfirmationStatus":  func(a *scheduleRow, c *cell) { a.Status = c.name() },
	"Type":                func(a *scheduleRow, c *cell) { a.Type = c.name() },
	"ServiceLocationID":   func(a *scheduleRow, c *cell) { a.ServiceLocationID = c.foreignID().Reveal() },
	"ServiceLocationName": func(a *scheduleRow, c *cell) { a.ServiceLocationName = c.name() },
	"PracticeID":          func(a *scheduleRow, c *cell) { a.PracticeID = c.foreignID().Reveal() },
	"PracticeName":        func(a *scheduleRow, c *cell) { a.PracticeName = c.practiceName() },
	"Notes":               func(a *scheduleRow, c *cell) { a.Notes = c.text() },
	"Recurring":           func(a *scheduleRow, c *cell) { a.Recurring = c.boolean() },
	"CreatedDate":         func(a *scheduleRow, c *cell) { a.Created = c.time() },
	"LastModifiedDate":    func(a *scheduleRow, c *cell) { a.LastModified = c.time() },
}), nil)

// addNumberedColumns adds the columns that are repeated ten times.
func addNumberedColumns(cells map[string]func(*scheduleRow, *cell)) map[string]func(*scheduleRow, *cell) {
	for i := range 10 {
		n := strconv.Itoa(i + 1)
		cells["ResourceID"+n] = func(a *scheduleRow, c *cell) { a.resources[i].ID = c.foreignID() }
		cells["ResourceName"+n] = func(a *scheduleRow, c *cell) { a.resources[i].Name = c.text() }
		cells["ResourceTypeID"+n] = func(a *scheduleRow, c *cell) { a.resources[i].Type = c.name() }
		cells["AppointmentReason"+n] = func(a *scheduleRow, c *cell) { a.reasons[i].Name = c.text() }
		cells["AppointmentReasonID"+n] = func(a *scheduleRow, c *cell) { a.reasons[i].ID = c.foreignID().Reveal() }
	}
	return cells
}
