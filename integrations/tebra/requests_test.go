package tebra_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// invalidCall is a call that the client rejects before sending a request.
type invalidCall struct {
	name   string
	call   func(*tebra.Client) error
	reason string
}

// invalidCalls returns invalid writes, and invalid reads by name and key.
func invalidCalls(ctx context.Context) []invalidCall {
	create := func(edit func(*tebra.NewAppointment)) func(*tebra.Client) error {
		return func(c *tebra.Client) error {
			a := tebra.NewAppointment{
				PracticeID: "1", ServiceLocationID: "3", Start: exampleDay, End: exampleDay.Add(time.Hour), Patient: "1001", ProviderID: "7",
			}
			edit(&a)
			_, err := c.Appointments.Create(ctx, a, time.UTC)
			return err
		}
	}
	update := func(edit func(*tebra.AppointmentUpdate)) func(*tebra.Client) error {
		return func(c *tebra.Client) error {
			a := tebra.AppointmentUpdate{
				ID: "1", Patient: "2", ServiceLocationID: "3", Start: exampleDay, End: exampleDay.Add(time.Hour), Status: tebra.StatusRoomed,
			}
			edit(&a)
			_, err := c.Appointments.Update(ctx, a, time.UTC)
			return err
		}
	}
	patient := func(practice string, f tebra.PatientFields) func(*tebra.Client) error {
		return func(c *tebra.Client) error { return c.Patients.Update(ctx, "1001", practice, f) }
	}
	external := func(batch ...tebra.ExternalID) func(*tebra.Client) error {
		return func(c *tebra.Client) error { return c.Patients.SetExternalIDs(ctx, batch) }
	}
	list := func(q tebra.ListPatientsRequest) func(*tebra.Client) error {
		return func(c *tebra.Client) error { _, err := c.Patients.List(ctx, q); return err }
	}
	page := func(q tebra.PatientPagesRequest) func(*tebra.Client) error {
		return func(c *tebra.Client) error { _, err := c.Patients.Page(ctx, q); return err }
	}
	return []invalidCall{
		{"create without practice", create(func(a *tebra.NewAppointment) { a.PracticeID = "" }), "practice"},
		{"create without location", create(func(a *tebra.NewAppointment) { a.ServiceLocationID = canary }), "service location"},
		{"create that ends before it begins", create(func(a *tebra.NewAppointment) { a.End = a.Start }), "range"},
		{"create without provider", create(func(a *tebra.NewAppointment) { a.ProviderID = "" }), "provider"},
		{"create without patient", create(func(a *tebra.NewAppointment) { a.Patient = "" }), "patient"},
		{"create for a patient and a group", create(func(a *tebra.NewAppointment) { a.Attendees = []phi.Text{"1"} }), "patient"},
		{"create for a group with an invalid patient", create(func(a *tebra.NewAppointment) { a.Patient, a.Attendees = "", []phi.Text{canary} }), "id"},
		{"create with an invalid case", create(func(a *tebra.NewAppointment) { a.CaseID = canary }), "id"},
		{"create with an unknown status", create(func(a *tebra.NewAppointment) { a.Status = canary }), "status"},
		{"update of identifier 0", update(func(a *tebra.AppointmentUpdate) { a.ID = "0" }), "id"},
		{"update without status", update(func(a *tebra.AppointmentUpdate) { a.Status = "" }), "status"},
		{"update without end", update(func(a *tebra.AppointmentUpdate) { a.End = time.Time{} }), "range"},
		{"update without location", update(func(a *tebra.AppointmentUpdate) { a.ServiceLocationID = "" }), "service location"},
		{"status of an invalid identifier", func(c *tebra.Client) error { return c.Appointments.SetStatus(ctx, canary, tebra.StatusRoomed) }, "id"},
		{"unknown status", func(c *tebra.Client) error { return c.Appointments.SetStatus(ctx, "1", "Check-in") }, "status"},
		{"delete of an invalid identifier", func(c *tebra.Client) error { return c.Appointments.Delete(ctx, "-1") }, "id"},
		{"reasons without practice", func(c *tebra.Client) error { _, err := c.Appointments.Reasons(ctx, ""); return err }, "practice"},
		{"appointment without zone", func(c *tebra.Client) error { _, err := c.Appointments.Get(ctx, "1", nil); return err }, "location"},
		{"patient without names", func(c *tebra.Client) error { _, err := c.Patients.Create(ctx, "1", tebra.PatientFields{}); return err }, "name"},
		{"patient of an invalid practice", patient(canary, tebra.PatientFields{}), "practice"},
		{"patient with a long phone number", patient("1", tebra.PatientFields{MobilePhone: tebra.Set("1 (555) 555-0100")}), "phone"},
		{"patient with an invalid date", patient("1", tebra.PatientFields{BirthDate: tebra.Set("7/4/1980")}), "date"},
		{"patient with an unknown gender", patient("1", tebra.PatientFields{Gender: tebra.Set("f")}), "gender"},
		{"no external ids", external(), "size"},
		{"external id that is too long", external(tebra.ExternalID{PatientID: "1", PracticeID: "1", VendorID: "1", ID: phi.Text(strings.Repeat("x", 26))}), "length"},
		{"external id without patient", external(tebra.ExternalID{PracticeID: "1", VendorID: "1", ID: "x"}), "id"},
		{"patients without practice", list(tebra.ListPatientsRequest{LastName: canary}), "practice"},
		{"patients with reversed birth dates", list(tebra.ListPatientsRequest{PracticeID: "1", BornFrom: "1980-07-05", BornTo: "1980-07-04"}), "range"},
		{"patients with half a range", list(tebra.ListPatientsRequest{PracticeID: "1", ModifiedFrom: exampleDay}), "range"},
		{"page that is too large", page(tebra.PatientPagesRequest{Size: 1001}), "size"},
		{"page with an invalid key", page(tebra.PatientPagesRequest{From: canary}), "key"},
		{"page of an invalid practice", page(tebra.PatientPagesRequest{PracticeID: canary}), "practice"},
	}
}

