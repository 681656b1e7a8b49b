package tebratest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

func TestThrottlesCountByAccountAndOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		practice := []tebratest.Practice{{}}
		s := newServer(t, tebratest.Config{
			Accounts:  []tebratest.Account{{CustomerKey: "a", User: "u", Password: "p", Practices: practice}, {CustomerKey: "b", User: "u", Password: "p", Practices: practice}},
			Throttles: tebratest.Throttles{Margin: 20 * time.Millisecond},
		})
		a, b := newClient(t, s, s.Clinics()[0].Account()), newClient(t, s, s.Clinics()[1].Account())
		id := s.Clinics()[0].Patients()[0].ID
		get := func(wait time.Duration, c *tebra.Client) error {
			<-time.After(wait)
			_, err := c.Patients.Get(t.Context(), id)
			return err
		}
		throttled := &tebra.Error{Code: tebra.Throttled}
		for _, step := range []struct {
			wait time.Duration
			want error
		}{{0, nil}, {100 * time.Millisecond, throttled}, {150 * time.Millisecond, throttled}, {20 * time.Millisecond, throttled}, {time.Millisecond, nil}} {
			if err := get(step.wait, a); !errors.Is(err, step.want) {
				t.Errorf("after %v: got %v, want %v", step.wait, err, step.want)
			}
		}
		var e *tebra.Error
		if err := get(0, a); !errors.As(err, &e) || e.Interval != 250*time.Millisecond {
			t.Errorf("got %+v, want the interval named without its margin", e)
		}
		if err := get(0, b); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
			t.Errorf("another account: %v, want a call that is not throttled and finds nothing", err)
		}
		if _, err := a.Directory.Providers(t.Context(), tebra.ProvidersRequest{PracticeName: "Example Practice 1"}); err != nil {
			t.Errorf("another operation: %v", err)
		}
		want := map[string]tebratest.Count{"GetPatient": {Calls: 7, OK: 3, Throttled: 4}, "GetProviders": {Calls: 1, OK: 1}}
		if diff := cmp.Diff(want, s.Counts()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestThrottledCallsMayExtendTheInterval(t *testing.T) {
	t.Parallel()
	for _, extend := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, tebratest.Config{Throttles: tebratest.Throttles{Extend: extend, Scale: 0.1}})
			c := newClient(t, s, s.Clinics()[0].Account())
			ok := 0
			for range 20 {
				if _, err := c.Patients.Get(t.Context(), "1000001"); err == nil {
					ok++
				}
				<-time.After(20 * time.Millisecond)
			}
			if want := map[bool]int{false: 10, true: 1}[extend]; ok != want {
				t.Errorf("extend %t: %d of 20 calls succeeded, want %d", extend, ok, want)
			}
		})
	}
}

// Calls are decided in the order in which their requests were complete: a slow request is overtaken
// and does not move the interval of other calls back.
func TestThrottlesUseTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	for _, extend := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, tebratest.Config{Throttles: tebratest.Throttles{Extend: extend}})
			filter := header(s.Clinics()[0].Account()) + "<k:Filter><k:PatientID>1000001</k:PatientID></k:Filter>"
			postSlowly(t, s, "GetPatient", filter, func() {
				<-time.After(50 * time.Millisecond)
				post(t, s, "GetPatient", filter)
				<-time.After(50 * time.Millisecond)
			})
			for _, wait := range []time.Duration{210 * time.Millisecond, 80 * time.Millisecond} {
				<-time.After(wait)
				post(t, s, "GetPatient", filter)
			}
			// At 50 ms, 100 ms (the slow one), 310 ms and 390 ms, for an interval of 250 ms.
			want := map[bool][]tebratest.Outcome{
				false: {tebratest.OutcomeOK, tebratest.OutcomeThrottled, tebratest.OutcomeOK, tebratest.OutcomeThrottled},
				true:  {tebratest.OutcomeOK, tebratest.OutcomeThrottled, tebratest.OutcomeThrottled, tebratest.OutcomeThrottled},
			}[extend]
			var got []tebratest.Outcome
			last := time.Time{}
			for _, c := range s.Calls(0) {
				got = append(got, c.Outcome)
				if !c.Arrived.After(last) {
					t.Errorf("extend %t: call %d arrived at %v, after one at %v", extend, c.Seq, c.Arrived, last)
				}
				last = c.Arrived
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("extend %t:\n%s", extend, diff)
			}
		})
	}
}

