package monitor

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/alarm"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/status"
)

// nowView is the data of the page Now.
type nowView struct {
	Title string
	User  access.Login
	At    time.Time
	// Alarms describe what is wrong, the worst first.
	Alarms []alarm.Alarm
	Lanes  []laneRow
	Waits  []waitRow
	// LanesUnknown and DeadLettersUnknown: the store does not answer.
	LanesUnknown, DeadLettersUnknown bool
	DeadLetters                      []ledger.Count
	AlertsUnknown                    bool
	Alerts                           []ledger.Alert
	MoreAlerts                       int // that are not shown
	// Known reports whether the scheduler's document describes the present. If not, Since is when
	// it was written, or zero without a document.
	Known bool
	Since time.Time
	status.Document
	Workers workersRow
	// MoreBudgets and MoreFreshness count the rows that are not shown, which delay no work.
	MoreBudgets, MoreFreshness int
}

// IsMissing reports whether the scheduler could not read a part of its report.
func (v nowView) IsMissing(part string) bool { return slices.Contains(v.Missing, part) }

// Limits of each part of the page, in rows.
const (
	maxWaits     = 20
	maxBudgets   = 25
	maxFreshness = 60
	maxAlerts    = 50
)

type laneRow struct {
	queue.LaneStats
	Wait string // how long the oldest task has waited; empty without a task
}

type waitRow struct {
	Lane string
	queue.Wait
	Why  string // meaning of the code
	When string // when the first of them runs
}

type workersRow struct {
	Count, Slots, Busy int
	Unknown            bool // Redis does not answer
}

// sections are the parts of the page that change. Each is the name of a template, an element and an
// event.
var sections = []string{"alarms", "lanes", "waits", "breakers", "budgets", "freshness", "alerts", "deadletters", "stamp"}

// viewOf returns the page's data for a snapshot.
func viewOf(s snapshot, user access.Login) nowView {
	v := nowView{
		Title: "Now", User: user, At: s.At, Known: s.Current(), Since: s.LastReport(), Document: s.Status,
		LanesUnknown: s.LanesErr != nil, DeadLettersUnknown: s.DeadLettersErr != nil, DeadLetters: slices.Clone(s.DeadLetters),
	}
	for i := range v.DeadLetters {
		v.DeadLetters[i].Code, v.DeadLetters[i].Kind = string(codes.Code(v.DeadLetters[i].Code).Shown()), queue.KindOf(v.DeadLetters[i].Kind)
	}
	v.AlertsUnknown, v.Alerts = s.AlertsErr != nil, slices.Clone(s.FirstAlerts)
	for i := range v.Alerts {
		v.Alerts[i].Code = v.Alerts[i].Code.Shown()
	}
	for _, c := range s.Alerts {
		v.MoreAlerts += c.Alerts
	}
	v.MoreAlerts = max(v.MoreAlerts-len(v.Alerts), 0)
	for _, l := range s.Lanes {
		row := laneRow{LaneStats: l}
		if !l.Oldest.IsZero() {
			row.Wait = ago(s.At, l.Oldest)
		}
		v.Lanes = append(v.Lanes, row)
		for _, w := range l.Waits {
			v.Waits = append(v.Waits, waitRowOf(s.At, l, w))
		}
	}
	slices.SortStableFunc(v.Waits, func(a, b waitRow) int { return cmp.Compare(b.Tasks, a.Tasks) })
	v.Waits = v.Waits[:min(len(v.Waits), maxWaits)]
	v.Budgets, v.MoreBudgets = firstRows(s.Status.Budgets, maxBudgets, func(a, b status.Budget) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Operation, b.Operation))
	})
	v.Freshness, v.MoreFreshness = firstRows(s.Status.Freshness, maxFreshness, func(a, b status.Freshness) int {
		return cmp.Or(lateFirst(a, b), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Practice, b.Practice))
	})
	v.Workers = workersRow{Count: len(s.Workers), Unknown: s.WorkersErr != nil}
	for _, w := range s.Workers {
		v.Workers.Slots += w.Slots
		v.Workers.Busy += w.Busy
	}
	v.Alarms = alarm.Of(s.Snapshot)
	return v
}

// firstRows returns the first n rows, which are the most important, in an order that is stable
// between snapshots.
func firstRows[T any](rows []T, n int, order func(a, b T) int) (some []T, more int) {
	some = slices.Clone(rows[:min(len(rows), n)])
	slices.SortStableFunc(some, order)
	return some, len(rows) - len(some)
}

func lateFirst(a, b status.Freshness) int {
	switch {
	case a.Late() == b.Late():
		return 0
	case a.Late():
		return -1
	}
	return 1
}

// waitRowOf describes what tasks of a lane wait for. In a paused lane nothing runs, whatever the
// tasks wait for.
func waitRowOf(now time.Time, l queue.LaneStats, w queue.Wait) waitRow {
	row := waitRow{Lane: l.Lane, Wait: w, Why: cmp.Or(w.Code.Meaning(), "it failed and will be retried"), When: when(now, w.Next)}
	if l.Paused {
		row.When = "when the queue is resumed"
		if w.Code == "" {
			row.Why = "its queue is paused"
		}
	}
	return row
}

// percent formats a share.
func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*max(0, share)) }

// sentence makes a sentence of a clause, or "" of none.
func sentence(clause string) string {
	if clause == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(clause)
	return string(unicode.ToUpper(first)) + clause[size:] + "."
}

func when(now, next time.Time) string {
	switch {
	case next.IsZero():
		return "as soon as a worker is free"
	case next.Before(now):
		return "now"
	}
	return "in " + span(next.Sub(now))
}

func (m *Monitor) nowPage(w http.ResponseWriter, r *http.Request, user access.Login) {
	m.pages.write(w, http.StatusOK, "now", viewOf(m.sampler.sample(r.Context()), user))
}
