package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// syncAppointment reads one appointment and applies what concerns it alone. For an appointment that
// moved, appeared or disappeared it demands the days that the appointment was and is on. Running
// twice: one more call, no change.
func (d Deps) syncAppointment(ctx context.Context, job *tasks.Job[tasks.SyncAppointment]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	id := job.Args.Appointment.Reveal()
	var detail *practice.Detail
	row, err := s.Vendor.Appointments.Get(ctx, id, s.Zone)
	switch {
	case errors.Is(err, &tebra.Error{Code: tebra.NotFound}):
	case err != nil:
		return d.vendorError(ctx, s.tenant, err, job.EnqueuedAt)
	default:
		// One that belongs to another practice is no longer on a day of this one.
		if detail, err = practice.FromDetail(s.id, row, s.Zone); err != nil && !errors.Is(err, practice.ErrForeign) {
			return fmt.Errorf("map appointment: %w", err)
		}
	}
	check, err := d.Store.ApplyVisit(ctx, s.tenant, s.id, phi.Text(id), detail, since)
	if err != nil {
		return applied(err)
	}
	follow := readDays(s, check.Days)
	if r := check.Record; check.Changed {
		views, err := d.views(ctx, s, r.Day, []phi.Text{r.Patient}, r.Providers)
		if err != nil {
			return err
		}
		follow = append(d.board(s, r.Day), views...)
	}
	return d.demand(ctx, s, follow...)
}
