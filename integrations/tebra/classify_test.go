package tebra_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// A throttle text counts in every response: a status or a fault code that suggests an outage or an
// invalid request must not hide it.
func TestThrottleTextsAreRecognizedEverywhere(t *testing.T) {
	t.Parallel()
	const text = "429: GetAppointments endpoint requested more than allowed over time interval 1000 milliseconds. Please wait to try again."
	for _, status := range []int{200, 400, 500, 503} {
		for name, body := range map[string]string{
			"response": businessError(text), "fault": faultWithText("a:InternalServiceFault", text), "another fault": faultWithText("a:DeserializationFailed", text),
		} {
			g := &gate{}
			_, err := newClient(t, always(status, xmlType, body), func(o *tebra.Options) { o.Gate = g }).Appointments.List(t.Context(), oneDay())
			var e *tebra.Error
			if !errors.As(err, &e) || e.Code != tebra.Throttled || e.Interval != time.Second || e.Permanent() || g.outcomes[0].Interval != time.Second {
				t.Errorf("%s with status %d: got %+v, outcomes %+v", name, status, e, g.outcomes)
			}
		}
	}
}

// Business errors have a text only. NotFound must be limited to patients and appointments, because
// callers delete their data about a record that is not found.
func TestBusinessErrorsAreClassifiedByText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		code      tebra.Code
		reason    string
		permanent bool
	}{
		"Unable to find patient " + canary:                      {tebra.NotFound, "text", true},
		"The appointment does not exist.":                       {tebra.NotFound, "text", true},
		"Patient not found":                                     {tebra.NotFound, "text", true},
		"Unable to find practice 1.":                            {tebra.Invalid, "text", true},
		"Patient's practice was not found":                      {tebra.Invalid, "text", true},
		"Customer record not found":                             {tebra.Invalid, "text", true},
		"The required permission was not found":                 {tebra.Invalid, "text", true},
		"Unable to find provider for appointment":               {tebra.Invalid, "text", true},
		"Unable to find patient case.":                          {tebra.Invalid, "text", true},
		"The service location of the appointment was not found": {tebra.Invalid, "text", true},
		"Unable to find user " + canary:                         {tebra.Unauthenticated, "", true},
		"The appointment is already cancelled":                  {tebra.Conflict, "text", true},
		"Appointment must have valid resource":                  {tebra.Invalid, "", true},
		"FirstName is required":                                 {tebra.Invalid, "text", true},
		"Gender is not valid":                                   {tebra.Invalid, "text", true},
		"User is not authorized":                                {tebra.Denied, "", true},
		"User is not authorized for practice " + canary:         {tebra.Denied, "practice", true},
		"Object reference not set to an instance of " + "a":     {tebra.Invalid, "", true},
		"": {tebra.Unknown, "", false},
	} {
		body := responseTo("GetPatient", "<ErrorResponse><ErrorMessage>"+text+"</ErrorMessage><IsError>true</IsError></ErrorResponse>"+authorized+`<Patient i:nil="true"/>`)
		_, err := newClient(t, always(200, xmlType, body), nil).Patients.Get(t.Context(), "1001")
		var e *tebra.Error
		if !errors.As(err, &e) || e.Code != want.code || e.Reason != want.reason || e.Permanent() != want.permanent {
			t.Errorf("%q: got %+v, want %+v", text, e, want)
		}
	}
}

