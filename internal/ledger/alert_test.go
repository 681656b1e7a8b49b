package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
)

var (
	monday  = civil.DateOf(noon)
	tuesday = monday.Add(1)
)

// week is the scope of a sync of one practice and seven days.
func week(codes ...codes.Code) AlertScope {
	return AlertScope{Tenant: "clinic-a", Practice: "7", From: monday, To: monday.Add(6), Codes: codes}
}

// alert is an alert of clinic-a's practice 7, seen once.
func alert(day civil.Date, code codes.Code, rows int, at time.Time) Alert {
	return Alert{Tenant: "clinic-a", Practice: "7", Day: day, Code: code, Rows: rows, First: at, Last: at}
}

func setAlerts(t *testing.T, l *Ledger, s AlertScope, now time.Time, found ...Alert) bool {
	t.Helper()
	return must[bool](t)(l.SetAlerts(t.Context(), s, found, now))
}

func alerts(t *testing.T, l *Ledger, f AlertFilter) []Alert {
	t.Helper()
	return must[[]Alert](t)(l.Alerts(t.Context(), f))
}

func TestSetAlertsStoresWhatWasFoundAndRemovesWhatIsOver(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a", "clinic-b")
		practice := AlertScope{Tenant: "clinic-a", Practice: "7", Codes: []codes.Code{"gone"}}
		other := AlertScope{Tenant: "clinic-b", Practice: "7", From: monday, To: monday}
		setAlerts(t, l, practice, noon, alert(civil.Date{}, "gone", 0, noon))
		setAlerts(t, l, other, noon, alert(monday, "odd", 1, noon))
		gone, others := alert(civil.Date{}, "gone", 0, noon), alert(monday, "odd", 1, noon)
		others.Tenant = "clinic-b"

		later, last := noon.Add(time.Minute), noon.Add(2*time.Minute)
		if !setAlerts(t, l, week(), noon, alert(monday, "odd", 2, noon), alert(tuesday, "odd", 1, noon), alert(monday, "even", 4, noon)) {
			t.Error("new alerts are no change")
		}
		if !setAlerts(t, l, week("odd"), later, alert(monday, "odd", 1, noon), alert(monday, "odd", 2, noon), alert(monday.Add(6), "odd", 0, noon)) {
			t.Error("another count is no change")
		}
		counted := alert(monday, "odd", 3, noon)
		counted.Last = later
		equal(t, "all", alerts(t, l, AlertFilter{}), []Alert{
			gone, alert(monday, "even", 4, noon), counted, others, alert(monday.Add(6), "odd", 0, later),
		})
		equal(t, "of a tenant and code", alerts(t, l, AlertFilter{Tenant: "clinic-a", Practice: "7", Code: "even"}), []Alert{alert(monday, "even", 4, noon)})
		equal(t, "counts", must[[]AlertCount](t)(l.AlertCounts(t.Context(), AlertFilter{})), []AlertCount{
			{"even", 1, 4, noon}, {"gone", 1, 0, noon}, {"odd", 3, 4, noon},
		})
		if !setAlerts(t, l, week(), last) {
			t.Error("the end of alerts is no change")
		}
		equal(t, "after a clean sync", alerts(t, l, AlertFilter{}), []Alert{gone, others})
		setAlerts(t, l, practice, last)
		equal(t, "after the practice is found", alerts(t, l, AlertFilter{}), []Alert{others})
	})
}

// A sync every two minutes must not write the ledger every two minutes.
func TestSetAlertsWritesOnlyChanges(t *testing.T) {
	t.Parallel()
	l := migrated(t, Postgres)
	apply(t, l, "clinic-a")
	version := func() (v string) {
		row := l.db.QueryRowContext(t.Context(), `SELECT string_agg(ctid::text || xmin::text, ' ' ORDER BY day) FROM alerts`)
		if err := row.Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	found := []Alert{alert(monday, "odd", 2, noon), alert(tuesday, "odd", 1, noon)}
	setAlerts(t, l, week(), noon, found...)
	before := version()
	for n := range 29 {
		if setAlerts(t, l, week(), noon.Add(time.Duration(n)*2*time.Minute), found...) {
			t.Error("a repetition is a change")
		}
	}
	equal(t, "row versions", version(), before)
	if setAlerts(t, l, week(), noon.Add(time.Hour), found...) {
		t.Error("a renewal is a change")
	}
	for i := range found {
		found[i].Last = noon.Add(time.Hour)
	}
	equal(t, "renewed after an hour", alerts(t, l, AlertFilter{}), found)
}

func TestSetAlertsIsBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a", "clinic-b")
		far := AlertScope{Tenant: "clinic-a", Practice: "7", From: monday, To: monday.Add(2000)}
		var found []Alert
		for n := range maxAlerts + 5 {
			found = append(found, alert(monday.Add(n), "odd", maxAlertRows, noon), alert(monday.Add(n), "odd", maxAlertRows, noon))
		}
		cut := []Alert{{Tenant: "clinic-a", Code: codes.AlertsCut, First: noon, Last: noon}}
		for range 2 {
			setAlerts(t, l, far, noon, found...)
			equal(t, "cut", alerts(t, l, AlertFilter{Code: codes.AlertsCut}), cut)
			counts := must[[]AlertCount](t)(l.AlertCounts(t.Context(), AlertFilter{}))
			equal(t, "counts", counts[1], AlertCount{"odd", maxAlerts, maxAlerts * maxAlertRows, noon})
		}
		equal(t, "of a page", len(alerts(t, l, AlertFilter{Limit: maxRows + 1})), maxRows)
		if !setAlerts(t, l, AlertScope{Tenant: "clinic-b", From: monday, To: monday}, noon, alert(monday, "odd", 1, noon)) {
			t.Error("another tenant has no room")
		}
		if setAlerts(t, l, far, noon, found...) {
			t.Error("alerts for which there is no room are a change")
		}
		other := AlertScope{Tenant: "clinic-a", Practice: "8"}
		setAlerts(t, l, other, noon, alert(civil.Date{}, "odd", 1, noon))
		setAlerts(t, l, other, noon)
		equal(t, "after another scope", alerts(t, l, AlertFilter{Code: codes.AlertsCut}), cut)
		setAlerts(t, l, far, noon, found[:2*maxAlerts]...)
		equal(t, "still cut", alerts(t, l, AlertFilter{Code: codes.AlertsCut}), cut)
		setAlerts(t, l, far, noon, found[:2]...)
		setAlerts(t, l, far, noon, found[:4]...)
		equal(t, "no longer cut", len(alerts(t, l, AlertFilter{Tenant: "clinic-a"})), 2)
	})
}

