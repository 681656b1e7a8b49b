package work

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// clockSkew is by how much two clocks may differ: that of the queue's Redis, by which demands are
// dated, that of the cache's, by which answers are, and that of this process.
const clockSkew = 3 * time.Minute

// mayExpire reports whether a task is one whose work may turn out not to be needed any more. A
// replay is an operator's decision, and a change for the vendor is never dropped.
func mayExpire[T tasks.Args](job *tasks.Job[T]) bool {
	return !job.DemandedAt.IsZero() && !job.Replayed && job.Lane != tasks.LanePush
}

// dayOver is the outcome of a run about days that are over at the practice if it was demanded
// before the first of them ended, otherwise nil: their boards are no longer looked at. A demand for
// a day that was over already is deliberate, and for an interactive one a person waits.
func dayOver[T tasks.Args](d Deps, s practiceScope, job *tasks.Job[T], first, last civil.Date) error {
	if !mayExpire(job) || job.Lane == tasks.LaneInteractive {
		return nil
	}
	if d.Now().Before(last.Add(1).In(s.Zone).Add(clockSkew)) {
		return nil
	}
	if !d.Calendar(job.DemandedAt).Before(first.Add(1).In(s.Zone).Add(-clockSkew)) {
		return nil
	}
	return tasks.Expired(codes.DayOver)
}

// overtaken is the outcome of a run that would read the records if the vendor was asked for all of
// them after the last demand, otherwise nil.
func overtaken[T tasks.Args](ctx context.Context, d Deps, s practiceScope, job *tasks.Job[T], records ...practice.Record) error {
	if !mayExpire(job) || time.Since(job.DemandedAt) < clockSkew/2 {
		return nil
	}
	at, err := d.Store.ReadAt(ctx, s.tenant, records...)
	if err != nil || !at.After(job.DemandedAt.Add(clockSkew)) {
		return err
	}
	return tasks.Expired(codes.Overtaken)
}

// scheduleExpired is the outcome of a run that would read the days of a range if that is not needed
// any more, otherwise nil. A demand for a certain number of days before the range is met by no
// other answer, and a range of several windows is not compared with answers.
func (d Deps) scheduleExpired(ctx context.Context, s practiceScope, job *tasks.Job[tasks.SyncSchedule]) error {
	a := job.Args
	if err := dayOver(d, s, job, a.From, a.To); err != nil {
		return err
	}
	if a.Lookback > 0 || a.From.Days(a.To) >= policy("GetAppointments").MaxDays {
		return nil
	}
	var days []practice.Record
	for _, on := range civil.Range(a.From, a.To) {
		days = append(days, practice.Record{Noun: practice.NounDay, Practice: s.id, Day: on})
	}
	return overtaken(ctx, d, s, job, days...)
}
