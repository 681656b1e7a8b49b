package monitor

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/status"
)

// nowView is what the page Now shows.
type nowView struct {
	Title string
	User  access.Login
	At    time.Time
	// Alarms are what is wrong, in words, the worst first.
	Alarms []string
	Lanes  []laneRow
	Waits  []waitRow
	// LanesAway and LettersAway: the store does not answer, so nothing is known.
	LanesUnknown, DeadLettersUnknown bool
	DeadLetters                      []ledger.Count
	// Known: the scheduler's document tells about now. Otherwise it is of Since, or, when that is zero, there is none.
	Known bool
	Since time.Time
	status.Document
	Workers workersRow
	// MoreBudgets and MoreFreshness count rows that are not shown: those that keep nobody waiting.
	MoreBudgets, MoreFreshness int
}

// Lacks reports whether the scheduler could not read a part of what it told.
func (v nowView) IsMissing(part string) bool { return slices.Contains(v.Missing, part) }

// The most rows that the page shows of each part.
const (
	maxWaits     = 20
	maxBudgets   = 25
	maxFreshness = 60
)

type laneRow struct {
	queue.Standing
	Wait string // how long the oldest has waited; empty when nothing does
}

type waitRow struct {
	Lane string
	queue.Wait
	Why  string // what the code means
	When string // when the first of them runs again
}

type workersRow struct{ Count, Slots, Busy int }

// sections are the parts of the page that change, by the name of their template and their element.
var sections = []string{"alarms", "lanes", "waits", "breakers", "budgets", "freshness", "deadletters", "stamp"}

// viewOf makes the page of a sight.
func viewOf(s snapshot, user access.Login) nowView {
	v := nowView{
		Title: "Now", User: user, At: s.At, Known: s.statusCurrent(), Since: s.since(), Document: s.Status,
		LanesUnknown: s.LanesErr != nil, DeadLettersUnknown: s.DeadLettersErr != nil, DeadLetters: slices.Clone(s.DeadLetters),
	}
	for i := range v.DeadLetters {
		v.DeadLetters[i].Code, v.DeadLetters[i].Kind = string(codes.Code(v.DeadLetters[i].Code).Shown()), queue.KindOf(v.DeadLetters[i].Kind)
	}
	for _, l := range s.Lanes {
		row := laneRow{Standing: l}
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
	v.Workers = workersRow{Count: len(s.Status.Workers)}
	for _, w := range s.Status.Workers {
		v.Workers.Slots += w.Slots
		v.Workers.Busy += w.Busy
	}
	v.Alarms = alarms(s, v)
	return v
}

// shown returns the first n rows, which matter most, in an order in which they stay from one look to the next.
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

// waits says for what the tasks of a lane wait. Nothing of a paused lane runs, whatever else it waits for.
func waitRowOf(now time.Time, l queue.Standing, w queue.Wait) waitRow {
	row := waitRow{Lane: l.Lane, Wait: w, Why: cmp.Or(w.Code.Meaning(), "it failed and is tried again"), When: when(now, w.Next)}
	if l.Paused {
		row.When = "when the queue is resumed"
		if w.Code == "" {
			row.Why = "its queue is paused"
		}
	}
	return row
}

func when(now, next time.Time) string {
	switch {
	case next.IsZero():
		return "as soon as a worker is free"
	case next.Before(now):
		return "any moment"
	}
	return "in " + span(next.Sub(now))
}

// alarms say in words what somebody should look at.
func alarms(s snapshot, v nowView) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if s.LanesErr != nil {
		add("The queue's Redis does not answer.")
	}
	if s.DeadLettersErr != nil {
		add("The ledger does not answer.")
	}
	switch {
	case s.LanesErr != nil: // nothing that lies in Redis can be known
	case errors.Is(s.StatusErr, status.ErrNone):
		add("No scheduler has reported within a day: nothing is planned.")
	case s.StatusErr != nil:
		add("What the scheduler reports cannot be read.")
	case !v.Known:
		add("No scheduler has reported for %s: nothing is planned, and what it last said is not shown.", span(s.StatusAge))
	default:
		out = append(out, statusAlarms(s, v)...)
	}
	for _, l := range s.Lanes {
		if l.Paused {
			add("The queue %s is paused.", l.Lane)
		}
	}
	return out
}

// statusAlarms are those that the scheduler's document tells.
func statusAlarms(s snapshot, v nowView) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if len(s.Status.Missing) > 0 {
		add("The scheduler cannot read %s.", strings.Join(s.Status.Missing, ", "))
	}
	waiting := slices.ContainsFunc(s.Lanes, func(l queue.Standing) bool { return l.Pending > 0 })
	if v.Workers.Count == 0 && waiting && !v.IsMissing("workers") {
		add("No worker runs, and tasks wait.")
	}
	for _, b := range s.Status.Breakers {
		if b.State == "open" || b.State == "probing" {
			add("%s of %s is %s (%s).", breakerName(b.Scope), breakerOwner(b), b.State, cmp.Or(b.Reason, "no reason given"))
		}
	}
	late := 0
	for _, f := range s.Status.Freshness {
		if f.Late() {
			late++
		}
	}
	if late > 0 {
		add("%d of %d practices are not fresh in their opening hours.", late, len(s.Status.Freshness))
	}
	return out
}

func breakerName(scope string) string {
	switch scope {
	case "host":
		return "The breaker"
	case "credential":
		return "The breaker for credentials"
	}
	return "The breaker for " + scope
}

func breakerOwner(b status.Breaker) string {
	if b.Tenant == "" {
		return "the vendor's host"
	}
	return b.Tenant.String()
}

func (m *Monitor) nowPage(w http.ResponseWriter, r *http.Request, user access.Login) {
	m.pages.write(w, http.StatusOK, "now", viewOf(m.sampler.sample(r.Context()), user))
}
