package tebratest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Both values of Options.Zones return the same instants, also on the days of both time changes.
func TestZonesReturnTheSameInstants(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: unthrottled})
	clinic := s.Clinics()[0]
	a := clinic.Account()
	other := newClient(t, s, a, func(o *tebra.Options) { o.Zones = tebra.Greenwich })
	for _, day := range []time.Time{noon, time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)} {
		one, two := listDay(t, newClient(t, s, a), clinic, day, day), listDay(t, other, clinic, day, day)
		if diff := cmp.Diff(one, two, revealed); diff != "" || len(one) != 90 {
			t.Errorf("%s: %d rows differ:\n%s", day.Format(time.DateOnly), len(one), diff)
		}
	}
}

func TestWindowsOfAnyLength(t *testing.T) {
	t.Parallel()
	w := newEnv(t, oneAccount(tebratest.Practice{VisitsPerDay: 5}))
	from, to := noon.AddDate(0, 0, -140), noon.AddDate(0, 0, 60)
	req := tebra.ListAppointmentsRequest{PracticeName: "Example Practice 1", From: from, To: to, Location: w.clinic.Location()}
	w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultOutage, Rate: 0.5}}})
	seen, failures := map[phi.Text]bool{}, 0
	for !req.From.After(to) { // resume after failures
		for window, err := range w.Appointments.Windows(t.Context(), req) {
			if err != nil {
				failures++
				req.From = window.From
				break
			}
			if window.From.Format(time.DateOnly) != req.From.Format(time.DateOnly) || window.Partial {
				t.Fatalf("window from %v, partial %t, want one from %v", window.From, window.Partial, req.From)
			}
			for _, row := range window.Rows {
				seen[row.ID] = true
			}
			req.From = window.To.AddDate(0, 0, 1)
		}
	}
	if len(seen) != 201*5 || failures == 0 {
		t.Errorf("%d visits after %d failures, want %d", len(seen), failures, 201*5)
	}
}

// One iterator may be used concurrently and repeatedly.
func TestWindowsOfPatients(t *testing.T) {
	t.Parallel()
	w := newEnv(t, oneAccount(tebratest.Practice{Patients: 400}))
	day := time.Now().In(w.clinic.Location())
	windows := w.Patients.Windows(t.Context(), tebra.ListPatientsRequest{PracticeID: w.id, ModifiedFrom: day.AddDate(-50, 0, 0), ModifiedTo: day.AddDate(0, 0, 1)})
	walk := func() (rows int, err error) {
		for window, err := range windows {
			if err != nil || window.Partial {
				return rows, errors.Join(err, errors.New("the range is incomplete"))
			}
			rows += len(window.Rows)
		}
		return rows, nil
	}
	var all errgroup.Group
	for range 3 {
		all.Go(func() error {
			rows, err := walk()
			if err == nil && rows != 400 {
				err = fmt.Errorf("%d patients, want 400", rows)
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	for name, req := range map[string]tebra.ListPatientsRequest{
		"no range":    {PracticeID: "1"},
		"half":        {PracticeID: "1", CreatedFrom: day},
		"reversed":    {PracticeID: "1", ModifiedFrom: day, ModifiedTo: day.AddDate(0, 0, -1)},
		"201 years":   {PracticeID: "1", CreatedFrom: day.AddDate(-201, 0, 0), CreatedTo: day},
		"400 years":   {PracticeID: "1", CreatedFrom: day.AddDate(-400, 0, 0), CreatedTo: day},
		"no practice": {CreatedFrom: day, CreatedTo: day},
	} {
		n := 0
		for _, err := range w.Patients.Windows(t.Context(), req) {
			if n++; !errors.Is(err, &tebra.Error{Code: tebra.Invalid}) {
				t.Errorf("%s: got %v, want invalid", name, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d windows, want one error", name, n)
		}
	}
}

// A range of changes without an end includes changes of future visits.
func TestChangesOfFutureVisits(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
	next := w.clinic.Appointments(noon.AddDate(0, 0, 20))[0]
	if err := w.clinic.Cancel(next.ID); err != nil {
		t.Fatal(err)
	}
	got := post(t, w.sim, "GetAppointments", header(w.clinic.Account())+"<k:Fields/><k:Filter><k:FromLastModifiedDate>2026-02-24</k:FromLastModifiedDate></k:Filter>")
	if !strings.Contains(got, "<ID>"+next.ID+"</ID>") {
		t.Errorf("the change of a visit in 20 days is missing in %d rows", strings.Count(got, "<ID>"))
	}
}
