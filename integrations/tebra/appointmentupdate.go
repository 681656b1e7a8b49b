package tebra

import (
	"cmp"
	"context"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// AppointmentUpdate is the complete appointment that UpdateAppointment writes. The vendor clears
// what is left out: a case that is not sent is lost, and a status that is not sent becomes Unknown.
// Therefore start from AppointmentDetail.Update and change its fields.
type AppointmentUpdate struct {
	ID                phi.Text // required
	Patient           phi.Text // "" for a group
	ServiceLocationID string   // required
	Start, End        time.Time
	Status            AppointmentStatus
	Mode              string
	Name              phi.Text
	Notes             phi.Text
	CaseID            phi.Text
	AuthorizationID   phi.Text
	ReasonID          string
	ProviderID        phi.Text
	ResourceID        phi.Text
	ResourceIDs       []phi.Text
	MaxAttendees      int
	Recurring         bool
	OccurrenceID      phi.Text

	unread   bool       // the appointment was read without a member that this would clear
	repaired []phi.Text // texts that are not as the vendor has them, and that this would replace
}

// notUpdated are the members that an update does not write.
var notUpdated = []string{"CreatedAt", "IsDeleted", "IsGroupAppointment", "PatientSummaries", "PracticeId", "RecurrenceRule", "UpdatedAt"}

// Update returns the AppointmentUpdate that would leave the appointment as it was read. If one of
// its members could not be read, the update is Invalid, because it would clear the member. So it is
// as long as it has a text of which characters were replaced: it would write the replacements.
func (a *AppointmentDetail) Update() AppointmentUpdate {
	var repaired []phi.Text
	for name, text := range map[string]phi.Text{"AppointmentName": a.Name, "Notes": a.Notes} {
		if slices.Contains(a.Repaired, name) {
			repaired = append(repaired, text)
		}
	}
	return AppointmentUpdate{
		ID: a.ID, Patient: a.Patient, ServiceLocationID: a.ServiceLocationID, Start: a.Start, End: a.End, Status: a.Status,
		Mode: a.Mode, Name: a.Name, Notes: a.Notes, CaseID: a.CaseID, AuthorizationID: a.AuthorizationID, ReasonID: a.ReasonID,
		ProviderID: a.ProviderID, ResourceID: a.ResourceID, ResourceIDs: slices.Clone(a.ResourceIDs),
		MaxAttendees: a.MaxAttendees, Recurring: a.Recurring, OccurrenceID: a.OccurrenceID,
		repaired: repaired,
		unread:   slices.ContainsFunc(a.Unread, func(member string) bool { return !slices.Contains(notUpdated, member) }),
	}
}

// Update replaces an appointment and returns it as the vendor reports it, with times in zone
// (UpdateAppointment). It overwrites changes made by others since the appointment was read. A
// successful response does not prove that the write took effect. A response without an appointment,
// or with another one, is Malformed.
func (s *AppointmentsService) Update(ctx context.Context, a AppointmentUpdate, zone *time.Location) (*AppointmentDetail, error) {
	op := &opUpdateAppointment
	if reason := a.check(); reason != "" {
		return nil, invalidRequest(op, reason)
	}
	if zone == nil {
		return nil, invalidRequest(op, "location")
	}
	return s.detail(ctx, op, zone, func(w *writer) { w.element("Appointment", func() { a.write(w) }) },
		func(updated *AppointmentDetail) (Code, string) {
			if updated.ID != a.ID {
				return Malformed, "id"
			}
			return "", ""
		})
}

// check returns the reason why an update is invalid, or "".
func (a *AppointmentUpdate) check() (reason string) {
	switch {
	case a.unread:
		return "unread"
	case slices.Contains(a.repaired, a.Notes), slices.Contains(a.repaired, a.Name):
		return "repaired"
	case !isIdentifier(a.ID.Reveal(), 64), a.Patient != "" && !isIdentifier(a.Patient.Reveal(), 64):
		return "id"
	case !isIdentifier(a.ServiceLocationID, 64):
		return "service location"
	case slices.ContainsFunc(slices.Concat(a.ResourceIDs, a.optionalIDs()), func(id phi.Text) bool { return !isIdentifier(id.Reveal(), 64) }):
		return "id"
	// An appointment that was read as Unknown stays so.
	case a.Status != StatusUnknown && !slices.Contains(writableStatuses, a.Status):
		return "status"
	case !slices.Contains(validModes, a.Mode):
		return "mode"
	case a.MaxAttendees < 0:
		return "size"
	case a.Start.IsZero(), !a.End.After(a.Start):
		return "range"
	}
	return ""
}

// optionalIDs returns the optional identifiers that are set.
func (a *AppointmentUpdate) optionalIDs() []phi.Text {
	all := []phi.Text{a.CaseID, a.AuthorizationID, phi.Text(a.ReasonID), a.ProviderID, a.ResourceID, a.OccurrenceID}
	return slices.DeleteFunc(all, func(id phi.Text) bool { return id == "" })
}

func (a *AppointmentUpdate) write(w *writer) {
	w.text("AppointmentId", a.ID.Reveal())
	w.optional("AppointmentMode", a.Mode)
	w.optional("AppointmentName", a.Name.Reveal())
	w.optional("AppointmentReasonId", a.ReasonID)
	w.text("AppointmentStatus", string(a.Status))
	w.text("EndTime", typedTime(a.End))
	w.optional("InsurancePolicyAuthorizationId", a.AuthorizationID.Reveal())
	w.text("IsRecurring", strconv.FormatBool(a.Recurring))
	w.optional("MaxAttendees", optionalNumber(a.MaxAttendees))
	w.optional("Notes", a.Notes.Reveal())
	w.optional("OccurrenceId", a.OccurrenceID.Reveal())
	w.optional("PatientCaseId", a.CaseID.Reveal())
	w.text("PatientId", cmp.Or(a.Patient, "0").Reveal()) // the schema requires it, even for a group
	w.optional("ProviderId", a.ProviderID.Reveal())
	w.optional("ResourceId", a.ResourceID.Reveal())
	w.items("ResourceIds", nsArrays, "long", revealAll(a.ResourceIDs))
	w.text("ServiceLocationId", a.ServiceLocationID)
	w.text("StartTime", typedTime(a.Start))
}

// SetStatus changes only the status (UpdateAppointmentStatus). This operation of 2026 is in no
// published contract: its request is known from another integrator, and its response is assumed. If
// an account does not have it, the error is Invalid; use Get and Update instead.
func (s *AppointmentsService) SetStatus(ctx context.Context, id string, status AppointmentStatus) error {
	op := &opUpdateAppointmentStatus
	switch {
	case !isIdentifier(id, 64):
		return invalidRequest(op, "id")
	case !slices.Contains(writableStatuses, status):
		return invalidRequest(op, "status")
	}
	return s.client.call(ctx, op, func(w *writer) {
		w.group("Appointment", member{"AppointmentId", id}, member{"AppointmentStatus", string(status)})
	}, func(*reader, xml.Name) error { return nil }, nil)
}

// Delete deletes an appointment by its Tebra identifier (DeleteAppointment). The error is NotFound
// if the vendor reports that it deleted nothing.
func (s *AppointmentsService) Delete(ctx context.Context, id string) error {
	op := &opDeleteAppointment
	if !isIdentifier(id, 64) {
		return invalidRequest(op, "id")
	}
	deleted, echoedID := false, id
	return s.client.call(ctx, op, func(w *writer) { w.group("Appointment", member{"AppointmentId", id}) },
		func(r *reader, el xml.Name) (err error) {
			switch el.Local {
			case op.payload:
				if deleted, err = r.boolean(); deleted {
					r.record()
				}
			case "AppointmentId":
				echoedID, err = r.word()
			}
			return err
		},
		func() (Code, string) {
			switch {
			case !deleted:
				return NotFound, ""
			case strings.TrimSpace(echoedID) != id:
				return Malformed, "id"
			}
			return "", ""
		})
}