func TestDeleteAlertsKeepsThoseWithoutADay(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		setAlerts(t, l, AlertScope{Tenant: "clinic-a", Practice: "7"}, noon, alert(civil.Date{}, "gone", 0, noon))
		setAlerts(t, l, week("old"), noon, alert(monday, "old", 1, noon))
		setAlerts(t, l, week("new"), noon.Add(time.Second), alert(monday, "new", 1, noon))
		equal(t, "deleted", must[int](t)(l.DeleteAlerts(t.Context(), noon.Add(time.Second))), 1)
		equal(t, "kept", alerts(t, l, AlertFilter{}), []Alert{alert(civil.Date{}, "gone", 0, noon), alert(monday, "new", 1, noon.Add(time.Second))})
	})
}

func TestApplyTenantsRemovesAlertsOfRemovedPractices(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		c := clinic("clinic-a")
		must[int](t)(l.ApplyTenants(t.Context(), []Tenant{c}))
		for _, practice := range []string{"", "7", "10"} {
			setAlerts(t, l, AlertScope{Tenant: "clinic-a", Practice: practice}, noon, alert(civil.Date{}, "odd", 1, noon))
		}
		c.Practices = c.Practices[:1] // practice 10
		must[int](t)(l.ApplyTenants(t.Context(), []Tenant{c}))
		var left []string
		for _, a := range alerts(t, l, AlertFilter{}) {
			left = append(left, a.Practice)
		}
		equal(t, "practices with alerts", left, []string{"", "10"})
	})
}

// Workers that read overlapping windows at the same time neither wait for one another nor fail.
func TestConcurrentSetAlerts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		var all errgroup.Group
		for n := range 8 {
			all.Go(func() error {
				for k := range 10 {
					var found []Alert
					for day := range 7 {
						if (day+n+k)%3 > 0 {
							found = append(found, alert(monday.Add(day), codes.Code([]string{"odd", "even"}[k%2]), 1+k, noon))
						}
					}
					if n%2 == 0 {
						slices.Reverse(found)
					}
					if _, err := l.SetAlerts(t.Context(), week(), found, noon.Add(time.Duration(k)*time.Hour)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		setAlerts(t, l, week(), noon)
		equal(t, "left", alerts(t, l, AlertFilter{}), []Alert(nil))
	})
}

func TestAlertErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		unknown := week()
		unknown.Tenant = "clinic-x"
		if _, err := l.SetAlerts(t.Context(), unknown, []Alert{alert(monday, "odd", 1, noon)}, noon); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown tenant: %v", err)
		}
		found := alert(monday, "odd", 1, noon)
		for name, change := range map[string]func(*AlertScope, *Alert){
			"tenant":           func(s *AlertScope, _ *Alert) { s.Tenant = "No Tenant" },
			"practice":         func(s *AlertScope, _ *Alert) { s.Practice = secret + "\x00" },
			"one day":          func(s *AlertScope, _ *Alert) { s.To = civil.Date{} },
			"reversed":         func(s *AlertScope, _ *Alert) { s.To = monday.Add(-1) },
			"scope's code":     func(s *AlertScope, _ *Alert) { s.Codes = []codes.Code{secret + "!"} },
			"code":             func(_ *AlertScope, a *Alert) { a.Code = secret + "!" },
			"code of no scope": func(s *AlertScope, _ *Alert) { s.Codes = []codes.Code{"even"} },
			"day before":       func(_ *AlertScope, a *Alert) { a.Day = monday.Add(-1) },
			"day after":        func(_ *AlertScope, a *Alert) { a.Day = monday.Add(7) },
			"no day":           func(_ *AlertScope, a *Alert) { a.Day = civil.Date{} },
			"rows":             func(_ *AlertScope, a *Alert) { a.Rows = -1 },
		} {
			s, a := week(), found
			change(&s, &a)
			_, err := l.SetAlerts(t.Context(), s, []Alert{a}, noon)
			if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := l.SetAlerts(t.Context(), week(), nil, time.Time{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("no time: %v", err)
		}
		if _, err := l.DeleteAlerts(t.Context(), time.Time{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("delete before no time: %v", err)
		}
		for _, f := range []AlertFilter{{Tenant: "No Tenant"}, {Practice: "\x00"}, {Code: "\xff"}, {Limit: -1}} {
			if _, err := l.Alerts(t.Context(), f); !errors.Is(err, ErrInvalid) {
				t.Errorf("%v: %v", f, err)
			}
		}
		equal(t, "stored", fmt.Sprint(alerts(t, l, AlertFilter{})), "[]")
	})
}
