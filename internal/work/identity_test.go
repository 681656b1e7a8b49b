package work

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

// alerts returns the codes of the alerts about practice 7 that belong to no day.
func (b *bundle) alerts(t *testing.T) []codes.Code {
	t.Helper()
	all, err := b.Ledger.Alerts(t.Context(), ledger.AlertFilter{Tenant: clinicA, Practice: "7"})
	must(t, err)
	var out []codes.Code
	for _, a := range all {
		if a.Day.IsZero() {
			out = append(out, a.Code)
		}
	}
	return out
}

func (b *bundle) wantAlerts(t *testing.T, want ...codes.Code) {
	t.Helper()
	if got := b.alerts(t); !slices.Equal(got, want) {
		t.Errorf("alerts %v, want %v", got, want)
	}
}

// rows checks a board.
func (b *bundle) rows(t *testing.T, what string, rows int, stale bool) {
	t.Helper()
	if r := b.board(t, monday); len(r.Board.Rows) != rows || r.Stale != stale {
		t.Errorf("%s: %d rows, stale %t, want %d, %t", what, len(r.Board.Rows), r.Stale, rows, stale)
	}
}

// lost is a way to lose a practice, and the code that shows it.
type lost struct {
	access tebratest.Access
	odd    []tebratest.Oddity
	code   codes.Code
}

var losses = map[string]lost{
	"not authorized":            {access: tebratest.Access{Unauthorized: true}, code: codes.PracticeDenied},
	"not listed":                {access: tebratest.Access{Unlisted: true, Unauthorized: true}, code: codes.PracticeNotListed},
	"not listed, unstated":      {access: tebratest.Access{Unlisted: true}, odd: []tebratest.Oddity{tebratest.OddNoAuthorizations}, code: codes.PracticeNotListed},
	"refused":                   {access: tebratest.Access{Unauthorized: true, Refused: true}, code: codes.PracticeDenied},
	"refused, listed as before": {access: tebratest.Access{Refused: true}, code: codes.PracticeDenied},
	"refused, unstated":         {access: tebratest.Access{Refused: true}, odd: []tebratest.Oddity{tebratest.OddNoAuthorizations}, code: codes.PracticeDenied},
}

func TestLostPracticeKeepsItsBoards(t *testing.T) {
	t.Parallel()
	for name, tt := range losses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *tebratest.Config) { // another practice is listed all the time
				c.Accounts[0].Practices = append(c.Accounts[0].Practices, tebratest.Practice{ID: 8, Name: "Eighth Practice", Zone: "America/Chicago", Patients: 1})
			})
			must(t, b.vendor.SetOdd(tt.odd...))
			b.done(t, tasks.SyncPractices{})
			b.done(t, days(monday, monday))
			b.clinic.SetAccess(tt.access)
			for range 3 {
				o := b.run(t, days(monday, monday))
				want(t, o, tasks.OutcomeDone, "")
				b.rows(t, "after a sync", 10, true)
				b.done(t, tasks.SyncPractices{})
				b.rows(t, "after a check", 10, true)
			}
			if got := b.alerts(t); !slices.Equal(got, []codes.Code{tt.code}) {
				t.Errorf("alerts %q", got)
			}
			if r := b.board(t, monday); r.Reason != tt.code {
				t.Errorf("the board is stale because of %q", r.Reason)
			}

			b.clinic.SetAccess(tebratest.Access{})
			must(t, b.queue.FlushDB(t.Context()).Err())
			b.done(t, days(monday, monday))
			b.rows(t, "with access again", 10, false)
			taskstest.RequireEnqueued[tasks.SyncPractices](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a"})
			b.done(t, tasks.SyncPractices{})
			if got := b.alerts(t); len(got) != 0 {
				t.Errorf("with access again: alerts %q", got)
			}
			every := taskstest.RequireEnqueued[tasks.SyncSchedule](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a"})
			if every != days(monday.Add(-3), monday.Add(56)) {
				t.Errorf("read again are %s to %s", every.From, every.To)
			}
		})
	}
}