func TestInvalidCallsAreNotSent(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 2, 24, 0, 0, 0, 0, time.UTC)
	list := func(edit func(*tebra.ListAppointmentsRequest)) func(*tebra.Client) error {
		return func(c *tebra.Client) error {
			q := oneDay()
			edit(&q)
			_, err := c.Appointments.List(t.Context(), q)
			return err
		}
	}
	patient := func(id string) func(*tebra.Client) error {
		return func(c *tebra.Client) error {
			_, err := c.Patients.Get(t.Context(), id)
			return err
		}
	}
	tests := []invalidCall{
		{"no practice", list(func(q *tebra.ListAppointmentsRequest) { q.PracticeName = " " }), "practice"},
		{"no location", list(func(q *tebra.ListAppointmentsRequest) { q.Location = nil }), "location"},
		{"half a range", list(func(q *tebra.ListAppointmentsRequest) { q.To = time.Time{} }), "range"},
		{"half a range of changes", list(func(q *tebra.ListAppointmentsRequest) { q.ModifiedTo = day }), "range"},
		{"no range", list(func(q *tebra.ListAppointmentsRequest) { q.From, q.To = time.Time{}, time.Time{} }), "range"},
		{"reversed", list(func(q *tebra.ListAppointmentsRequest) { q.To = day.AddDate(0, 0, -1) }), "range"},
		{"61 days", list(func(q *tebra.ListAppointmentsRequest) { q.To = day.AddDate(0, 0, 60) }), "range"},
		{"changes reversed", list(func(q *tebra.ListAppointmentsRequest) { q.ModifiedFrom, q.ModifiedTo = day, day.AddDate(0, 0, -1) }), "range"},
		{"control character", list(func(q *tebra.ListAppointmentsRequest) { q.PracticeName = "a\x01" + canary }), "text"},
		{"not UTF-8", list(func(q *tebra.ListAppointmentsRequest) { q.PracticeName = "\xff" }), "text"},
		{"patient 0", patient("0"), "id"},
		{"patient -1", patient("-1"), "id"},
		{"patient beyond int", patient("2147483648"), "id"},
		{"patient that is not a number", patient(canary), "id"},
		{"providers without practice", func(c *tebra.Client) error {
			_, err := c.Directory.Providers(t.Context(), tebra.ProvidersRequest{})
			return err
		}, "practice"},
	}
	for _, tt := range append(tests, invalidCalls(t.Context())...) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := &gate{}
			c := newClient(t, always(200, xmlType, ""), func(o *tebra.Options) { o.Gate = g })
			err := tt.call(c)
			var e *tebra.Error
			if !errors.As(err, &e) || e.Code != tebra.Invalid || e.Reason != tt.reason || e.Sent || len(g.calls) != 0 {
				t.Errorf("got %+v after %d calls of Enter, want invalid (%s) after none", e, len(g.calls), tt.reason)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("error quotes the request: %v", err)
			}
		})
	}
	sixty := oneDay()
	sixty.To = day.AddDate(0, 0, 59)
	if _, err := newClient(t, always(200, xmlType, appointments("")), nil).Appointments.List(t.Context(), sixty); err != nil {
		t.Errorf("60 days: %v", err)
	}
}
