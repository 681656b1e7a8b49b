package tebratest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// What hand-built requests get wrong, and what the vendor makes of it.
func TestMembersAreReadForwardOnly(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: unthrottled})
	a := s.Clinics()[0].Account()
	good := header(a)
	day := "<k:EndDate>2026-02-24</k:EndDate><k:StartDate>2026-02-24</k:StartDate>"
	for _, tt := range []struct{ name, op, members, want string }{
		{"user before password", "GetThrottles", "<k:RequestHeader><k:CustomerKey>" + a.CustomerKey + "</k:CustomerKey><k:User>" + a.User +
			"</k:User><k:Password>" + a.Password + "</k:Password></k:RequestHeader>", "Invalid user name and/or password"},
		{"credentials in the other namespace", "GetThrottles", strings.ReplaceAll(good, "k:CustomerKey", "n:CustomerKey"), "Invalid customer key"},
		{"no header", "GetThrottles", "", "DeserializationFailed"},
		{"filter before fields", "GetAppointments", good + "<k:Filter>" + day + "</k:Filter><k:Fields/>", "Expecting element &#39;Fields&#39;"},
		{"fields in the other namespace", "GetAppointments", good + "<n:Fields/><k:Filter/>", "Expecting element &#39;Fields"},
		{"no filter", "GetAppointments", good + "<k:Fields/>", "ValidateDateTimeFields"},
		{"misspelled filter member", "GetAppointments", good + "<k:Fields/><k:Filter>" + day + "<k:practicename>none</k:practicename></k:Filter>", "<AppointmentData><AllDay>"},
		{"toggle that is no boolean", "GetAppointments", good + "<k:Fields><k:ID>yes</k:ID></k:Fields><k:Filter/>", "cannot be parsed as the type &#39;Boolean&#39;"},
		{"toggles", "GetAppointments", good + "<k:Fields><k:EndDate>0</k:EndDate><k:ID>1</k:ID></k:Fields><k:Filter>" + day + "</k:Filter>", "<AppointmentData><ID>"},
		{"patient id that is no number", "GetPatient", good + "<k:Filter><k:PatientID>x</k:PatientID></k:Filter>", "DeserializationFailed"},
		{"patient of nobody", "GetPatient", good + "<k:Filter><k:PatientID>5</k:PatientID></k:Filter>", `<Patient i:nil="true"/>`},
		{"no practice of this name", "GetAppointments", good + "<k:Fields/><k:Filter>" + strings.Replace(day, "<k:Start", "<k:PracticeName>none</k:PracticeName><k:Start", 1) + "</k:Filter>", "<Appointments><AppointmentData/></Appointments>"},
		{"date that is none", "GetAppointments", good + "<k:Fields/><k:Filter><k:StartDate>soon</k:StartDate></k:Filter>", "<IsError>true</IsError>"},
		{"offset from Greenwich", "GetAppointments", good + "<k:Fields/><k:Filter>" + day + "<k:TimeZoneOffsetFromGMT>0</k:TimeZoneOffsetFromGMT></k:Filter>", "<StartDate>2/24/2026 2:00:00 PM</StartDate>"},
		{"filter that is nil", "GetAppointments", good + `<k:Fields/><k:Filter i:nil="1"/>`, "ValidateDateTimeFields"},
		{"offset that is nil", "GetAppointments", good + "<k:Fields/><k:Filter>" + day + `<k:TimeZoneOffsetFromGMT i:nil="true"/></k:Filter>`, "<StartDate>2/24/2026 8:00:00 AM</StartDate>"},
		{"number that is nil", "GetAppointment", good + `<k:Appointment><k:AppointmentId i:nil="true"/></k:Appointment>`, "DeserializationFailed"},
		{"status that is nil", "UpdateAppointmentStatus", good + `<k:Appointment><k:AppointmentId>1</k:AppointmentId><k:AppointmentStatus i:nil="true"/></k:Appointment>`, "DeserializationFailed"},
		{"status of nobody", "UpdateAppointmentStatus", good + `<k:Appointment><k:AppointmentId>1</k:AppointmentId><k:AppointmentStatus>Late</k:AppointmentStatus></k:Appointment>`, "Invalid enum value"},
		{"operation of nobody", "GetAppointmentz", good, "ContractFilter mismatch"},
	} {
		if got := post(t, s, tt.op, tt.members); !strings.Contains(got, tt.want) {
			t.Errorf("%s: want %s in\n%.1500s", tt.name, tt.want, got)
		}
	}
	s.SetFaults(tebratest.Faults{Projection: true})
	got := post(t, s, "GetAppointments", good+"<k:Fields><k:ID>true</k:ID></k:Fields><k:Filter>"+day+"</k:Filter>")
	if !strings.Contains(got, "<Appointments><AppointmentData/></Appointments>") {
		t.Errorf("inverted projection: %.800s", got)
	}
}

