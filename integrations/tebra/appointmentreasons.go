package tebra

import (
	"context"
)

// AppointmentReason is one of the words in which a practice says why patients come.
type AppointmentReason struct {
	ID         string // "" on some rows, in the experience of an integrator
	Name       string
	PracticeID string
	Minutes    int // how long such a visit takes by default; 0 is not said
}

// Reasons returns the reasons that a practice has, and whether there may be more than the vendor hands out
// (GetAppointmentReasons: an operation of 2026 that is in no contract we have read; its shape is known from other
// integrators).
func (s *AppointmentsService) Reasons(ctx context.Context, practiceID string) (reasons []AppointmentReason, partial bool, err error) {
	op := &opGetAppointmentReasons
	if !isIdentifier(practiceID, 64) {
		return nil, false, invalidRequest(op, "practice")
	}
	l := listing[AppointmentReason]{
		op: op, item: "AppointmentReasonData", decode: reasonColumns.row,
		hasID: func(a *AppointmentReason) bool { return a.ID != "" || a.Name != "" },
		write: func(w *writer) { w.text("PracticeId", practiceID) },
	}
	return l.all(ctx, s.client)
}

var reasonColumns = record[AppointmentReason]{cells: map[string]func(*AppointmentReason, *cell){
	"AppointmentReasonId":    func(a *AppointmentReason, c *cell) { a.ID = c.typedID().Reveal() },
	"DefaultDurationMinutes": func(a *AppointmentReason, c *cell) { a.Minutes = c.integer() },
	"Name":                   func(a *AppointmentReason, c *cell) { a.Name = c.value },
	"PracticeId":             func(a *AppointmentReason, c *cell) { a.PracticeID = c.typedID().Reveal() },
}}
