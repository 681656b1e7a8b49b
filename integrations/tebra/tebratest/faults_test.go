package tebratest_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

func TestRuleCountAndRate(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
	id := w.clinic.Patients()[0].ID
	w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultMaintenance, Operations: []string{"GetPatient"}, Count: 2}}})
	var got []bool
	for range 4 {
		_, err := w.Patients.Get(t.Context(), id)
		got = append(got, err == nil)
	}
	if want := []bool{false, false, true, true}; !cmp.Equal(got, want) || len(w.sim.Faults().Rules) != 0 {
		t.Errorf("succeeded %v, want %v", got, want)
	}
	w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultOutage, Rate: 0.3}}})
	failures := 0
	for range 500 {
		if _, err := w.Patients.Get(t.Context(), id); err != nil {
			failures++
		}
	}
	if failures < 110 || failures > 190 {
		t.Errorf("%d of 500 failed, want about 150", failures)
	}
}

// Calls with truncated or slow responses take effect. Over a network, the former end early and the
// latter take time.
func TestTruncatedAndSlowResponses(t *testing.T) {
	t.Parallel()
	for fault, outcomes := range map[tebratest.Fault][2]tebratest.Outcome{
		tebratest.FaultCut: {tebratest.OutcomeCut, tebratest.OutcomeCut}, tebratest.FaultTrickle: {tebratest.OutcomeOK, tebratest.OutcomeAborted},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newEnv(t, tebratest.Config{})
			for i, pause := range []time.Duration{time.Millisecond, time.Second} {
				v := w.clinic.Appointments(noon)[i]
				w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: fault, Operations: []string{"UpdateAppointmentStatus"}, Count: 1, For: pause}}})
				began := time.Now()
				err := w.Appointments.SetStatus(t.Context(), v.ID, tebra.StatusRoomed)
				call := w.sim.Calls(i)[0]
				if took := time.Since(began); fault == tebratest.FaultTrickle && took < 500*time.Millisecond {
					t.Errorf("%s: the response took %v", fault, took)
				}
				if call.Outcome != outcomes[i] || (err == nil) != (call.Outcome == tebratest.OutcomeOK) {
					t.Errorf("%s: %s, %v, want %s", fault, call.Outcome, err, outcomes[i])
				}
				if got, err := w.clinic.Appointment(v.ID); err != nil || got.Status != tebratest.Roomed {
					t.Errorf("%s: status is %q, %v", fault, got.Status, err)
				}
			}
			w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: fault}}})
			_ = w.Appointments.SetStatus(t.Context(), "5", tebra.StatusRoomed) // does not exist
			if call := w.sim.Calls(2)[0]; fault == tebratest.FaultTrickle && call.Outcome != tebratest.OutcomeRejected {
				t.Errorf("a slow rejection has outcome %s", call.Outcome)
			}
		})
	}
}

func TestHangingWritesMayTakeEffect(t *testing.T) {
	t.Parallel()
	for fault, effect := range map[tebratest.Fault]bool{
		tebratest.FaultHang: false, tebratest.FaultEffectThenHang: true, tebratest.FaultHangThenEffect: true,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newEnv(t, tebratest.Config{})
			v := w.clinic.Appointments(noon)[0]
			w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: fault, Count: 1, For: 90 * time.Second}}})
			err := w.Appointments.SetStatus(t.Context(), v.ID, tebra.StatusRoomed)
			var e *tebra.Error
			if !errors.As(err, &e) || e.Code != tebra.Timeout || !e.Sent {
				t.Errorf("%s: %v, want a timeout of a sent call", fault, err)
			}
			if got, err := w.clinic.Appointment(v.ID); err != nil || (got.Status == tebratest.Roomed) != effect {
				t.Errorf("%s: status is %q, want effect %t", fault, got.Status, effect)
			}
		})
	}
}

func TestSilentRefusal(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
	v, zone := w.clinic.Appointments(noon)[0], w.clinic.Location()
	change := w.detail(t, v.ID).Update()
	change.Notes, change.Start, change.End = "changed", change.Start.AddDate(0, 0, 3), change.End.AddDate(0, 0, 3)
	people := len(w.clinic.Patients())
	w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultSilentRefusal}}})
	echo, err := w.Appointments.Update(t.Context(), change, zone)
	if err != nil || echo.Notes != "changed" || !echo.Start.Equal(change.Start) {
		t.Errorf("the response does not report success: %+v, %v", echo, err)
	}
	if err := w.Appointments.Delete(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	if _, err := w.Patients.Create(t.Context(), w.id, tebra.PatientFields{FirstName: tebra.Set("a"), LastName: tebra.Set("b")}); err != nil {
		t.Error(err)
	}
	if got, err := w.clinic.Appointment(v.ID); err != nil || !cmp.Equal(got, v) || len(w.clinic.Patients()) != people {
		t.Errorf("the write took effect: %+v, %v", got, err)
	}
}

func TestStaleReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newEnv(t, oneAccount(tebratest.Practice{Patients: 300}))
		v := w.clinic.Appointments(noon)[0]
		before := byID(listDay(t, w.Client, w.clinic, noon, noon))
		id := w.clinic.Patients()[0].ID
		patient, err := w.Patients.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		created, err := w.Patients.Create(t.Context(), w.id, tebra.PatientFields{FirstName: tebra.Set("Nova"), LastName: tebra.Set("Made")})
		if err != nil {
			t.Fatal(err)
		}
		newcomers := []string{created.Reveal(), w.clinic.AddPatient().ID}
		booked, err := w.clinic.Book(id, v.Start.Add(time.Minute), 0)
		for _, err := range []error{err, w.clinic.Move(v.ID, v.Start.AddDate(0, 0, 1)), w.clinic.SetPhone(id, "(555) 555-0188")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		w.sim.SetFaults(tebratest.Faults{Stale: 30 * time.Second})
		if now := byID(listDay(t, w.Client, w.clinic, noon, noon)); !cmp.Equal(now, before, revealed) {
			t.Errorf("a stale day has %d rows, with the moved visit: %t, with the booked one: %t", len(now), now[v.ID].ID != "", now[booked].ID != "")
		}
		if a := w.detail(t, v.ID); !a.Start.Equal(v.Start) {
			t.Errorf("a stale appointment starts at %v", a.Start)
		}
		if p, err := w.Patients.Get(t.Context(), id); err != nil || p.HomePhone != patient.HomePhone {
			t.Errorf("stale patient: %v", err)
		}
		if _, err := w.Appointments.Get(t.Context(), booked, w.clinic.Location()); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
			t.Errorf("appointment before its creation: %v", err)
		}
		for _, newcomer := range newcomers {
			if _, err := w.Patients.Get(t.Context(), newcomer); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
				t.Errorf("patient before their creation: %v", err)
			}
		}
		if n := w.countPatients(t); n != 300 {
			t.Errorf("%d patients before two were added", n)
		}
		<-time.After(31 * time.Second)
		if n := w.countPatients(t); n != 302 {
			t.Errorf("%d patients afterwards, want two more", n)
		}
		now := byID(listDay(t, w.Client, w.clinic, noon, noon))
		if p, err := w.Patients.Get(t.Context(), id); err != nil || p.HomePhone != "(555) 555-0188" || len(now) != 90 || now[booked].ID == "" {
			t.Errorf("half a minute later: %d rows, %v", len(now), err)
		}
	})
}

// countPatients counts the patients of the list and compares with the pages.
func (w env) countPatients(t *testing.T) int {
	t.Helper()
	list, err := w.Patients.List(t.Context(), tebra.ListPatientsRequest{PracticeID: w.id})
	if err != nil {
		t.Fatal(err)
	}
	paged := 0
	for page, err := range w.Patients.Pages(t.Context(), tebra.PatientPagesRequest{PracticeID: w.id, Size: 1000}) {
		if err != nil {
			t.Fatal(err)
		}
		paged += len(page.Rows)
	}
	if paged != len(list.Rows) {
		t.Errorf("%d patients in pages, %d in the list", paged, len(list.Rows))
	}
	return paged
}

func TestForeignRows(t *testing.T) {
	t.Parallel()
	w := newEnv(t, oneAccount(tebratest.Practice{Name: "One"}, tebratest.Practice{Name: "Two"}))
	w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultForeignRows}}})
	all := "<k:Fields/><k:Filter>"
	for op, tt := range map[string]struct {
		members      string
		own, foreign int
	}{
		"GetAppointments":     {all + "<k:EndDate>2026-02-24</k:EndDate><k:PracticeName>One</k:PracticeName><k:StartDate>2026-02-24</k:StartDate></k:Filter>", 90, 1},
		"GetPatients":         {all + "<k:PracticeName>One</k:PracticeName></k:Filter>", 3000, 1},
		"GetAllPatients":      {all + "<k:BatchSize>3</k:BatchSize><k:PracticeID>1</k:PracticeID><k:StartKey>0</k:StartKey></k:Filter>", 3, 1},
		"GetPractices":        {all + "<k:PracticeName>One</k:PracticeName></k:Filter>", 1, 1},
		"GetProviders":        {all + "<k:PracticeName>One</k:PracticeName></k:Filter>", 4, 4},
		"GetServiceLocations": {"<n:Fields/><n:Filter><n:PracticeName>One</n:PracticeName></n:Filter>", 1, 1},
	} {
		got := post(t, w.sim, op, header(w.clinic.Account())+tt.members)
		if own, foreign := strings.Count(got, "PracticeName>One</"), strings.Count(got, "PracticeName>Two</"); own != tt.own || foreign != tt.foreign {
			t.Errorf("%s: %d rows and %d foreign ones, want %d and %d", op, own, foreign, tt.own, tt.foreign)
		}
	}
}