func TestOnlySOAPIsAnswered(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{})
	const action = "http://www.kareo.com/api/schemas/KareoServices/GetThrottles"
	envelope := func(name, inside string) string {
		return `<s:` + name + ` xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="http://www.kareo.com/api/schemas/" ` +
			`xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><s:Body>` + inside + `</s:Body></s:` + name + `>`
	}
	for _, tt := range []struct {
		name, method, media, action, body string
		status                            int
		holds                             string
	}{
		{"GET", http.MethodGet, "", "", "", http.StatusNotFound, ""},
		{"SOAP 1.2", http.MethodPost, "application/soap+xml", "x", "", http.StatusUnsupportedMediaType, ""},
		{"no action", http.MethodPost, "text/xml", "", "", http.StatusInternalServerError, "ActionNotSupported"},
		{"bare action", http.MethodPost, "text/xml", "GetThrottles", "", http.StatusInternalServerError, "ActionNotSupported"},
		{"no XML", http.MethodPost, "text/xml", action, "{}", http.StatusInternalServerError, "InternalServiceFault"},
		{"no envelope", http.MethodPost, "text/xml", action, envelope("Envelop", "<GetThrottles><request/></GetThrottles>"), http.StatusInternalServerError, "InternalServiceFault"},
		{"another operation", http.MethodPost, "text/xml", action, envelope("Envelope", "<GetPatient><request/></GetPatient>"), http.StatusInternalServerError, "InternalServiceFault"},
		{"parameter of another name", http.MethodPost, "text/xml", action, envelope("Envelope", "<GetThrottles><req/></GetThrottles>"), http.StatusInternalServerError, "InternalServiceFault"},
		{"nil parameter", http.MethodPost, "text/xml", action, envelope("Envelope", `<GetThrottles><request i:nil="true"/></GetThrottles>`), http.StatusInternalServerError, "InternalServiceFault"},
		{"empty parameter", http.MethodPost, "text/xml", action, envelope("Envelope", "<GetThrottles><request/></GetThrottles>"), http.StatusInternalServerError, "DeserializationFailed"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), tt.method, tebratest.Path, strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.media)
		r.Header.Set("SOAPAction", tt.action)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.holds) {
			t.Errorf("%s: status %d, want %d with %s: %s", tt.name, w.Code, tt.status, tt.holds, w.Body)
		}
	}
}

// Directly and over a network, the switches look the same to a client.
func TestFaults(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: unthrottled})
	network := httptest.NewServer(s)
	t.Cleanup(network.Close)
	a := s.Clinics()[0].Account()
	direct := newClient(t, s, a)
	over, err := tebra.New(tebra.Options{
		Endpoint: network.URL + tebratest.Path, Insecure: true, Account: "a", HTTPClient: network.Client(),
		Credentials: tebra.Credentials{CustomerKey: "sim-customer-key", User: "sim@example.test", Password: "sim-password"},
	})
	if err != nil {
		t.Fatal(err)
	}
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
		{"outage elsewhere", tebratest.Faults{Outage: true, Operations: []string{"GetAppointments"}}, "", tebratest.OutcomeOK},
		{"this patient", tebratest.Faults{FailPatients: []string{"1000001"}}, tebra.Unavailable, tebratest.OutcomeFault},
		{"another patient", tebratest.Faults{FailPatients: []string{"1000002"}}, "", tebratest.OutcomeOK},
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