func TestRenamedPracticeIsAdopted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	must(t, b.queue.FlushDB(t.Context()).Err())
	b.clinic.Rename("Lake Clinic")
	must(t, b.clinic.Delete(b.visits(monday)[0].ID))
	b.done(t, days(monday, monday))
	b.rows(t, "under the old name", 10, true)
	taskstest.RequireEnqueued[tasks.SyncPractices](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a"})
	must(t, b.queue.FlushDB(t.Context()).Err())
	b.done(t, tasks.SyncPractices{})
	every := taskstest.RequireEnqueued[tasks.SyncSchedule](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a", Lane: tasks.LaneSync})
	b.done(t, every)
	b.rows(t, "after one sync under the new name", 9, false)
	if got := b.alerts(t); !slices.Equal(got, []codes.Code{codes.PracticeRenamed}) {
		t.Errorf("alerts %q", got)
	}
	row, err := b.Ledger.Tenant(t.Context(), clinicA)
	must(t, err)
	if p := row.Practices[0]; p.Name != "Lake Clinic" || p.Configured != "Seventh Practice" {
		t.Errorf("the ledger has %+v", p)
	}
	must(t, b.queue.FlushDB(t.Context()).Err())
	b.done(t, tasks.SyncPractices{})
	taskstest.RequireNotEnqueued(t, b.queue, every.Kind())
	if got := b.alerts(t); !slices.Equal(got, []codes.Code{codes.PracticeRenamed}) {
		t.Errorf("while the settings have another name: alerts %q", got)
	}
	row.Practices[0].Name = "Lake Clinic"
	_, err = b.Ledger.ApplyTenants(t.Context(), []ledger.Tenant{row})
	must(t, err)
	if got := b.alerts(t); len(got) != 0 {
		t.Errorf("after the settings were corrected: alerts %q", got)
	}
	b.done(t, tasks.SyncPractices{})
	if got := b.alerts(t); len(got) != 0 {
		t.Errorf("after another check: alerts %q", got)
	}
}

// A worker that still has the old name uses the one that another worker has adopted.
func TestAdoptedNameReachesOtherWorkers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	known, err := b.Account(t.Context(), clinicA)
	must(t, err)
	old := *known
	b.clinic.Rename("Lake Clinic")
	b.done(t, tasks.SyncPractices{})
	*known = old
	reloads, reload := 0, b.Reload
	other := b.Deps
	other.Reload = func(ctx context.Context, id tenant.ID) (*account.Account, error) {
		reloads++
		return reload(ctx, id)
	}
	for range 2 {
		r := taskstest.Work(t, tasks.WorkerFunc[tasks.SyncSchedule](other.syncSchedule), days(monday, monday))
		want(t, tasks.Outcome{State: r.State, Code: r.Code}, tasks.OutcomeDone, "")
		b.rows(t, "in another worker", 10, false)
	}
	if reloads != 1 {
		t.Errorf("the ledger was read %d times", reloads)
	}
}

