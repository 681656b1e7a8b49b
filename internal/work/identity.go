package work

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// recheck is how old a statement about a practice's identity becomes before empty answers, which
// prove nothing about the name that was asked for, no longer count and demand another one. It is
// longer than the interval at which today is read, so that every second reading of a day without
// visits has a statement that is recent.
const recheck = 3 * time.Minute

// named is a practice whose lists are requested by its name, with what the vendor last stated about
// its number.
type named struct {
	practiceScope
	stated practice.Stated
	lane   string // of the run
}

// openNamed is open for runs that request a list by the practice's name. A name that another worker
// has adopted takes effect at once.
func (d Deps) openNamed(ctx context.Context, t, practiceID, lane string) (named, error) {
	s, err := d.open(ctx, t, practiceID)
	if err != nil {
		return named{}, err
	}
	stated, err := d.Store.Identity(ctx, s.tenant, s.id)
	if err != nil {
		return named{}, err
	}
	if stated.Name != "" && stated.Name != s.name {
		a, err := d.Reload(ctx, s.tenant)
		if err != nil {
			return named{}, err
		}
		if s, err = practiceIn(s.tenant, a, practiceID); err != nil {
			return named{}, err
		}
	}
	return named{practiceScope: s, stated: stated, lane: lane}, nil
}

// recent reports whether the vendor has just confirmed that the practice has the name that lists
// are requested by, and may be read.
func (n *named) recent() bool { return n.stated.Confirms(n.name) > 0 && n.stated.Age < recheck }

// question is what a list of the practice was asked, and what its answer looks like.
func (n *named) question(scope practice.Scope) practice.Question {
	if scope == practice.ScopeEmpty && n.stated.Code != "" {
		scope = practice.ScopeRefused
	}
	q := practice.Question{Name: n.name, Scope: scope}
	if scope != practice.ScopeRefused {
		q.Confirmed, q.Recent = n.stated.Confirms(n.name), n.recent()
	}
	return q
}

// scopeOf describes an answer with this many rows of the practice, where so many are known.
func scopeOf(found, known int) practice.Scope {
	switch {
	case found == 0:
		return practice.ScopeEmpty
	case found*2 < known:
		return practice.ScopeShrunk
	}
	return practice.ScopeSound
}

// prove demands what an answer needs before it counts: a statement about the practice's identity,
// and a second answer to the question. The second read is a task of its own, because this run is
// complete. It is not demanded for a practice that cannot be read: once it can, everything is read.
func prove[T tasks.Args](ctx context.Context, d Deps, n *named, again T, delay time.Duration) error {
	if n.stated.Code != "" {
		return d.recheck(ctx, n)
	}
	check := d.identify
	if n.stated.Unconfirmed {
		check = d.recheck // another list of practices has just not confirmed the name
	}
	if err := check(ctx, n); err != nil {
		return err
	}
	if delay == 0 {
		return nil
	}
	if _, err := d.Tasks.Enqueue(ctx, n.tenant.String(), again, tasks.In(delay)); err != nil {
		return fmt.Errorf("enqueue second read: %w", err)
	}
	return nil
}

// tally is what a list of the practice has.
type tally struct {
	list  practice.Noun
	rows  int // of the practice
	found int // rows, and what else the vendor has although the list does not show it
	known int // what was known before
	since cache.Grant
	// authorized are the practices that the login may read, if the vendor states that.
	authorized []string
}

// counts reports whether a list counts, and demands what it lacks; again reads it once more. Even
// one that does not count shows, if it has rows, that the practice can be read.
func counts[T tasks.Args](ctx context.Context, d Deps, n *named, again T, l tally) (bool, error) {
	ok, first, err := d.Store.Counts(ctx, n.tenant, n.id, l.list, n.question(scopeOf(l.found, l.known)))
	if err != nil {
		return false, err
	}
	if l.rows > 0 {
		if err := d.answered(ctx, n, l.since, l.authorized); err != nil {
			return false, err
		}
	}
	if ok {
		return true, nil
	}
	delay := time.Duration(0)
	if first {
		delay = rereadDelay
	}
	return false, prove(ctx, d, n, again, delay)
}

// recheck is identify if the last statement about the practice is old, or names it otherwise.
func (d Deps) recheck(ctx context.Context, n *named) error {
	if n.recent() || (n.stated.Code != "" || n.stated.Unconfirmed) && n.stated.Age < recheck {
		return nil
	}
	return d.identify(ctx, n)
}

// identify demands a statement of the vendor about the numbers and names of the account's
// practices.
func (d Deps) identify(ctx context.Context, n *named) error {
	var how []tasks.Option
	if n.lane == tasks.LaneInteractive {
		how = append(how, tasks.Interactive())
	}
	if _, err := d.Tasks.Enqueue(ctx, n.tenant.String(), tasks.SyncPractices{}, how...); err != nil {
		return fmt.Errorf("enqueue check of identity: %w", err)
	}
	return nil
}

