package daycheck

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
)

// TestStaffSparesVisits: a step that waits for a status on the board must not find another edit of
// the same visit.
func TestStaffSparesVisits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	vendor, err := tebratest.New(tebratest.Config{Seed: 1, Now: func() time.Time { return now }, Accounts: []tebratest.Account{{
		CustomerKey: "k", User: "u", Password: "p",
		Practices: []tebratest.Practice{{Name: "Example", Zone: "America/Chicago", Patients: 10, VisitsPerDay: 4}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	clinic := vendor.Clinics()[0]
	visits := clinic.Appointments(now.In(clinic.Location()))
	for _, v := range visits {
		if err := clinic.SetStatus(v.ID, tebratest.Scheduled); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	changed := map[string]bool{}
	for range 60 {
		c, err := advance(now, app.DemoPractice{Clinic: clinic}, []string{visits[0].ID}, rng)
		if err != nil {
			t.Fatal(err)
		}
		changed[c.Visit] = true
	}
	if changed[visits[0].ID] || len(changed) != len(visits)-1 {
		t.Errorf("changed %v, want all but %s of %d visits", changed, visits[0].ID, len(visits))
	}
	spared := make([]string, len(visits))
	for i, v := range visits {
		spared[i] = v.ID
	}
	if _, err := advance(now, app.DemoPractice{Clinic: clinic}, spared, rng); !errors.Is(err, errNoVisit) {
		t.Errorf("with every visit spared: %v", err)
	}
}

// TestUntilReturnsLastCompleteError: the error of an attempt that the deadline cut off does not
// explain the failure.
func TestUntilReturnsLastCompleteError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		reason := errors.New("the board is empty")
		tries := 0
		err := until(ctx, func() error {
			if tries++; tries == 1 {
				return reason
			}
			<-ctx.Done()
			return errors.New("i/o timeout")
		})
		if !errors.Is(err, reason) {
			t.Errorf("got %v, want %v", err, reason)
		}
		tries = 0
		if err := until(t.Context(), func() error {
			if tries++; tries < 3 {
				return reason
			}
			return nil
		}); err != nil || tries != 3 {
			t.Errorf("%v after %d tries", err, tries)
		}
	})
}

func TestOutageWithoutFailedCalls(t *testing.T) {
	t.Parallel()
	fault := func(op string) tebratest.Call { return tebratest.Call{Operation: op, Outcome: tebratest.OutcomeFault} }
	for name, c := range map[string]struct {
		calls []tebratest.Call
		met   bool
	}{
		"no call":                {nil, false},
		"only the broken record": {[]tebratest.Call{fault(readOperation)}, false},
		"a list that succeeded":  {[]tebratest.Call{{Operation: "GetAppointments", Outcome: tebratest.OutcomeOK}}, false},
		"a list that failed":     {[]tebratest.Call{fault(readOperation), fault("GetAppointments")}, true},
		"another list":           {[]tebratest.Call{fault("GetPatients")}, true},
	} {
		if err := metOutage(c.calls); (err == nil) != c.met {
			t.Errorf("%s: %v, want met %v", name, err, c.met)
		}
	}
}

// The attempts to fetch one record are expected to fail, in whichever lane, and no others.
func TestUnexpectedFailures(t *testing.T) {
	t.Parallel()
	var f failures
	if n := f.unexpected(); n != 0 {
		t.Errorf("%d of none", n)
	}
	digest := strings.Repeat("ab", 13)
	for _, id := range []string{digest + ".1.sync", digest + ".2.sync", digest + ".1.interactive"} {
		f.add(id)
	}
	if n := f.unexpected(); n != 0 {
		t.Errorf("%d attempts of one record", n)
	}
	f.add(strings.Repeat("cd", 13) + ".1.sync")
	f.add("another program's")
	if n := f.unexpected(); n != 2 {
		t.Errorf("%d attempts of other records, want 2", n)
	}
}

// TestLeakSearchRefusesEmptyPlace: an empty search result counts only if there was data to search.
func TestLeakSearchRefusesEmptyPlace(t *testing.T) {
	t.Parallel()
	named := func(names ...string) (spans []otlptest.Span) {
		for _, n := range names {
			spans = append(spans, otlptest.Span{Name: n})
		}
		return spans
	}
	const worker, scheduler = `{"msg":"worker ready"}`, `{"msg":"scheduler ready"}`
	for name, c := range map[string]struct {
		err     error
		missing string // empty if nothing is
	}{
		"no span":         {completeTraces(nil), "task.enqueue"},
		"no vendor call":  {completeTraces(named("task.enqueue", "task.work", "cache.fill")), "vendor.call"},
		"no enqueue":      {completeTraces(named("task.work", "vendor.call")), "task.enqueue"},
		"all stages":      {completeTraces(named("task.enqueue", "task.work", "vendor.call")), ""},
		"no log":          {completeLog(nil), "worker"},
		"worker alone":    {completeLog([]byte(worker)), "scheduler"},
		"both in one log": {completeLog([]byte(worker + "\n" + scheduler)), ""},
	} {
		if (c.err == nil) != (c.missing == "") || c.err != nil && !strings.Contains(c.err.Error(), c.missing) {
			t.Errorf("%s: %v, want %q", name, c.err, c.missing)
		}
	}
}
