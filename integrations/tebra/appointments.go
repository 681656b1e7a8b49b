package tebra

import (
	"context"
	"encoding/xml"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// AppointmentsService reads the schedule.
type AppointmentsService struct{ client *Client }

// ListAppointmentsRequest says which appointments. Days are calendar days: only the year, month and day that a time
// shows in its own location count. Either both of From and To are set, or both of ModifiedFrom and ModifiedTo, or all
// four.
type ListAppointmentsRequest struct {
	PracticeName string         // required: the vendor's best filter, and what keeps practices apart
	From, To     time.Time      // first and last day of the visits, in the practice's calendar; at most 60 days
	ModifiedFrom time.Time      // first day of the last change; the vendor compares days, so overlap
	ModifiedTo   time.Time      // last day of the last change
	PatientID    phi.Text       // only this patient's; "" is everybody's
	Location     *time.Location // required: the practice's zone, in which the vendor writes its rows
}

// Appointments is one list. The vendor does not promise an order.
type Appointments struct {
	Rows    []Appointment
	Partial bool // the list reached the vendor's cap of 10,000 rows: narrow the range, and delete nothing by comparing
}

// Appointment is one row of the schedule. Fields that the vendor left out are zero.
type Appointment struct {
	ID                  phi.Text
	PatientID           phi.Text // "" for time blocked without a patient
	PatientName         phi.Text
	CaseID              phi.Text
	CaseName            phi.Text
	Start, End          time.Time // in the request's Location
	AllDay              bool
	Status              string // ConfirmationStatus as written, which varies: compare without case, spaces and hyphens
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
}

// Resource is a provider, a room or a device that an appointment takes.
type Resource struct {
	ID   phi.Text
	Name phi.Text
	Type string // "1" is a doctor, "2" a resource of the practice
}

// Reason is why the patient comes, in the practice's own words.
type Reason struct {
	ID   string
	Name phi.Text
}

// Providers returns those of the resources that are doctors, in the row's order; nil when there is none.
func (a *Appointment) Providers() []Resource {
	var doctors []Resource
	for _, r := range a.Resources {
		if r.Type == "1" {
			doctors = append(doctors, r)
		}
	}
	return doctors
}

// List returns the appointments that req describes (GetAppointments: appointments by filter). An empty list is a list
// without rows, not an error. A date that is no date makes the whole list Malformed: a row left out would look deleted.
func (s *AppointmentsService) List(ctx context.Context, req ListAppointmentsRequest) (Appointments, error) {
	op := &opGetAppointments
	if reason := req.check(op.MaxDays); reason != "" {
		return Appointments{}, refuse(op, reason)
	}
	var list Appointments
	err := s.client.call(ctx, op, req.write, func(r *reader, el xml.StartElement) error {
		if el.Name.Local != op.payload {
			return nil
		}
		err := r.list("AppointmentData", func() error {
			row, err := r.appointment(req.Location)
			if err == nil && row.ID != "" { // a row without ID stands for "nothing found"
				list.Rows = append(list.Rows, row)
			}
			return err
		})
		list.Partial = r.full
		return err
	})
	if err != nil {
		return Appointments{}, err
	}
	return list, nil
}

func (q *ListAppointmentsRequest) check(maxDays int) (reason string) {
	visits, changes := !q.From.IsZero() && !q.To.IsZero(), !q.ModifiedFrom.IsZero() && !q.ModifiedTo.IsZero()
	switch {
	case strings.TrimSpace(q.PracticeName) == "":
		return "practice"
	case q.Location == nil:
		return "location"
	case !visits && !changes, q.From.IsZero() != q.To.IsZero(), q.ModifiedFrom.IsZero() != q.ModifiedTo.IsZero():
		return "range"
	case visits && (days(q.From, q.To) < 1 || days(q.From, q.To) > maxDays):
		return "range"
	case changes && days(q.ModifiedFrom, q.ModifiedTo) < 1:
		return "range"
	}
	return ""
}

func (q *ListAppointmentsRequest) write(w *writer) {
	w.list(
		member{"EndDate", endOfDay(q.To)},
		member{"FromLastModifiedDate", startOfDay(q.ModifiedFrom)},
		member{"PatientID", q.PatientID.Reveal()},
		member{"PracticeName", q.PracticeName},
		member{"StartDate", startOfDay(q.From)},
		member{"ToLastModifiedDate", endOfDay(q.ModifiedTo)},
	)
}

// numbered holds the columns that a row repeats under the numbers 1 to 10.
type numbered struct {
	resources [10]Resource
	reasons   [10]Reason
}

func (n *numbered) set(stem string, i int, value string) {
	switch stem {
	case "ResourceID":
		n.resources[i].ID = phi.Text(value)
	case "ResourceName":
		n.resources[i].Name = phi.Text(value)
	case "ResourceTypeID":
		n.resources[i].Type = value
	case "AppointmentReason":
		n.reasons[i].Name = phi.Text(value)
	case "AppointmentReasonID":
		n.reasons[i].ID = value
	}
}

// compact returns what is there, without the gaps.
func (n *numbered) compact() (resources []Resource, reasons []Reason) {
	for i := range n.resources {
		if r := n.resources[i]; r.ID != "" || r.Name != "" {
			resources = append(resources, r)
		}
		if r := n.reasons[i]; r.ID != "" || r.Name != "" {
			reasons = append(reasons, r)
		}
	}
	return resources, reasons
}

// cutNumber splits "ResourceID10" into "ResourceID" and 9; ok is false without a number from 1 to 10.
func cutNumber(name string) (stem string, index int, ok bool) {
	stem = strings.TrimRight(name, "0123456789")
	switch digits := name[len(stem):]; {
	case digits == "10":
		return stem, 9, true
	case len(digits) == 1 && digits != "0":
		return stem, int(digits[0] - '1'), true
	}
	return "", 0, false
}

func (r *reader) appointment(loc *time.Location) (Appointment, error) {
	var a Appointment
	var n numbered
	d := rowDates{loc: loc}
	err := r.fields(func(name, value string) {
		if stem, i, ok := cutNumber(name); ok {
			n.set(stem, i, value)
			return
		}
		a.set(name, value, &d)
	})
	a.Resources, a.Reasons = n.compact()
	if err == nil {
		err = d.err
	}
	return a, err
}

func (a *Appointment) set(name, value string, d *rowDates) {
	switch name {
	case "ID":
		a.ID = phi.Text(value)
	case "PatientID":
		a.PatientID = phi.Text(value)
	case "PatientFullName":
		a.PatientName = phi.Text(value)
	case "PatientCaseID":
		a.CaseID = phi.Text(value)
	case "PatientCaseName":
		a.CaseName = phi.Text(value)
	case "StartDate":
		a.Start = d.time(value)
	case "EndDate":
		a.End = d.time(value)
	case "AllDay":
		a.AllDay = truth(value)
	case "ConfirmationStatus":
		a.Status = value
	case "Type":
		a.Type = value
	case "ServiceLocationID":
		a.ServiceLocationID = value
	case "ServiceLocationName":
		a.ServiceLocationName = value
	case "PracticeID":
		a.PracticeID = value
	case "PracticeName":
		a.PracticeName = value
	case "Notes":
		a.Notes = phi.Text(value)
	case "Recurring":
		a.Recurring = truth(value)
	case "CreatedDate":
		a.Created = d.time(value)
	case "LastModifiedDate":
		a.LastModified = d.time(value)
	}
}
