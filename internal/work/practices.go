package work

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// syncPractices reads the account's practices and records what the vendor states about those of the
// tenant. A name that differs is adopted: lists are requested by the practice's name, and for a
// wrong one the vendor returns an empty list, as if there were no bookings. A list that is cut, or
// has rows that cannot be read, states nothing about the practices that it lacks. Running twice:
// one more call, no change.
func (d Deps) syncPractices(ctx context.Context, job *tasks.Job[tasks.SyncPractices]) error {
	id, err := tenant.Parse(job.Tenant)
	if err != nil {
		return tasks.Permanent(err)
	}
	a, err := d.Reload(ctx, id) // the names that the vendor's are compared with
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, id)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	answer, err := a.Vendor.Directory.Practices(ctx, tebra.PracticesRequest{})
	if err != nil {
		return d.vendorError(ctx, id, err, job.EnqueuedAt)
	}
	if len(answer.Rows)+len(answer.SetAside) > 0 && !answer.Partial {
		if err := d.applyPractices(ctx, id, answer, since); err != nil {
			return err
		}
	}
	if ok, err := d.practicesCount(ctx, id, job, len(answer.Rows)+len(answer.SetAside)); !ok || err != nil {
		return err
	}
	for _, p := range a.Practices {
		was, err := d.Store.Identity(ctx, id, p.ID)
		if err != nil {
			return err
		}
		if err := d.alertName(ctx, id, answer, p.ID); err != nil {
			return err
		}
		now, known := identityIn(answer, p.ID, was)
		if !known {
			continue
		}
		if err := d.compareName(ctx, id, a, p, was, now, since); err != nil {
			return err
		}
	}
	if answer.Partial {
		return tasks.Permanent(codes.VendorListPartial)
	}
	return nil
}

// applyPractices caches the list. With rows that could not be read, what is known stays.
func (d Deps) applyPractices(ctx context.Context, id tenant.ID, answer tebra.Practices, since cache.Grant) error {
	list := practice.FromPractices(answer.Rows)
	if len(answer.SetAside) > 0 {
		known, err := d.Store.Practices(ctx, id)
		if err != nil {
			return err
		}
		list.Practices = withKnown(list.Practices, known.Practices, func(p practice.Place) string { return p.ID })
	}
	if len(list.Practices) > 0 {
		if _, err := d.Store.ApplyPractices(ctx, id, list, since); err != nil {
			return applied(err)
		}
	}
	_, err := d.alertUnreadable(ctx, id, "", codes.PracticesUnreadable, len(answer.SetAside))
	return err
}

// practicesCount reports whether a list of the account's practices with this many rows counts. One
// without any states nothing until a second one, some time later, has none either: it would make
// every board of the account stale.
func (d Deps) practicesCount(ctx context.Context, id tenant.ID, job *tasks.Job[tasks.SyncPractices], rows int) (bool, error) {
	q := practice.Question{Name: "all", Confirmed: math.MaxUint64, Recent: true, Apart: rereadDelay / 2}
	if rows == 0 {
		q.Scope = practice.ScopeEmpty
	}
	ok, first, err := d.Store.Counts(ctx, id, "", practice.NounPractices, q)
	if err == nil && first {
		err = readAgain(ctx, d, job)
	}
	return ok, err
}

// alertName shows operators a practice whose name cannot be read: the last name that could be read
// stays in use, and nothing confirms it. The alert ends with the practice's row.
func (d Deps) alertName(ctx context.Context, id tenant.ID, list tebra.Practices, practiceID string) error {
	at, complete := rowOf(list, practiceID)
	rows := 0
	switch {
	case at < 0 && !complete:
		return nil
	case at >= 0 && nameUnread(list.Rows[at]):
		rows = 1
	}
	_, err := d.alertUnreadable(ctx, id, practiceID, codes.PracticeNameUnreadable, rows)
	return err
}

// rowOf returns the index of a practice's row, or -1; complete reports that the list lacks no row.
func rowOf(list tebra.Practices, id string) (at int, complete bool) {
	at = slices.IndexFunc(list.Rows, func(p tebra.Practice) bool { return p.ID == id })
	return at, !list.Partial && len(list.SetAside) == 0
}

func nameUnread(row tebra.Practice) bool { return slices.Contains(row.Unread, "PracticeName") }

// identityIn returns what a list of practices states about a number; known is false if it states
// nothing, because it is cut or has rows that cannot be read. A name that cannot be read leaves the
// last one unconfirmed, but the list still states whether the login may read the practice.
func identityIn(list tebra.Practices, id string, was practice.Stated) (now practice.Identity, known bool) {
	at, complete := rowOf(list, id)
	if at < 0 {
		return practice.Identity{Code: codes.PracticeNotListed, Authorized: was.Authorized, Answered: was.Answered}, complete
	}
	row := list.Rows[at]
	now = practice.Identity{Name: row.Name, Authorized: was.Authorized || slices.Contains(list.Authorized, id), Answered: was.Answered}
	if nameUnread(row) {
		now.Name, now.Unconfirmed = was.Name, true
	}
	switch {
	case !now.Unconfirmed && strings.TrimSpace(row.Name) == "":
		now.Code = codes.PracticeNotListed // no request can name it
	case !authorized(list.Authorized, id, was):
		now.Code = codes.PracticeDenied
	}
	return now, true
}

// authorized reports whether the login may read a practice, by what a response states. It may
// state nothing; the list of practices decides then. Whether the vendor fills the statement for
// every login is unknown: an empty one does not count where the practice was never in it and its
// lists had rows all the same.
func authorized(stated []string, id string, was practice.Stated) bool {
	switch {
	case stated == nil, len(stated) == 0 && was.Answered && !was.Authorized:
		return true
	}
	return slices.Contains(stated, id)
}

// compareName records what the vendor states about one practice. A name that differs is adopted
// first, and takes effect at once in this worker; the others find it with the identity.
func (d Deps) compareName(ctx context.Context, id tenant.ID, a *account.Account, p ledger.Practice,
	was practice.Stated, now practice.Identity, since cache.Grant,
) error {
	s, _ := practiceIn(id, a, p.ID) // even if its time zone is unknown on this host
	if now.Unconfirmed {
		now.Name = p.Name // requests use it, even if was states none
	}
	refused := was.Refused && now.Code == "" && now.Name == was.Name
	if now.Code == "" && now.Name != p.Name {
		was.Name = p.Name
		switch _, err := d.Ledger.AdoptName(ctx, id, p.ID, p.Name, now.Name); {
		case errors.Is(err, ledger.ErrInvalid): // requests cannot contain the name
			now.Code = codes.PracticeNotListed
		case err != nil:
			return fmt.Errorf("adopt name: %w", err)
		default:
			if _, err := d.Reload(ctx, id); err != nil {
				return err
			}
		}
	}
	if refused {
		unconfirmed := now.Unconfirmed
		now = was.Identity // only a list that is answered revokes the refusal of a list
		now.Unconfirmed = unconfirmed
	}
	return d.state(ctx, s, was, now, since)
}

// everyDay are the days that may have a roster or soon be read. The vendor allows to request them
// with one call. None if the practice's time zone is unknown on this host.
func (d Deps) everyDay(s practiceScope) (from, to civil.Date) {
	if s.Zone == nil {
		return civil.Date{}, civil.Date{}
	}
	from = civil.DateOf(d.Now().In(s.Zone)).Add(-3)
	return from, from.Add(policy("GetAppointments").MaxDays - 1)
}