func TestLongRanges(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
	ask := func(from, to string) string {
		return post(t, w.sim, "GetAppointments", header(w.clinic.Account())+
			"<k:Fields/><k:Filter><k:EndDate>"+to+"</k:EndDate><k:StartDate>"+from+"</k:StartDate></k:Filter>")
	}
	if got := ask("2026-01-01", "2026-03-11"); !strings.Contains(got, "InternalServiceFault") {
		t.Errorf("70 days: %.300s", got)
	}
	w.sim.SetFaults(tebratest.Faults{LongRanges: true})
	for to, rows := range map[string]int{"2026-03-11": 70 * 90, "2026-06-30": 10_000} {
		if n := strings.Count(ask("2026-01-01", to), "<ID>"); n != rows {
			t.Errorf("to %s: %d rows, want %d", to, n, rows)
		}
	}
}

// A list fails if its range contains a bad day, and the lists of other days do not.
func TestFailDays(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
	w.sim.SetFaults(tebratest.Faults{FailDays: []string{"2026-02-24"}})
	for name, tt := range map[string]struct {
		from, to string
		fails    bool
	}{
		"that day":          {"2026-02-24", "2026-02-24", true},
		"days around it":    {"2026-02-20", "2026-02-27", true},
		"its last day":      {"2026-02-20", "2026-02-24", true},
		"until the day ago": {"2026-02-20", "2026-02-23", false},
		"from the day on":   {"2026-02-25", "2026-02-27", false},
	} {
		got := post(t, w.sim, "GetAppointments", header(w.clinic.Account())+
			"<k:Fields/><k:Filter><k:EndDate>"+tt.to+"</k:EndDate><k:StartDate>"+tt.from+"</k:StartDate></k:Filter>")
		if strings.Contains(got, "InternalServiceFault") != tt.fails {
			t.Errorf("%s: %.300s", name, got)
		}
	}
}

func TestClockOffset(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{Faults: tebratest.Faults{ClockOffset: -time.Hour}})
	v := w.clinic.Appointments(noon)[0]
	if err := w.clinic.SetStatus(v.ID, tebratest.Roomed); err != nil {
		t.Fatal(err)
	}
	if got := w.detail(t, v.ID).Updated; !got.Equal(noon.Add(-time.Hour)) {
		t.Errorf("changed at %v by the vendor's clock, want an hour before noon", got)
	}
}

// Faults have the same result for a client with a direct connection and over a network.
func TestFaults(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: unthrottled})
	network := httptest.NewServer(s)
	t.Cleanup(network.Close)
	a := s.Clinics()[0].Account()
	direct := newClient(t, s, a)
	over := newClient(t, s, a, func(o *tebra.Options) {
		o.Endpoint, o.Insecure, o.HTTPClient = network.URL+tebratest.Path, true, network.Client()
	})
	for _, tt := range []struct {
		name    string
		faults  tebratest.Faults
		patient tebra.Code
		outcome tebratest.Outcome
	}{
		{"none", tebratest.Faults{}, "", tebratest.OutcomeOK},
		{"outage", tebratest.Faults{Outage: true}, tebra.Unavailable, tebratest.OutcomeFault},
		{"maintenance", tebratest.Faults{Maintenance: true}, tebra.Unavailable, tebratest.OutcomeMaintenance},
		{"cut", tebratest.Faults{CutBody: true}, tebra.Unavailable, tebratest.OutcomeCut},
		{"outage of another operation", tebratest.Faults{Outage: true, Operations: []string{"GetAppointments"}}, "", tebratest.OutcomeOK},
		{"this patient", tebratest.Faults{FailPatients: []string{"1000001"}}, tebra.Unavailable, tebratest.OutcomeFault},
		{"another patient", tebratest.Faults{FailPatients: []string{"1000002"}}, "", tebratest.OutcomeOK},
		{"reset", tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultReset}}}, tebra.Unavailable, tebratest.OutcomeReset},
		{"reset of this account", tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultReset, Accounts: []string{a.CustomerKey}}}}, tebra.Unavailable, tebratest.OutcomeReset},
		{"reset of another account", tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultReset, Accounts: []string{"x"}}}}, "", tebratest.OutcomeOK},
		{"absent patient", tebratest.Faults{AbsentPatients: []string{"1000001"}}, tebra.NotFound, tebratest.OutcomeOK},
	} {
		s.SetFaults(tt.faults)
		for how, c := range map[string]*tebra.Client{"direct": direct, "network": over} {
			_, err := c.Patients.Get(t.Context(), "1000001")
			if tt.patient == "" && err != nil || tt.patient != "" && !errors.Is(err, &tebra.Error{Code: tt.patient}) {
				t.Errorf("%s, %s: %v, want %q", tt.name, how, err, tt.patient)
			}
		}
	}
	s.SetFaults(tebratest.Faults{})
	s.Outage(true)
	s.FailPatient("1", true)
	s.FailPatient("1", true)
	s.FailPatient("2", true)
	s.FailPatient("1", false)
	if diff := cmp.Diff(tebratest.Faults{Outage: true, FailPatients: []string{"2"}}, s.Faults()); diff != "" {
		t.Error(diff)
	}
}
