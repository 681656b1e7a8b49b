package work

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// Account is a tenant's way to the vendor.
type Account struct {
	Vendor    *tebra.Client
	Zone      *time.Location
	Practices []ledger.Practice
}

// practiceName is the vendor's name of a practice, by which lists are filtered.
func (a *Account) practiceName(id string) (string, bool) {
	for _, p := range a.Practices {
		if p.ID == id {
			return p.Name, true
		}
	}
	return "", false
}

// Deps is what the workers need. All fields are required.
type Deps struct {
	// Account finds a tenant's account. A tenant that is not known is a permanent error.
	Account func(ctx context.Context, t tenant.ID) (*Account, error)
	Store   *practice.Store
	Tasks   *tasks.Client
	Ledger  *ledger.Ledger
	// Now is the calendar: what "today" is. Real time except where a demo speeds it up.
	Now func() time.Time
}

// Register adds a worker for each kind to the router.
func Register(r *tasks.Router, d Deps) error {
	if d.Account == nil || d.Store == nil || d.Tasks == nil || d.Ledger == nil || d.Now == nil {
		return errors.New("work: every dependency is required")
	}
	tasks.Handle(r, tasks.WorkerFunc[tasks.SyncSchedule](d.syncSchedule))
	tasks.Handle(r, tasks.WorkerFunc[tasks.SyncPatient](d.syncPatient))
	tasks.Handle(r, tasks.WorkerFunc[tasks.SyncDirectory](d.syncDirectory))
	tasks.Handle(r, tasks.WorkerFunc[tasks.WarmView](d.warmView))
	tasks.Handle(r, tasks.WorkerFunc[tasks.InvalidateEntity](d.invalidateEntity))
	return nil
}

// errPractice means that the tenant has no such practice: somebody's mistake, which no retry mends.
var errPractice = errors.New("unknown_practice")

// open finds what every run about one practice needs.
func (d Deps) open(ctx context.Context, t, practiceID string) (tenant.ID, *Account, string, error) {
	id, err := tenant.Parse(t)
	if err != nil {
		return "", nil, "", tasks.Permanent(err)
	}
	a, err := d.Account(ctx, id)
	if err != nil {
		return "", nil, "", err
	}
	name, ok := a.practiceName(practiceID)
	if !ok {
		return "", nil, "", tasks.Permanent(errPractice)
	}
	return id, a, name, nil
}

// conflictDelay is how long a run waits after another one applied an answer between its own look and its own change.
const conflictDelay = time.Second

// applied turns the outcome of applying an answer into the outcome of the run: after a conflict the vendor must be asked
// again, and that is nobody's failure.
func applied(err error) error {
	if errors.Is(err, cache.ErrConflict) {
		return tasks.Later(time.Now().Add(conflictDelay), "conflict")
	}
	return err
}

func day(d tasks.Date) (practice.Date, error) {
	out, err := practice.ParseDate(d.String())
	if err != nil {
		return "", tasks.Permanent(fmt.Errorf("parse day: %w", err))
	}
	return out, nil
}