// A call after the named interval succeeds.
func TestNamedIntervalIsLongEnough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// The interval is 1.375 ms.
		s := newServer(t, tebratest.Config{Throttles: tebratest.Throttles{Scale: 0.0055}})
		c := newClient(t, s, s.Clinics()[0].Account())
		var errs [3]error
		for i := range errs {
			_, errs[i] = c.Patients.Get(t.Context(), "1000001")
			if e, ok := errors.AsType[*tebra.Error](errs[i]); ok {
				<-time.After(e.Interval)
			}
		}
		if errs[0] != nil || !errors.Is(errs[1], &tebra.Error{Code: tebra.Throttled}) || errs[2] != nil {
			t.Errorf("%v, then %v, then %v", errs[0], errs[1], errs[2])
		}
	})
}

func TestSetThrottles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, tebratest.Config{})
		c := newClient(t, s, s.Clinics()[0].Account())
		var got []bool
		for _, interval := range []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, 0, 300 * time.Millisecond} {
			s.SetThrottles(tebratest.Throttles{Intervals: map[string]time.Duration{"GetPatient": interval}})
			for range 2 {
				_, err := c.Patients.Get(t.Context(), "1000001")
				got = append(got, err == nil)
				<-time.After(200 * time.Millisecond)
			}
		}
		if want := []bool{true, true, false, true, true, true, false, true}; !slices.Equal(got, want) {
			t.Errorf("succeeded %v, want %v", got, want)
		}
	})
}

// The table and the contract spell an operation differently. Intervals apply to it in either
// spelling.
func TestThrottlesInEitherSpelling(t *testing.T) {
	t.Parallel()
	both := map[string]time.Duration{"GetProcedureCode": time.Second, "GetProcedureCodes": 7 * time.Second}
	for name, intervals := range map[string]map[string]time.Duration{
		"contract": {"GetProcedureCodes": 7 * time.Second}, "table": {"GetProcedureCode": 7 * time.Second}, "both": both,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, tebratest.Config{Throttles: tebratest.Throttles{Intervals: intervals}})
			c := newClient(t, s, s.Clinics()[0].Account())
			rows, err := c.System.Throttles(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			listed := 0
			for _, row := range rows {
				if strings.HasPrefix(row.Operation, "GetProcedureCode") {
					listed++
					if row.Interval != 7*time.Second {
						t.Errorf("%s: %s is listed with %v", name, row.Operation, row.Interval)
					}
				}
			}
			if listed != 1 {
				t.Errorf("%s: %d rows, want 1", name, listed)
			}
			for wait, want := range []error{nil, &tebra.Error{Code: tebra.Throttled}} {
				<-time.After(time.Duration(wait) * 6 * time.Second)
				if _, err := c.Directory.ProcedureCodes(t.Context(), tebra.ProcedureCodesRequest{}); !errors.Is(err, want) {
					t.Errorf("%s: call %d: %v, want %v", name, wait, err, want)
				}
			}
		})
	}
}

func TestGetThrottlesListsIntervals(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: tebratest.Throttles{Intervals: map[string]time.Duration{"GetPatient": 40 * time.Millisecond}}})
	got, err := newClient(t, s, s.Clinics()[0].Account()).System.Throttles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]time.Duration{}
	for _, row := range got {
		listed[row.Operation] = row.Interval
	}
	unlisted := []string{"GetAppointmentReasons", "GetCustomerIdFromKey", "UpdateAppointmentStatus", "UpdatePatientsExternalID"}
	for _, op := range tebra.Operations() {
		want := op.Interval
		if slices.Contains(unlisted, op.Name) { // missing in the vendor's table
			want = 0
		}
		if op.Name == "GetPatient" {
			want = 40 * time.Millisecond
		}
		if listed[op.Name] != want {
			t.Errorf("%s: %v, want %v", op.Name, listed[op.Name], want)
		}
	}
}

func TestLatencyHasItsQuantiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, tebratest.Config{Throttles: unthrottled, Latency: tebratest.Latency{P50: 2500 * time.Millisecond, P95: 6600 * time.Millisecond}})
		c := newClient(t, s, s.Clinics()[0].Account())
		var took []time.Duration
		for range 400 {
			start := time.Now()
			_, err := c.Patients.Get(t.Context(), "1000001")
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		if p50, p95 := took[200], took[380]; p50 < 2200*time.Millisecond || p50 > 2800*time.Millisecond || p95 < 5500*time.Millisecond || p95 > 8*time.Second {
			t.Errorf("p50 %v, p95 %v, want about 2.5 s and 6.6 s", p50, p95)
		}
	})
}