func TestMistypedNameIsCorrected(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row, err := b.Ledger.Tenant(t.Context(), clinicA)
	must(t, err)
	row.Practices[0].Name = "Seventh Practise"
	_, err = b.Ledger.ApplyTenants(t.Context(), []ledger.Tenant{row})
	must(t, err)
	_, err = b.Reload(t.Context(), clinicA)
	must(t, err)
	b.identify(t, practice.Identity{}) // nothing is known yet
	for range 2 {
		b.done(t, days(monday, monday))
		b.cold(t, monday)
	}
	b.done(t, tasks.SyncPatients{Practice: "7"})
	if !b.mark(t).IsZero() {
		t.Errorf("an empty list under a wrong name advanced the watermark to %q", b.mark(t))
	}
	must(t, b.queue.FlushDB(t.Context()).Err())
	b.done(t, tasks.SyncPractices{})
	b.done(t, taskstest.RequireEnqueued[tasks.SyncSchedule](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a"}))
	b.rows(t, "under the right name", 10, false)
	if got := b.alerts(t); !slices.Equal(got, []codes.Code{codes.PracticeRenamed}) {
		t.Errorf("alerts %q", got)
	}
}

// After the loss of the cache nothing is known of an account's only practice, and an empty list of
// authorized practices counts: no day is shown as empty, and operators are alerted.
func TestLostPracticeInAColdCache(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.identify(t, practice.Identity{})
	b.clinic.SetAccess(tebratest.Access{Unauthorized: true})
	for range 3 {
		b.done(t, days(monday, monday))
		b.cold(t, monday)
		b.done(t, tasks.SyncPractices{})
	}
	b.wantAlerts(t, codes.PracticeDenied)
	b.clinic.SetAccess(tebratest.Access{})
	b.done(t, days(monday, monday))
	b.rows(t, "with access", 10, false)
	b.done(t, tasks.SyncPractices{})
	b.wantAlerts(t)
	b.clinic.SetAccess(tebratest.Access{Unauthorized: true})
	for range 3 {
		b.done(t, days(monday, monday))
		b.done(t, tasks.SyncPractices{})
		b.rows(t, "without access again", 10, true)
	}
}

// A list with rows is enough to know that the vendor fills the list of authorized practices.
func TestListsStateWhatIsAuthorized(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.identify(t, practice.Identity{})
	b.done(t, days(monday, monday))
	b.clinic.SetAccess(tebratest.Access{Unauthorized: true})
	for range 3 {
		b.done(t, days(monday, monday))
		b.done(t, tasks.SyncPractices{})
		b.rows(t, "without access", 10, true)
	}
	b.wantAlerts(t, codes.PracticeDenied)
}

// A vendor that never fills the list of authorized practices denies nothing once a list of the
// practice has had rows.
func TestAuthorizationsThatAreNeverFilled(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`(?s)(<(?:\w+:)?PracticesAuthorized[^>]*>).*?(</(?:\w+:)?PracticesAuthorized>)`)
	empty := func(body string) string { return number.ReplaceAllString(body, "$1<PracticeID/>$2") }
	for _, first := range []tasks.Args{days(monday, monday), tasks.SyncPractices{}} {
		t.Run(first.Kind(), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.identify(t, practice.Identity{})
			b.line.answer = empty
			b.done(t, first)
			b.done(t, days(monday, monday))
			b.done(t, tasks.SyncPractices{})
			b.done(t, days(monday, monday)) // the practice was denied before a list had rows
			b.rows(t, "that the login may read", 10, false)
			b.wantAlerts(t)
			stated, err := b.Store.Identity(t.Context(), clinicA, "7")
			must(t, err)
			if stated.Code != "" || stated.Authorized || !stated.Answered {
				t.Errorf("it is known that %+v", stated.Identity)
			}
		})
	}
}

// A practice whose name the vendor confirms may be empty after all.
func TestEmptyDayIsShownOnceItIsProven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for n := range minLookback + 1 { // the days before are read too, and would prove the name
		for _, v := range b.visits(monday.Add(-n)) {
			must(t, b.clinic.Delete(v.ID))
		}
	}
	asked := time.Now()
	b.done(t, days(monday, monday))
	b.cold(t, monday)
	again := taskstest.RequireEnqueued[tasks.SyncSchedule](t, b.queue, b.keys, taskstest.Want{Tenant: "clinic-a", At: asked.Add(coldDelay + time.Second/2)})
	b.done(t, tasks.SyncPractices{})
	must(t, b.queue.FlushDB(t.Context()).Err())
	b.done(t, again)
	b.rows(t, "proven", 0, false)
	b.done(t, again)
	b.demands(t) // the statement is three minutes fresh
	b.identify(t, practice.Identity{})
	before := b.board(t, monday).AsOf
	b.clinic.Rename("Lake Clinic")
	_, err := b.clinic.Book(b.clinic.Patients()[0].ID, monday.In(b.clinic.Location()).Add(9*time.Hour), 0)
	must(t, err)
	b.done(t, again)
	b.rows(t, "known to be empty", 0, false)
	if got := b.board(t, monday).AsOf; !got.Equal(before) {
		t.Errorf("an empty list under the old name renewed the board's age from %v to %v", before, got)
	}
	b.demands(t, "sync practices")
	b.done(t, tasks.SyncPractices{})
	b.rows(t, "renamed", 0, true)
	b.done(t, again)
	b.rows(t, "under the new name", 1, false)
}

// A cut list of practices states nothing about those that it lacks.
func TestCutListOfPracticesStatesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	b.line.answer = filled("PracticeData")
	want(t, b.run(t, tasks.SyncPractices{}), tasks.OutcomeDead, codes.VendorListPartial)
	b.rows(t, "after a cut list", 10, false)
	if got := b.alerts(t); len(got) != 0 {
		t.Errorf("alerts %q", got)
	}
}

