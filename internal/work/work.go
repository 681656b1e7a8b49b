package work

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// Deps is what the workers need. All fields are required.
type Deps struct {
	// Account finds a tenant's account. An unknown tenant is a permanent error.
	Account func(ctx context.Context, t tenant.ID) (*account.Account, error)
	// Reload is Account after a change of the ledger.
	Reload func(ctx context.Context, t tenant.ID) (*account.Account, error)
	Store  *practice.Store
	Tasks  *tasks.Client
	// Ledger keeps the watermarks, the alerts and the practices' adopted names.
	Ledger *ledger.Ledger
	// Intervals stores the intervals that the vendor requires between calls of its operations;
	// (*flow.Flow).SetIntervals.
	Intervals func(ctx context.Context, t tenant.ID, byOperation map[string]time.Duration) error
	// Retry reserves a retry of a vendor call that has failed, and returns how long it waits at
	// least; (*flow.Flow).Retry.
	Retry func(ctx context.Context, t tenant.ID, operation string) time.Duration
	// OfRecord reports whether the failure of a vendor call follows what the call asked for;
	// (*flow.Flow).OfRecord.
	OfRecord func(t tenant.ID, operation string, fingerprint uint64) bool
	// Now returns the time that decides which day is today. It is the real time unless a demo
	// speeds it up.
	Now func() time.Time
	// Calendar converts a real time to one of Now.
	Calendar func(time.Time) time.Time
	Logger   *slog.Logger
}

// Register adds a worker for each kind to the router.
func Register(r *tasks.Router, d Deps) error {
	if d.Account == nil || d.Reload == nil || d.Store == nil || d.Tasks == nil || d.Ledger == nil || d.Intervals == nil || d.Retry == nil || d.OfRecord == nil || d.Now == nil || d.Calendar == nil || d.Logger == nil {
		return errors.New("work: every dependency is required")
	}
	tasks.Handle(r, urgent(d.syncSchedule))
	tasks.Handle(r, urgent(d.syncAppointment))
	tasks.Handle(r, urgent(d.syncPatient))
	tasks.Handle(r, urgent(d.syncPatients))
	tasks.Handle(r, urgent(d.sweepPatients))
	tasks.Handle(r, urgent(d.syncDirectory))
	tasks.Handle(r, urgent(d.syncLocations))
	tasks.Handle(r, urgent(d.syncPractices))
	tasks.Handle(r, urgent(d.syncThrottles))
	tasks.Handle(r, urgent(d.warmView))
	tasks.Handle(r, urgent(d.invalidateEntity))
	return nil
}

// urgent gives the vendor calls of an interactive run the reserved share of the budget.
func urgent[T tasks.Args](work tasks.WorkerFunc[T]) tasks.WorkerFunc[T] {
	return func(ctx context.Context, job *tasks.Job[T]) error {
		if job.Lane == tasks.LaneInteractive {
			ctx = tebra.Interactive(ctx)
		}
		return work(ctx, job)
	}
}

// practiceScope is the practice that a run is about, with the account to read it through.
type practiceScope struct {
	*account.Account
	tenant tenant.ID
	id     string // the practice's number
	name   string // the vendor's name of the practice, by which lists are filtered
	// configured is the name in the tenant's settings.
	configured string
	Zone       *time.Location
}

func (d Deps) open(ctx context.Context, t, practiceID string) (practiceScope, error) {
	id, a, err := d.account(ctx, t)
	if err != nil {
		return practiceScope{}, err
	}
	return practiceIn(id, a, practiceID)
}

func practiceIn(id tenant.ID, a *account.Account, practiceID string) (practiceScope, error) {
	for _, p := range a.Practices {
		if p.ID == practiceID {
			zone, err := a.ZoneOf(p)
			return practiceScope{
				Account: a, tenant: id, id: p.ID, name: p.Name, configured: cmp.Or(p.Configured, p.Name), Zone: zone,
			}, err
		}
	}
	return practiceScope{}, tasks.Permanent(codes.UnknownPractice)
}

// demand enqueues the tasks that follow from a run.
func (d Deps) demand(ctx context.Context, s practiceScope, args ...tasks.Args) error {
	if len(args) == 0 {
		return nil
	}
	if _, err := d.Tasks.EnqueueMany(ctx, s.tenant.String(), args); err != nil {
		return fmt.Errorf("enqueue following tasks: %w", err)
	}
	return nil
}

// conflictDelay is how long a run waits if the same data changed between its vendor call and its
// own change.
const conflictDelay = time.Second

// applied turns the result of applying an answer into the outcome of the run: after a conflict the
// vendor must be asked again, which is not a failed attempt.
func applied(err error) error {
	if errors.Is(err, cache.ErrConflict) {
		return tasks.Later(time.Now().Add(conflictDelay), codes.Conflict)
	}
	return err
}
