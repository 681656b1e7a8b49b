package work

import (
	"context"
	"errors"

	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// warmView puts a view into the cache before somebody asks for it. It makes no vendor call; a day of which nothing is
// known becomes a demand for its schedule. Running twice: the second finds the view there.
func (d Deps) warmView(ctx context.Context, job *tasks.Job[tasks.WarmView]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	on, err := day(job.Args.Date)
	if err != nil {
		return err
	}
	_, err = d.Store.Board(ctx, s.tenant, s.id, on)
	if errors.Is(err, practice.ErrCold) {
		return d.demand(ctx, s, tasks.SyncSchedule{Practice: s.id, From: job.Args.Date, To: job.Args.Date})
	}
	return err
}
