package tebratest_test

import (
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

func TestControlAPI(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: unthrottled})
	clinic := s.Clinics()[0]
	visit := clinic.Appointments(noon)[0]
	order := func(method, path, body string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), method, "/control/"+path, strings.NewReader(body))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		response, _ := io.ReadAll(w.Body)
		return w.Code, string(response)
	}
	for _, tt := range []struct {
		method, path, body string
		status             int
		holds              string
	}{
		{"POST", "status", `{"appointment":"` + visit.ID + `","status":"Check-in"}`, 204, ""},
		{"POST", "status", `{"appointment":"1","status":"Check-in"}`, 404, "no such record"},
		{"POST", "status", `{"appointment":"` + visit.ID + `"}`, 400, "incomplete"},
		{"POST", "status", `{"stat":1}`, 400, "JSON"},
		{"POST", "move", `{"appointment":"` + visit.ID + `"}`, 400, "incomplete"},
		{"POST", "move", `{"appointment":"` + visit.ID + `","start":"2026-02-24T15:00:00-06:00"}`, 204, ""},
		{"POST", "phone", `{"patient":"1000001","phone":"(555) 555-0123"}`, 204, ""},
		{"POST", "phone", `{"patient":"1"}`, 404, ""},
		{"GET", "patient?id=1000001", "", 200, `"phone":"(555) 555-0123"`},
		{"GET", "patient?id=1", "", 404, ""},
		{"GET", "appointment?id=" + visit.ID, "", 200, `"status":"Check-in"`},
		{"GET", "appointment?id=1", "", 404, ""},
		{"PUT", "throttles", `{"scale":0.5}`, 204, ""},
		{"GET", "throttles", "", 200, `"off":false,"intervals_ns":null,"scale":0.5`},
		{"PUT", "throttles", `{"off":1}`, 400, "JSON"},
		{"PUT", "throttles", `{"off":true} x`, 400, "JSON"},
		{"PUT", "throttles", `{"scale":-1}`, 400, "negative"},
		{"PUT", "throttles", `{"intervals_ns":{"GetPatient":-1}}`, 400, "negative"},
		{"PUT", "throttles", `{"intervals_ns":{"GetPatent":1}}`, 400, "unknown operation"},
		{"PUT", "throttles", `{"intervals_ns":{"GetProcedureCode":1,"SearchPatient":1,"UpdateAppointmentStatus":1}}`, 204, ""},
		{"PUT", "faults", `{"updates":"replace"}`, 400, "clobber or merge"},
		{"PUT", "faults", `{"stale_ns":-1}`, 400, "negative"},
		{"PUT", "faults", `{"fail_days":["tomorrow"]}`, 400, "not a date"},
		{"PUT", "faults", `{"operations":["getPatient"]}`, 400, "unknown operation"},
		{"PUT", "faults", `{"rules":[{"fault":"outages"}]}`, 400, "unknown fault"},
		{"PUT", "faults", `{"rules":[{"fault":"outage","rate":1.5}]}`, 400, "out of range"},
		{"PUT", "faults", `{"rules":[{"fault":"outage","operations":["GetPatients","x"]}]}`, 400, "unknown operation"},
		{"PUT", "faults", `{"rules":[{"fault":"outage","operations":["GetPatients"],"rate":0.5,"count":3,"for_ns":1}],"updates":"merge"}`, 204, ""},
		{"GET", "faults", "", 200, `"rules":[{"fault":"outage","operations":["GetPatients"],"count":3,"rate":0.5,"for_ns":1}]`},
		{"PUT", "faults", `{}`, 204, ""},
		{"PUT", "throttles", `{"off":true}`, 204, ""},
		{"PUT", "odd", `["bad-last-modified","control-characters"]`, 204, ""},
		{"PUT", "odd", `["bad-last-modifed"]`, 400, "unknown oddity"},
		{"GET", "odd", "", 200, `["control-characters","bad-last-modified"]`},
		{"PUT", "odd", `[]`, 204, ""},
		{"GET", "odd", "", 200, `[]`},
		{"PUT", "faults", `{"rules":[{"fault":"cut","operations":["GetPatient"],"count":3}]}`, 204, ""},
		{"GET", "faults", "", 200, `"rules":[{"fault":"cut","operations":["GetPatient"],"count":3,`},
		{"POST", "fail-patient", `{"patient":"1000001","on":true}`, 204, ""},
		{"POST", "fail-patient", `{"on":true}`, 400, ""},
		{"POST", "outage", `{"on":true}`, 204, ""},
		{"GET", "faults", "", 200, `"outage":true`},
		{"PUT", "faults", `{"maintenance":true}`, 204, ""},
		{"GET", "faults", "", 200, `"outage":false,"maintenance":true`},
		{"PUT", "faults", `{}`, 204, ""},
		{"GET", "practices", "", 200, `{"account":4711,"id":1,"name":"Example Practice","zone":"America/Chicago","patients":3000}`},
		{"GET", "appointments?practice=1&day=2026-02-24", "", 200, `"start":"2026-02-24T15:00:00-06:00","end"`},
		{"GET", "appointments?practice=1&account=4711", "", 200, visit.ID},
		{"GET", "appointments?practice=9", "", 404, ""},
		{"GET", "appointments?practice=1&account=1", "", 404, ""},
		{"GET", "appointments?practice=1&day=today", "", 400, ""},
		{"POST", "cancel", `{"appointment":"` + visit.ID + `"}`, 204, ""},
		{"GET", "appointments?practice=1", "", 200, `"status":"Cancelled"`},
		{"POST", "delete", `{"appointment":"` + visit.ID + `"}`, 204, ""},
		{"POST", "delete", `{"appointment":"` + visit.ID + `"}`, 404, ""},
		{"POST", "delete", `{}`, 400, ""},
		{"POST", "play", `{"practice":1}`, 400, "incomplete"},
		{"POST", "play", `{"practice":9,"day":"2026-02-25","until":"2026-02-25T12:00:00-06:00"}`, 404, ""},
		{"POST", "play", `{"practice":1,"day":"2026-02-25","until":"2026-02-25T12:00:00-06:00"}`, 204, ""},
		{"GET", "appointments?practice=1&day=2026-02-25", "", 200, `"status":"Check-out"`},
		{"GET", "calls?after=x", "", 400, "after is not a number"},
		{"GET", "appointments?practice=one&account=x", "", 400, "account is not a number"},
		{"GET", "appointments?practice=9", "", 404, "no such practice"},
		{"GET", "appointments?practice=1&day=soon", "", 400, "not a date"},
		{"GET", "status", "", 405, ""},
	} {
		status, body := order(tt.method, tt.path, tt.body)
		if status != tt.status || !strings.Contains(body, tt.holds) {
			t.Errorf("%s %s %s: %d %.300s, want %d with %s", tt.method, tt.path, tt.body, status, body, tt.status, tt.holds)
		}
	}
	if p, err := clinic.Patient("1000001"); err != nil || p.Phone != "(555) 555-0123" || !p.Modified.Equal(noon) {
		t.Errorf("phone is %s, changed at %v, %v", p.Phone, p.Modified, err)
	}
	c := newClient(t, s, clinic.Account())
	for range 2 {
		if _, err := c.System.Throttles(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, body := order("GET", "calls?after=1", ""); !strings.Contains(body, `"seq":2,`) || strings.Contains(body, `"seq":1,`) ||
		!strings.Contains(body, `"account":4711,"operation":"GetThrottles","outcome":"ok"`) {
		t.Errorf("calls: %s", body)
	}
	if _, body := order("GET", "counts", ""); !strings.Contains(body, `"GetThrottles":{"calls":2,"ok":2,"throttled":0}`) {
		t.Errorf("counts: %s", body)
	}
}

// Practices of two accounts may have the same number. Commands name the account, or affect the
// first practice with the number.
func TestControlDistinguishesAccounts(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Accounts: []tebratest.Account{
		{CustomerKey: "a", Practices: []tebratest.Practice{{}}}, {CustomerKey: "b", Practices: []tebratest.Practice{{}}},
	}})
	day := noon.AddDate(0, 0, 1)
	over := func(c *tebratest.Clinic) bool {
		return slices.ContainsFunc(c.Appointments(day), func(v tebratest.Visit) bool { return v.Status == tebratest.CheckedOut })
	}
	for i, tt := range []struct {
		account string
		status  int
		played  [2]bool
	}{{`"account":4713,`, 404, [2]bool{}}, {`"account":4712,`, 204, [2]bool{false, true}}, {"", 204, [2]bool{true, true}}} {
		order := `{` + tt.account + `"practice":1,"day":"2026-02-25","until":"2026-02-25T15:00:00-06:00"}`
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/control/play", strings.NewReader(order)))
		if played := [2]bool{over(s.Clinics()[0]), over(s.Clinics()[1])}; w.Code != tt.status || played != tt.played {
			t.Errorf("command %d: status %d, want %d; played %v, want %v", i, w.Code, tt.status, played, tt.played)
		}
	}
	for account, want := range map[string]string{"&account=4712": "2", "&account=4711": "1", "": "1"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/control/appointments?practice=1"+account, nil))
		if !strings.Contains(w.Body.String(), `"appointment":"`+want) || w.Code != 200 {
			t.Errorf("%q: %d %.100s, want appointments of %s", account, w.Code, w.Body, want)
		}
	}
}

// With the race detector, this test finds unprotected reads of settings.
func TestControlDuringChangesOfSettings(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{})
	read := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-read:
				return
			default:
				s.SetFaults(tebratest.Faults{ClockOffset: time.Duration(i)})
				s.SetThrottles(tebratest.Throttles{Margin: time.Duration(i)})
				if err := s.SetOdd(tebratest.OddityNames()[i%2:]...); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 50 {
		for _, path := range []string{"appointments?practice=1", "practices", "faults", "throttles", "odd", "calls", "counts"} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/control/"+path, nil))
			if w.Code != 200 {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
	}
	close(read)
	changing.Wait()
}