func TestNameThatNoRequestCanContain(t *testing.T) {
	t.Parallel()
	for _, name := range []string{" ", strings.Repeat("n", 201)} {
		b := setup(t)
		b.clinic.Rename(name)
		b.done(t, tasks.SyncPractices{})
		if got := b.alerts(t); !slices.Equal(got, []codes.Code{codes.PracticeNotListed}) {
			t.Errorf("%q: alerts %q", name, got)
		}
	}
}

// lakesides is a bundle whose practice 7 has a name that another practice's name contains.
func lakesides(t *testing.T, odd ...tebratest.Oddity) *bundle {
	t.Helper()
	return setup(t, func(c *tebratest.Config) {
		c.Odd = odd
		c.Accounts[0].Practices = append(c.Accounts[0].Practices, tebratest.Practice{
			ID: 8, Name: "Seventh Practice Pediatrics", Zone: "America/Chicago", Patients: 30, VisitsPerDay: 10,
		})
	})
}

func TestNamesThatContainEachOther(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string][]tebratest.Oddity{
		"whole names":                    nil,
		"substrings":                     {tebratest.OddNameSubstring},
		"rows without a practice number": {tebratest.OddNameSubstring, tebratest.OddNoPracticeNumber},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := lakesides(t, odd...)
			b.done(t, tasks.SyncPractices{})
			b.done(t, days(monday, monday))
			b.rows(t, "at first", 10, false)
			if r := b.board(t, monday); len(r.Board.Incomplete) != 0 {
				t.Errorf("the board is incomplete: %v", r.Board.Incomplete)
			}
			b.done(t, tasks.SyncDirectory{Practice: "7"})
			b.done(t, tasks.SyncLocations{Practice: "7"})
			info, _, err := b.Store.Info(t.Context(), clinicA, "7")
			must(t, err)
			if len(info.Providers) != 4 || len(info.Locations) != 1 {
				t.Errorf("%d providers and %d places", len(info.Providers), len(info.Locations))
			}
			must(t, b.clinic.Delete(b.visits(monday)[0].ID))
			b.done(t, days(monday, monday))
			b.rows(t, "after a deletion", 9, false)

			b.clinic.Rename("Lake Clinic") // the other practice alone still matches
			b.done(t, days(monday, monday))
			b.done(t, tasks.SyncDirectory{Practice: "7"})
			b.rows(t, "under the old name", 9, true)
			b.done(t, tasks.SyncPractices{})
			b.done(t, days(monday, monday))
			b.rows(t, "under the new name", 9, false)
			if again, _, err := b.Store.Info(t.Context(), clinicA, "7"); err != nil || cmp.Diff(info.Providers, again.Providers) != "" {
				t.Errorf("the other practice's providers are shown (%v)", err)
			}
		})
	}
}

func TestRowsOfOtherPractices(t *testing.T) {
	t.Parallel()
	b := lakesides(t, tebratest.OddForeignRow)
	for range 2 {
		b.done(t, days(monday, monday))
		b.rows(t, "with a row of another practice", 10, false)
		if r := b.board(t, monday); len(r.Board.Incomplete) != 1 {
			t.Errorf("before the account's practices were read: incomplete %v", r.Board.Incomplete)
		}
	}
	b.done(t, tasks.SyncPractices{})
	b.done(t, days(monday, monday))
	if r := b.board(t, monday); len(r.Board.Rows) != 10 || len(r.Board.Incomplete) != 0 {
		t.Errorf("a row of a known practice: %d rows, incomplete %v", len(r.Board.Rows), r.Board.Incomplete)
	}

	must(t, b.vendor.SetOdd(tebratest.OddUnknownPractice))
	must(t, b.clinic.Delete(b.visits(monday)[5].ID))
	b.done(t, days(monday, monday))
	r := b.board(t, monday)
	if want := []practice.Omission{{Code: codes.RowForeign, Rows: 1}}; len(r.Board.Rows) != 10 || !slices.Equal(r.Board.Incomplete, want) || r.Stale {
		t.Errorf("a row of an unknown practice: %d rows, incomplete %v, stale %t", len(r.Board.Rows), r.Board.Incomplete, r.Stale)
	}
	found, err := b.Ledger.Alerts(t.Context(), ledger.AlertFilter{Code: codes.RowForeign})
	must(t, err)
	if len(found) != 1 || found[0].Day != monday || found[0].Rows != 1 || found[0].Practice != "7" {
		t.Errorf("alerts %+v", found)
	}
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	b.done(t, tasks.SyncPatients{Practice: "7"})
	if !strings.Contains(b.log.String(), `"code":"row_foreign"`) || !strings.Contains(b.log.String(), `"tenant":"clinic-a"`) {
		t.Errorf("the log contains %s", b.log.String())
	}
	must(t, b.vendor.SetOdd())
	b.done(t, days(monday, monday))
	b.rows(t, "without rows of others", 9, false)
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	if found, err := b.Ledger.Alerts(t.Context(), ledger.AlertFilter{}); err != nil || len(found) != 0 {
		t.Errorf("alerts %+v, %v", found, err)
	}
}