func TestControlSurface(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: unthrottled})
	clinic := s.Clinics()[0]
	visit := clinic.Appointments(noon)[0]
	order := func(method, path, body string) (int, string) {
		r := httptest.NewRequestWithContext(t.Context(), method, "/control/"+path, strings.NewReader(body))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		answer, _ := io.ReadAll(w.Body)
		return w.Code, string(answer)
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
		{"PUT", "throttles", `{"intervals_ns":{"GetPatent":1}}`, 400, "no operation"},
		{"PUT", "throttles", `{"intervals_ns":{"GetProcedureCode":1,"SearchPatient":1,"UpdateAppointmentStatus":1}}`, 204, ""},
		{"PUT", "faults", `{"updates":"replace"}`, 400, "neither"},
		{"PUT", "faults", `{"stale_ns":-1}`, 400, "negative"},
		{"PUT", "faults", `{"operations":["getPatient"]}`, 400, "no operation"},
		{"PUT", "faults", `{"rules":[{"fault":"outages"}]}`, 400, "no known fault"},
		{"PUT", "faults", `{"rules":[{"fault":"outage","rate":1.5}]}`, 400, "out of range"},
		{"PUT", "faults", `{"rules":[{"fault":"outage","operations":["GetPatients","x"]}]}`, 400, "no operation"},
		{"PUT", "faults", `{"rules":[{"fault":"outage","operations":["GetPatients"],"rate":0.5,"count":3,"for_ns":1}],"updates":"merge"}`, 204, ""},
		{"GET", "faults", "", 200, `"rules":[{"fault":"outage","operations":["GetPatients"],"count":3,"rate":0.5,"for_ns":1}]`},
		{"PUT", "faults", `{}`, 204, ""},
		{"PUT", "throttles", `{"off":true}`, 204, ""},
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

// Two accounts may have practices of the same number. Who drives them says which is meant, and the first is meant without.
func TestControlTellsAccountsApart(t *testing.T) {
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
			t.Errorf("order %d: status %d, want %d; played %v, want %v", i, w.Code, tt.status, played, tt.played)
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

// The control surface reads what the switches change; the race detector looks on.
func TestControlWhileSwitchesChange(t *testing.T) {
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
			}
		}
	})
	for range 50 {
		for _, path := range []string{"appointments?practice=1", "practices", "faults", "throttles", "calls", "counts"} {
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

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	one := func(p ...tebratest.Practice) tebratest.Config {
		return tebratest.Config{Accounts: []tebratest.Account{{CustomerKey: "k", Practices: p}}}
	}
	for name, config := range map[string]tebratest.Config{
		"no key":        {Accounts: []tebratest.Account{{}}},
		"same key":      {Accounts: []tebratest.Account{{CustomerKey: "k"}, {CustomerKey: "k"}}},
		"same name":     one(tebratest.Practice{Name: "a"}, tebratest.Practice{Name: "a"}),
		"same id":       one(tebratest.Practice{ID: 2}, tebratest.Practice{ID: 2, Name: "b"}),
		"zone":          one(tebratest.Practice{Zone: "Atlantis/Deep"}),
		"patients":      one(tebratest.Practice{Patients: 900_001}),
		"visits":        one(tebratest.Practice{VisitsPerDay: 901}),
		"nobody to see": one(tebratest.Practice{Patients: -1}),
		"nobody there":  one(tebratest.Practice{Providers: -1}),
		"providers":     one(tebratest.Practice{Providers: 101}),
		"practices":     one(make([]tebratest.Practice, 701)...),
		"negative id":   one(tebratest.Practice{ID: -1}),
		"long id":       one(tebratest.Practice{ID: 1_000_000_000}),
		"faults":        {Faults: tebratest.Faults{Rules: []tebratest.Rule{{Fault: "x"}}}},
		"throttles":     {Throttles: tebratest.Throttles{Margin: -1}},
	} {
		if _, err := tebratest.New(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := tebratest.New(one(make([]tebratest.Practice, 700)...)); err != nil {
		t.Errorf("700 practices: %v", err)
	}
	s, err := tebratest.New(one(tebratest.Practice{Patients: -1, VisitsPerDay: -1}))
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Clinic("k", 1); c == nil || len(c.Patients()) != 0 || len(c.Appointments(time.Now())) != 0 {
		t.Error("an empty practice is not empty")
	}
	if s.Clinic("k", 2) != nil || s.Clinic("", 1) != nil {
		t.Error("there is a practice that nobody configured")
	}
}
