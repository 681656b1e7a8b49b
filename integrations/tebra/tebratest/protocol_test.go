package tebratest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// The table contains mistakes in handwritten requests and the vendor's responses to them.
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
		{"invalid field value", "GetAppointments", good + "<k:Fields><k:ID>yes</k:ID></k:Fields><k:Filter/>", "cannot be parsed as the type &#39;Boolean&#39;"},
		{"fields", "GetAppointments", good + "<k:Fields><k:EndDate>0</k:EndDate><k:ID>1</k:ID></k:Fields><k:Filter>" + day + "</k:Filter>", "<AppointmentData><ID>"},
		{"patient id that is not a number", "GetPatient", good + "<k:Filter><k:PatientID>x</k:PatientID></k:Filter>", "DeserializationFailed"},
		{"unknown patient", "GetPatient", good + "<k:Filter><k:PatientID>5</k:PatientID></k:Filter>", `<Patient i:nil="true"/>`},
		{"unknown practice name", "GetAppointments", good + "<k:Fields/><k:Filter>" + strings.Replace(day, "<k:Start", "<k:PracticeName>none</k:PracticeName><k:Start", 1) + "</k:Filter>", "<Appointments><AppointmentData/></Appointments>"},
		{"invalid date", "GetAppointments", good + "<k:Fields/><k:Filter><k:StartDate>soon</k:StartDate></k:Filter>", "<IsError>true</IsError>"},
		{"offset from Greenwich", "GetAppointments", good + "<k:Fields/><k:Filter>" + day + "<k:TimeZoneOffsetFromGMT>0</k:TimeZoneOffsetFromGMT></k:Filter>", "<StartDate>2/24/2026 2:00:00 PM</StartDate>"},
		{"nil filter", "GetAppointments", good + `<k:Fields/><k:Filter i:nil="1"/>`, "ValidateDateTimeFields"},
		{"nil offset", "GetAppointments", good + "<k:Fields/><k:Filter>" + day + `<k:TimeZoneOffsetFromGMT i:nil="true"/></k:Filter>`, "<StartDate>2/24/2026 8:00:00 AM</StartDate>"},
		{"nil number", "GetAppointment", good + `<k:Appointment><k:AppointmentId i:nil="true"/></k:Appointment>`, "DeserializationFailed"},
		{"nil status", "UpdateAppointmentStatus", good + `<k:Appointment><k:AppointmentId>1</k:AppointmentId><k:AppointmentStatus i:nil="true"/></k:Appointment>`, "DeserializationFailed"},
		{"unknown status", "UpdateAppointmentStatus", good + `<k:Appointment><k:AppointmentId>1</k:AppointmentId><k:AppointmentStatus>Late</k:AppointmentStatus></k:Appointment>`, "Invalid enum value"},
		{"unknown operation", "GetAppointmentz", good, "ContractFilter mismatch"},
	} {
		if got := post(t, s, tt.op, tt.members); !strings.Contains(got, tt.want) {
			t.Errorf("%s: want %s in\n%.1500s", tt.name, tt.want, got)
		}
	}
	s.SetFaults(tebratest.Faults{Projection: true})
	got := post(t, s, "GetAppointments", good+"<k:Fields><k:ID>true</k:ID></k:Fields><k:Filter>"+day+"</k:Filter>")
	if !strings.Contains(got, "<Appointments><AppointmentData/></Appointments>") {
		t.Errorf("projection: %.800s", got)
	}
}

func TestInvalidSOAPRequests(t *testing.T) {
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
		{"action without namespace", http.MethodPost, "text/xml", "GetThrottles", "", http.StatusInternalServerError, "ActionNotSupported"},
		{"not XML", http.MethodPost, "text/xml", action, "{}", http.StatusInternalServerError, "InternalServiceFault"},
		{"no envelope", http.MethodPost, "text/xml", action, envelope("Envelop", "<GetThrottles><request/></GetThrottles>"), http.StatusInternalServerError, "InternalServiceFault"},
		{"another operation", http.MethodPost, "text/xml", action, envelope("Envelope", "<GetPatient><request/></GetPatient>"), http.StatusInternalServerError, "InternalServiceFault"},
		{"parameter with another name", http.MethodPost, "text/xml", action, envelope("Envelope", "<GetThrottles><req/></GetThrottles>"), http.StatusInternalServerError, "InternalServiceFault"},
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