// Half of the providers and places do not vanish at once.
func TestShrunkDirectoryNeedsProof(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	providers := func() int {
		info, _, err := b.Store.Info(t.Context(), clinicA, "7")
		must(t, err)
		return len(info.Providers)
	}
	one := regexp.MustCompile(`(?s)(<ProviderData>.*?</ProviderData>).*</ProviderData>`)
	b.line.answer = func(body string) string { return one.ReplaceAllString(body, "$1") }
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	b.demands(t, "sync practices")
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	b.demands(t, "sync practices")
	if n := providers(); n != 4 {
		t.Errorf("unproven: %d providers", n)
	}
	b.done(t, tasks.SyncPractices{})
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	b.demands(t)
	if n := providers(); n != 1 {
		t.Errorf("proven: %d providers", n)
	}
}

// A row whose practice cannot be read may be of any practice, so it is not shown as one of this
// practice, and nothing counts as gone.
func TestRowsWhosePracticeCannotBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.line.answer = unnamed
	b.done(t, days(monday, monday))
	b.cold(t, monday)
	b.line.answer = nil
	b.done(t, days(monday, monday))
	b.rows(t, "readable", 10, false)
	b.line.answer = unnamed
	b.done(t, days(monday, monday))
	b.rows(t, "unreadable", 10, true)
}

// A list that has visits shows that a refusal is over, even if it lacks so many that it does not
// count.
func TestDoubtfulListRevokesARefusal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, tasks.SyncPractices{})
	b.done(t, days(monday, monday))
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	for name, sync := range map[string]tasks.Args{"schedule": days(monday, monday), "providers": tasks.SyncDirectory{Practice: "7"}} {
		b.line.answer = nil
		b.clinic.SetAccess(tebratest.Access{Refused: true})
		b.done(t, sync)
		b.wantAlerts(t, codes.PracticeDenied)
		b.clinic.SetAccess(tebratest.Access{})
		b.line.answer = one("AppointmentData", "ProviderData")
		b.done(t, sync)
		b.done(t, tasks.SyncPractices{})
		if got := b.alerts(t); len(got) != 0 {
			t.Errorf("%s: after an answer: alerts %q", name, got)
		}
	}
}

// one leaves the first row of an answer.
func one(elements ...string) func(string) string {
	return func(body string) string {
		for _, e := range elements {
			body = regexp.MustCompile(`(?s)(<(?:\w*:)?`+e+`>.*?</(?:\w*:)?`+e+`>).*</(?:\w*:)?`+e+`>`).ReplaceAllString(body, "$1")
		}
		return body
	}
}

// A provider or a place whose row belongs to a practice that is not known may be one that is known.
func TestDirectoryWithRowsOfAnUnknownPractice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	syncs := []tasks.Args{tasks.SyncDirectory{Practice: "7"}, tasks.SyncLocations{Practice: "7"}}
	step := func(want ...codes.Code) {
		t.Helper()
		for _, s := range syncs {
			b.done(t, s)
		}
		b.wantAlerts(t, want...)
		info, _, err := b.Store.Info(t.Context(), clinicA, "7")
		must(t, err)
		if len(info.Providers) != 4 || len(info.Locations) != 1 {
			t.Errorf("%d providers and %d places", len(info.Providers), len(info.Locations))
		}
	}
	step()
	number := regexp.MustCompile(`(<\w*:?PracticeID>)7<`)
	b.line.answer = func(body string) string {
		first := true
		return number.ReplaceAllStringFunc(body, func(found string) string {
			if !first {
				return found
			}
			first = false
			return strings.Replace(found, ">7<", ">999<", 1)
		})
	}
	step(codes.ProvidersUnreadable, codes.LocationsUnreadable)
	b.line.answer = nil
	step()
}