// The method's own check of a response counts for the error, the Gate, Observe and Trace alike. A
// Gate that received a success would consider a broken vendor healthy.
func TestAllObserversReceiveTheSameCode(t *testing.T) {
	t.Parallel()
	page := func(members string) string { return responseTo("GetAllPatients", noError+authorized+members) }
	two := "<Patients><PatientBatchData><ID>1</ID></PatientBatchData><PatientBatchData><ID>2</ID></PatientBatchData></Patients>"
	for name, tt := range map[string]struct {
		op, body string
		code     tebra.Code
		reason   string
	}{
		"update without a record":          {"UpdateAppointment", responseTo("UpdateAppointment", noError+authorized+`<Appointment i:nil="true"/>`), tebra.Malformed, "id"},
		"update of another record":         {"UpdateAppointment", responseTo("UpdateAppointment", noError+authorized+`<Appointment><AppointmentId>5</AppointmentId></Appointment>`), tebra.Malformed, "id"},
		"create for another patient":       {"CreateAppointment.least", responseTo("CreateAppointment", noError+authorized+`<Appointment><AppointmentId>5</AppointmentId><PatientSummary><PatientId>2002</PatientId></PatientSummary></Appointment>`), tebra.Malformed, "id"},
		"appointment not found":            {"GetAppointment", responseTo("GetAppointment", noError+authorized+`<Appointment i:nil="true"/>`), tebra.NotFound, ""},
		"patient not found":                {"GetPatient", responseTo("GetPatient", noError+authorized+`<Patient i:nil="true"/>`), tebra.NotFound, ""},
		"delete without effect":            {"DeleteAppointment", responseTo("DeleteAppointment", noError+authorized+"<Deleted>false</Deleted>"), tebra.NotFound, ""},
		"delete of another record":         {"DeleteAppointment", responseTo("DeleteAppointment", noError+authorized+"<AppointmentId>777</AppointmentId><Deleted>true</Deleted>"), tebra.Malformed, "id"},
		"delete":                           {"DeleteAppointment", responseTo("DeleteAppointment", noError+authorized+"<AppointmentId>900001</AppointmentId><Deleted>true</Deleted>"), "", ""},
		"page without a key":               {"GetAllPatients.two", page(two), tebra.Malformed, "key"},
		"last page":                        {"GetAllPatients.two", page(`<Key i:nil="true"/>` + two), "", ""},
		"customer without IsAuthorized":    {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>5</CustomerId>"), tebra.Malformed, "payload"},
		"no patient, without IsError":      {"GetPatient", responseTo("GetPatient", authorized+`<Patient i:nil="true"/>`), tebra.Malformed, "payload"},
		"no rows, without IsError":         {"GetAppointments.least", responseTo("GetAppointments", `<Appointments i:nil="true"/>`), tebra.Malformed, "payload"},
		"patient, without IsError":         {"GetPatient", responseTo("GetPatient", "<Patient><ID>1001</ID></Patient>"), "", ""},
		"no rows, with IsError":            {"GetAppointments.least", responseTo("GetAppointments", noError+`<Appointments i:nil="true"/>`), "", ""},
		"row without an identifier":        {"GetAppointments.least", appointments("<AppointmentData><PatientFullName>" + canary + "</PatientFullName></AppointmentData>"), tebra.Malformed, "id"},
		"second row without an identifier": {"GetAppointments.least", appointments("<AppointmentData><ID>1</ID></AppointmentData><AppointmentData><StartDate>2/24/2026</StartDate></AppointmentData>"), tebra.Malformed, "id"},
		"placeholder":                      {"GetAppointments.least", appointments("<AppointmentData><PracticeName>P</PracticeName><Type>U</Type></AppointmentData>"), "", ""},
		"placeholder and a row":            {"GetAppointments.least", appointments("<AppointmentData/><AppointmentData><ID>1</ID></AppointmentData>"), "", ""},
		"reason without an identifier":     {"GetAppointmentReasons", responseTo("GetAppointmentReasons", noError+authorized+"<AppointmentReasons><AppointmentReasonData><Name>Follow Up</Name></AppointmentReasonData><AppointmentReasonData><PracticeId>1</PracticeId></AppointmentReasonData></AppointmentReasons>"), "", ""},
		"patient without an identifier":    {"GetPatients.least", responseTo("GetPatients", noError+authorized+"<Patients><PatientData><LastName>"+canary+"</LastName></PatientData></Patients>"), tebra.Malformed, "id"},
		"create of a group":                {"CreateAppointment", responseTo("CreateAppointment", noError+authorized+`<Appointment><AppointmentId>5</AppointmentId><PatientSummary><PatientId>1001</PatientId></PatientSummary></Appointment>`), "", ""},
		"delete without IsError":           {"DeleteAppointment", responseTo("DeleteAppointment", authorized+"<Deleted>false</Deleted>"), tebra.Malformed, "payload"},
		"valid customer key":               {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>5</CustomerId><IsAuthorized>true</IsAuthorized>"), "", ""},
		"unknown customer key":             {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>-1</CustomerId><IsAuthorized>false</IsAuthorized>"), tebra.Unauthenticated, ""},
		"request of the wrong shape":       {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>-1</CustomerId><IsAuthorized>true</IsAuthorized>"), tebra.Malformed, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &gate{}
			var seen []tebra.Observation
			traced := tebra.Code("none")
			c := newClient(t, always(200, xmlType, tt.body), func(o *tebra.Options) {
				o.Gate, o.Observe = g, observeInto(&seen)
				o.Trace = func(ctx context.Context, _ string) (context.Context, func(tebra.Code)) {
					return ctx, func(c tebra.Code) { traced = c }
				}
			})
			err := examples[tt.op](t.Context(), c)
			var e *tebra.Error
			if errors.As(err, &e); tt.code == "" && err != nil || tt.code != "" && (e == nil || e.Code != tt.code || e.Reason != tt.reason || !e.Sent || e.Status != 200) {
				t.Errorf("got %v, want %q (%s)", err, tt.code, tt.reason)
			}
			if len(g.outcomes) != 1 || g.outcomes[0].Code != tt.code || g.outcomes[0].NotSent {
				t.Errorf("outcomes %+v, want %q", g.outcomes, tt.code)
			}
			if len(seen) != 1 || seen[0].Code != tt.code || seen[0].Reason != tt.reason || !seen[0].Sent || traced != tt.code {
				t.Errorf("observed %+v, traced %q, want %q", seen, traced, tt.code)
			}
			if err != nil && strings.Contains(fmt.Sprintf("%+v", err), canary) {
				t.Errorf("error quotes the response: %v", err)
			}
		})
	}
}

// Code that panics while it consumes rows has received them, so the audit needs the observation.
func TestPanicWhileReadingRowsIsObserved(t *testing.T) {
	t.Parallel()
	var seen []tebra.Observation
	c := newClient(t, always(200, xmlType, appointments("<AppointmentData><ID>1</ID></AppointmentData>")), func(o *tebra.Options) { o.Observe = observeInto(&seen) })
	func() {
		defer func() { _ = recover() }()
		for _, err := range c.Appointments.Rows(t.Context(), oneDay()) {
			panic(fmt.Sprint("consumer: ", err))
		}
	}()
	if len(seen) != 1 || !seen[0].Sent || !seen[0].PHI {
		t.Errorf("observed %+v, want one sent call that concerns patients", seen)
	}
}
