package alarm

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/status"
)

func TestMain(m *testing.M) { redistest.Main(m) }

var errAway = errors.New("unreachable")

// running is a snapshot of a deployment in which a worker serves every lane of our own.
func running(d status.Document) Snapshot {
	return Snapshot{At: time.Now(), Workers: []queue.Worker{{Name: "host:1", Lanes: queue.Lanes()}}, Status: d}
}

// with returns the snapshot after a change.
func (s Snapshot) with(change func(*Snapshot)) Snapshot {
	change(&s)
	return s
}

func TestOf(t *testing.T) {
	t.Parallel()
	good := running(status.Document{})
	broken := func(b status.Breaker) Snapshot { return running(status.Document{Breakers: []status.Breaker{b}}) }
	booked := func(b status.Budget) Snapshot {
		b.Tenant, b.Operation, b.Spacing = "clinic-a", "GetPatient", time.Second
		return running(status.Document{Budgets: []status.Budget{b}})
	}
	for name, c := range map[string]struct {
		s      Snapshot
		faults []string
		notes  []string
	}{
		"nothing": {running(status.Document{Breakers: []status.Breaker{{Scope: "host", State: string(breaker.Closed)}}}), nil, nil},
		"unused": {
			Snapshot{StatusErr: status.ErrNone, Lanes: []queue.LaneStats{{Lane: "sync"}}},
			nil,
			[]string{"no scheduler has reported within a day", "no worker is running"},
		},
		"used before": {
			Snapshot{StatusErr: status.ErrNone, Lanes: []queue.LaneStats{{Lane: "sync", ProcessedTotal: 1}}},
			[]string{"no scheduler has reported within a day", "no worker is running"},
			nil,
		},
		"tasks in a new deployment": {
			Snapshot{StatusErr: status.ErrNone, Lanes: []queue.LaneStats{{Lane: "sync", Scheduled: 1}}},
			[]string{"no scheduler has reported within a day", "no worker is running"},
			nil,
		},
		"no worker": {good.with(func(s *Snapshot) { s.Workers = nil }), []string{"no worker is running"}, nil},
		"no worker for a lane": {
			good.with(func(s *Snapshot) {
				s.Lanes = []queue.LaneStats{{Lane: "sync", Pending: 1}, {Lane: "billing.sync", Retry: 2}, {Lane: "billing.warm"}, {Lane: "billing.push", Paused: true, Scheduled: 1}}
			}),
			[]string{"no worker serves the lane billing.sync"},
			[]string{"the queue billing.push is paused"},
		},
		"a stopping worker": {
			good.with(func(s *Snapshot) {
				s.Workers = []queue.Worker{{Name: "host:1"}}
				s.Lanes = []queue.LaneStats{{Lane: "sync", Pending: 1}}
			}), []string{"no worker serves the lane sync"}, nil,
		},
		"host": {broken(status.Breaker{Scope: "host", State: string(breaker.Probing)}), []string{"the breaker of the vendor's host is probing"}, nil},
		"class": {
			broken(status.Breaker{Scope: "write", Tenant: "clinic-a", State: string(breaker.Open), Reason: "timeout"}),
			[]string{"the breaker of write of clinic-a is open"},
			nil,
		},
		"login": {
			broken(status.Breaker{Scope: "credential", Tenant: "clinic-a", State: string(breaker.Open), Reason: "unauthenticated"}),
			[]string{"the vendor refuses the login of clinic-a"},
			nil,
		},
		"ramp":           {broken(status.Breaker{Scope: "host", State: string(breaker.Ramp)}), nil, nil},
		"far bookings":   {booked(status.Budget{Backlog: status.FreshnessObjective + time.Second}), []string{"the budget of GetPatient of clinic-a is full"}, nil},
		"near bookings":  {booked(status.Budget{Backlog: status.FreshnessObjective}), nil, nil},
		"used up":        {booked(status.Budget{Backlog: 2 * time.Minute, Used: 0.97}), []string{"the budget of GetPatient of clinic-a is full"}, nil},
		"used, no queue": {booked(status.Budget{Backlog: time.Minute, Used: 1}), nil, nil},
		"no queue redis": {
			Snapshot{LanesErr: errAway, WorkersErr: errAway, StatusErr: errAway}, []string{"the queue's Redis does not answer"}, nil,
		},
		"no ledger": {good.with(func(s *Snapshot) { s.LedgerErr = errAway }), []string{"the ledger does not answer"}, nil},
		"stores unavailable to the scheduler": {
			running(status.Document{Missing: []string{"freshness"}, Unavailable: []string{"cache", "ledger"}}),
			[]string{"the cache's Redis does not answer", "the ledger does not answer"},
			[]string{"the scheduler cannot read freshness"},
		},
		"malformed": {good.with(func(s *Snapshot) { s.StatusErr = status.ErrMalformed }), []string{"the scheduler's report cannot be read"}, nil},
		"old report": {
			broken(status.Breaker{Scope: "host", State: string(breaker.Open)}).with(func(s *Snapshot) { s.StatusAge = time.Minute }),
			[]string{"no scheduler has reported for 1m0s"},
			nil,
		},
		"late report": {good.with(func(s *Snapshot) { s.StatusAge = status.Late }), nil, nil},
		"outdated": {
			running(status.Document{Freshness: []status.Freshness{{Open: true}, {}}}), nil,
			[]string{"1 of 2 practices have outdated schedules during their opening hours"},
		},
		"alerts": {
			good.with(func(s *Snapshot) {
				s.Alerts = []ledger.AlertCount{{Code: codes.PracticeNotListed, Alerts: 2}, {Code: codes.RowUndated, Alerts: 3, Rows: 7}, {Code: "Jane Doe", Alerts: 1}}
			}), nil, []string{"alerts practice_not_listed: 2", "alerts row_undated: 3, rows: 7", "alerts hidden: 1"},
		},
		"damaged": {
			good.with(func(s *Snapshot) { s.Lanes = []queue.LaneStats{{Lane: "push", Damaged: true}} }), nil,
			[]string{"records of the queue push are damaged"},
		},
	} {
		all := Of(c.s)
		var faults, notes []string
		for _, a := range all {
			if a.Fault {
				faults = append(faults, a.What)
			} else {
				notes = append(notes, a.What)
			}
			if a.State == "" || a.Effect == "" || a.Next == "" || strings.HasSuffix(a.What+a.Evidence+a.Effect+a.Next, ".") {
				t.Errorf("%s: incomplete, or with a full stop: %+v", name, a)
			}
		}
		if !slices.Equal(faults, c.faults) || !slices.Equal(notes, c.notes) || AnyFault(all) != (len(c.faults) > 0) {
			t.Errorf("%s: faults %q, want %q; notices %q, want %q", name, faults, c.faults, notes, c.notes)
		}
		if first := slices.IndexFunc(all, func(a Alarm) bool { return !a.Fault }); first >= 0 && AnyFault(all[first:]) {
			t.Errorf("%s: a fault follows a notice", name)
		}
	}
}