// A list of practices without any row, which would make all boards of the account stale, needs a
// second one.
func TestEmptyListOfPracticesNeedsASecondOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	b.line.answer = emptied("PracticeData")
	for range 3 {
		b.done(t, tasks.SyncPractices{})
	}
	b.wantAlerts(t)
	b.rows(t, "after empty lists at once", 10, false)
	if r, err := b.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncPractices{}, tasks.In(rereadDelay/2)); err != nil || !r.Joined {
		t.Errorf("no second list is scheduled (%v)", err)
	}
	b.line.answer = nil
	b.done(t, tasks.SyncPractices{})
	b.wantAlerts(t)
}

// A name in which characters had to be replaced is not the practice's, so it is never used in
// requests.
func TestUnreadableNameIsNotAdopted(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"P\xe9diatrie", "P&#xB;diatrie", "P&eacute;diatrie"} {
		b := setup(t)
		b.done(t, days(monday, monday))
		b.line.answer = func(body string) string { return strings.ReplaceAll(body, "Seventh Practice", odd) }
		b.done(t, tasks.SyncPractices{})
		b.wantAlerts(t, codes.PracticeNameUnreadable)
		b.done(t, days(monday, monday))
		b.rows(t, odd, 10, false)
		row, err := b.Ledger.Tenant(t.Context(), clinicA)
		must(t, err)
		if got := row.Practices[0].Name; got != "Seventh Practice" {
			t.Errorf("%q was adopted", got)
		}
		found, err := b.Ledger.Alerts(t.Context(), ledger.AlertFilter{Code: codes.RowField})
		must(t, err)
		if len(found) != 0 {
			t.Errorf("a board lacks no value, but there is an alert: %+v", found)
		}
		b.line.answer = nil
		b.done(t, tasks.SyncPractices{})
		b.wantAlerts(t)
	}
}

// A name that cannot be read confirms nothing, but the list still states whether the login may read
// the practice, and a row that is gone has no name to correct.
func TestUnreadableNameDoesNotHideTheAccess(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tebratest.Config) { // another practice is listed all the time
		c.Accounts[0].Practices = append(c.Accounts[0].Practices, tebratest.Practice{ID: 8, Name: "Eighth Practice", Zone: "America/Chicago", Patients: 1})
	})
	unread := func(body string) string { return strings.ReplaceAll(body, "Seventh Practice", "P\xe9diatrie") }
	b.done(t, tasks.SyncPractices{})
	b.done(t, days(monday, monday))
	b.clinic.SetAccess(tebratest.Access{Unauthorized: true})
	b.done(t, tasks.SyncPractices{})
	b.wantAlerts(t, codes.PracticeDenied)

	b.clinic.SetAccess(tebratest.Access{})
	b.line.answer = unread
	b.done(t, tasks.SyncPractices{})
	b.wantAlerts(t, codes.PracticeNameUnreadable)
	stated, err := b.Store.Identity(t.Context(), clinicA, "7")
	must(t, err)
	if stated.Name != "Seventh Practice" || !stated.Unconfirmed || stated.Code != "" || stated.Confirms("Seventh Practice") != 0 {
		t.Errorf("it is known that %+v", stated.Identity)
	}
	b.line.answer = nil
	must(t, b.queue.FlushDB(t.Context()).Err())
	b.done(t, days(monday, monday))
	b.rows(t, "with access again", 10, false)
	taskstest.RequireNotEnqueued(t, b.queue, tasks.SyncPractices{}.Kind())

	b.line.answer = unread
	b.identify(t, practice.Identity{})
	b.done(t, tasks.SyncPractices{})
	b.wantAlerts(t, codes.PracticeNameUnreadable) // and not that it was renamed
	b.clinic.SetAccess(tebratest.Access{Unauthorized: true})
	b.identify(t, practice.Identity{Name: "Seventh Practice", Authorized: true})
	b.done(t, tasks.SyncPractices{})
	if got := b.alerts(t); !slices.Contains(got, codes.PracticeDenied) || len(got) != 2 {
		t.Errorf("a new denial: alerts %q", got)
	}
	b.clinic.SetAccess(tebratest.Access{Unlisted: true, Unauthorized: true})
	b.done(t, tasks.SyncPractices{})
	b.wantAlerts(t, codes.PracticeNotListed)
}