// answered records what a list with rows shows about the login's access, and demands a statement
// about a practice that could not be read. stated are the practices that the list says the login
// may read, if it says that.
func (d Deps) answered(ctx context.Context, n *named, since cache.Grant, stated []string) error {
	now := n.stated.Identity
	now.Authorized = now.Authorized || slices.Contains(stated, n.id)
	now.Answered = now.Answered || stated != nil && len(stated) == 0
	if now.Refused { // by a list, so the list of practices does not revoke it
		now.Name, now.Refused = "", false
	}
	if now != n.stated.Identity {
		if err := d.Store.SetIdentity(ctx, n.tenant, n.id, now, since); err != nil {
			return err
		}
	}
	if n.stated.Code == "" {
		return nil
	}
	return d.identify(ctx, n)
}

// failed is the outcome of a run whose list was not read. The refusal of one practice makes what is
// known of it stale: nothing confirms it until the login may read the practice again. The name may
// also be wrong, so the practice's identity is checked. The run is done then: operators are
// alerted, and the next regular reading finds out whether the refusal has ended.
func (d Deps) failed(ctx context.Context, n *named, since cache.Grant, err error, demanded time.Time) error {
	var refused *tebra.Error
	if !errors.As(err, &refused) || refused.Code != tebra.Denied || refused.Reason != "practice" {
		return d.vendorError(ctx, n.tenant, err, demanded)
	}
	now := practice.Identity{
		Name: n.name, Unconfirmed: n.stated.Unconfirmed, Code: codes.PracticeDenied,
		Authorized: n.stated.Authorized, Answered: n.stated.Answered, Refused: true,
	}
	if n.stated.Identity != now {
		if err := d.state(ctx, n.practiceScope, n.stated, now, since); err != nil {
			return err
		}
	}
	return d.recheck(ctx, n)
}

// state records what the vendor states about a practice, and what follows from it. The identity is
// recorded last: if the run ends before, the next one does all of it again.
func (d Deps) state(ctx context.Context, s practiceScope, was practice.Stated, now practice.Identity, since cache.Grant) error {
	if err := d.alertIdentity(ctx, s, now); err != nil {
		return err
	}
	from, to := d.everyDay(s)
	everything := []tasks.Args{
		tasks.SyncDirectory{Practice: s.id}, tasks.SyncLocations{Practice: s.id}, tasks.SyncPatients{Practice: s.id},
	}
	if !from.IsZero() {
		everything = append(everything, tasks.SyncSchedule{Practice: s.id, From: from, To: to})
	}
	var err error
	switch {
	case now.Code != "" && was.Code != now.Code:
		_, err = d.Store.Invalidate(ctx, s.tenant, practice.Record{Noun: practice.NounPractice, Practice: s.id}, "")
	case now.Code == "" && was.Code != "":
		err = d.demand(ctx, s, everything...)
	case now.Code == "" && was.Name != "" && was.Name != now.Name:
		// Empty answers to the old name may have confirmed days that were known to be empty.
		if err = d.Store.DoubtDays(ctx, s.tenant, s.id, from, to); err == nil {
			err = d.demand(ctx, s, everything...)
		}
	}
	if err != nil {
		return err
	}
	return d.Store.SetIdentity(ctx, s.tenant, s.id, now, since)
}

// identityCodes are the codes of alerts about a practice's identity.
var identityCodes = []codes.Code{codes.PracticeNotListed, codes.PracticeDenied, codes.PracticeRenamed}

// alertIdentity shows operators a practice that cannot be read, or that has another name than in
// the tenant's settings.
func (d Deps) alertIdentity(ctx context.Context, s practiceScope, now practice.Identity) error {
	code := now.Code
	if code == "" && now.Name != s.configured {
		code = codes.PracticeRenamed
	}
	var found []ledger.Alert
	if code != "" {
		found = append(found, ledger.Alert{Code: code})
	}
	scope := ledger.AlertScope{Tenant: s.tenant, Practice: s.id, Codes: identityCodes}
	_, err := d.setAlerts(ctx, scope, found...)
	return err
}

// setAlerts stores the alerts of a scope that belongs to no day. If anything has changed, it logs
// those that were found.
func (d Deps) setAlerts(ctx context.Context, scope ledger.AlertScope, found ...ledger.Alert) (changed bool, err error) {
	changed, err = d.Ledger.SetAlerts(ctx, scope, found, time.Now())
	if err != nil {
		return false, fmt.Errorf("store alerts: %w", err)
	}
	if !changed {
		return false, nil
	}
	ref := ""
	if scope.Practice != "" {
		ref = string(d.Store.Names(scope.Tenant).Practice(scope.Practice))
	}
	for _, a := range found {
		d.Logger.WarnContext(ctx, "the vendor's data about a practice needs attention",
			"tenant", scope.Tenant.String(), "practice", ref, "code", a.Code, "rows", a.Rows)
	}
	return true, nil
}

// standing returns the practice's alerts with one of the codes that belong to no day.
func (d Deps) standing(ctx context.Context, s practiceScope, of ...codes.Code) ([]ledger.Alert, error) {
	var out []ledger.Alert
	for _, code := range of {
		found, err := d.Ledger.Alerts(ctx, ledger.AlertFilter{Tenant: s.tenant, Practice: s.id, Code: code})
		if err != nil {
			return nil, fmt.Errorf("read alerts: %w", err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// stands reports whether there is an alert with one of the codes about the practice.
func (d Deps) stands(ctx context.Context, s practiceScope, of ...codes.Code) (bool, error) {
	found, err := d.standing(ctx, s, of...)
	return len(found) > 0, err
}
