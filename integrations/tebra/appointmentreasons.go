package tebra

import (
	"context"
)

// AppointmentReason is a reason for visits that a practice has defined.
type AppointmentReason struct {
	ID         string // "" in some rows, as an integrator reports
	Name       string
	PracticeID string
	Minutes    int      // default duration of such a visit; 0 if unknown
	Unread     []string // the vendor's names of the columns that could not be read
}

// Reasons returns the reasons of a practice (GetAppointmentReasons). This operation of 2026 is in
// no published contract; its shape is known from other integrators.
func (s *AppointmentsService) Reasons(ctx context.Context, practiceID string) (List[AppointmentReason], error) {
	op := &opGetAppointmentReasons
	if !isIdentifier(practiceID, 64) {
		return List[AppointmentReason]{}, invalidRequest(op, "practice")
	}
	l := listing[AppointmentReason, AppointmentReason]{
		op: op, item: "AppointmentReasonData", columns: reasonColumns, finish: itself[AppointmentReason],
		hasID: func(a *AppointmentReason) bool { return a.ID != "" || a.Name != "" },
		write: func(w *writer) { w.text("PracticeId", practiceID) },
	}
	return l.list(ctx, s.client)
}

var reasonColumns = newRecord(func(a *AppointmentReason) *[]string { return &a.Unread }, map[string]func(*AppointmentReason, *cell){
	"AppointmentReasonId":    func(a *AppointmentReason, c *cell) { a.ID = c.foreignID().Reveal() },
	"DefaultDurationMinutes": func(a *AppointmentReason, c *cell) { a.Minutes = c.integer() },
	"Name":                   func(a *AppointmentReason, c *cell) { a.Name = c.name() },
	"PracticeId":             func(a *AppointmentReason, c *cell) { a.PracticeID = c.foreignID().Reveal() },
}, nil)