// The evidence of a breaker has the cause, what waits and when the next probe is due.
func TestBreakerEvidence(t *testing.T) {
	t.Parallel()
	s := running(status.Document{Breakers: []status.Breaker{{Scope: "host", State: string(breaker.Open), Reason: "unavailable", Opens: 3, Wait: 12 * time.Second}}})
	s.Lanes = []queue.LaneStats{{Lane: "sync", Retry: 7, Waits: []queue.Wait{{Code: codes.Breaker, Tasks: 4}, {Code: codes.Pace, Tasks: 3}}}}
	if got := Of(s)[0].Evidence; got != "unavailable; openings in a row: 3; the next probe is due in 12s; tasks that wait for breakers: 4" {
		t.Error(got)
	}
}

// Many alarms of one state are summed up, and hide no other state.
func TestAlarmsAreLimited(t *testing.T) {
	t.Parallel()
	var d status.Document
	for range 300 {
		d.Budgets = append(d.Budgets, status.Budget{Tenant: "clinic-a", Operation: "GetPatient", Backlog: time.Hour})
	}
	d.Freshness = []status.Freshness{{Open: true}}
	all := Of(running(d))
	if len(all) != maxEach+1 || all[maxEach-1].What != "296 more like this" || all[maxEach].State != Freshness {
		t.Errorf("%d: %+v", len(all), all)
	}
}

// Read reads each store by itself.
func TestRead(t *testing.T) {
	t.Parallel()
	rdb, l := redistest.New(t), ledgertest.New(t)
	if s := Read(t.Context(), rdb, l); !s.Unused() || s.LedgerErr != nil || AnyFault(Of(s)) {
		t.Errorf("a new deployment: %+v", s)
	}
	if err := status.Write(t.Context(), rdb, status.Document{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if s := Read(t.Context(), rdb, nil); !s.Current() || s.Unused() || s.At.Sub(s.LastReport()) > time.Minute {
		t.Errorf("with a report: %+v", s)
	}
	_ = l.Close()
	if s := Read(t.Context(), rdb, l); s.LedgerErr == nil || s.LanesErr != nil {
		t.Errorf("without the ledger: %+v", s)
	}
	_ = rdb.Close()
	if s := Read(t.Context(), rdb, nil); s.LanesErr == nil || s.WorkersErr == nil || s.Current() || !s.LastReport().IsZero() {
		t.Errorf("without Redis: %+v", s)
	}
}
