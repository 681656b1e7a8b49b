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

// A throttle is one wherever the vendor says so: nothing that looks like an outage or like a request of ours that is wrong may
// hide it.
func TestThrottleTextsAreHeardEverywhere(t *testing.T) {
	t.Parallel()
	const text = "429: GetAppointments endpoint requested more than allowed over time interval 1000 milliseconds. Please wait to try again."
	for _, status := range []int{200, 400, 500, 503} {
		for name, body := range map[string]string{
			"answer": businessError(text), "fault": faultWithText("a:InternalServiceFault", text), "another fault": faultWithText("a:DeserializationFailed", text),
		} {
			g := &gate{}
			_, err := newClient(t, always(status, xmlType, body), func(o *tebra.Options) { o.Gate = g }).Appointments.List(t.Context(), oneDay())
			var e *tebra.Error
			if !errors.As(err, &e) || e.Code != tebra.Throttled || e.Interval != time.Second || e.Permanent() || g.outcomes[0].Interval != time.Second {
				t.Errorf("%s with %d: got %+v, gate heard %+v", name, status, e, g.outcomes)
			}
		}
	}
}

// The vendor says what went wrong in sentences. Gone is only what it says of a patient or an appointment: gone is forgotten.
func TestBusinessErrorsAreReadByTheirWords(t *testing.T) {
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

// What a method makes of an answer is heard by everybody: a gate that heard of a success would take a broken vendor for a
// good one.
func TestEverybodyHearsTheSameVerdict(t *testing.T) {
	t.Parallel()
	page := func(members string) string { return responseTo("GetAllPatients", noError+authorized+members) }
	two := "<Patients><PatientBatchData><ID>1</ID></PatientBatchData><PatientBatchData><ID>2</ID></PatientBatchData></Patients>"
	for name, tt := range map[string]struct {
		op, body string
		code     tebra.Code
		reason   string
	}{
		"an update that shows nothing":   {"UpdateAppointment", responseTo("UpdateAppointment", noError+authorized+`<Appointment i:nil="true"/>`), tebra.Malformed, "id"},
		"an update of another":           {"UpdateAppointment", responseTo("UpdateAppointment", noError+authorized+`<Appointment><AppointmentId>5</AppointmentId></Appointment>`), tebra.Malformed, "id"},
		"somebody else's visit made":     {"CreateAppointment.least", responseTo("CreateAppointment", noError+authorized+`<Appointment><AppointmentId>5</AppointmentId><PatientSummary><PatientId>2002</PatientId></PatientSummary></Appointment>`), tebra.Malformed, "id"},
		"no such appointment":            {"GetAppointment", responseTo("GetAppointment", noError+authorized+`<Appointment i:nil="true"/>`), tebra.NotFound, ""},
		"no such patient":                {"GetPatient", responseTo("GetPatient", noError+authorized+`<Patient i:nil="true"/>`), tebra.NotFound, ""},
		"nothing deleted":                {"DeleteAppointment", responseTo("DeleteAppointment", noError+authorized+"<Deleted>false</Deleted>"), tebra.NotFound, ""},
		"another deleted":                {"DeleteAppointment", responseTo("DeleteAppointment", noError+authorized+"<AppointmentId>777</AppointmentId><Deleted>true</Deleted>"), tebra.Malformed, "id"},
		"one deleted":                    {"DeleteAppointment", responseTo("DeleteAppointment", noError+authorized+"<AppointmentId>900001</AppointmentId><Deleted>true</Deleted>"), "", ""},
		"a page without a key":           {"GetAllPatients.two", page(two), tebra.Malformed, "key"},
		"the last page":                  {"GetAllPatients.two", page(`<Key i:nil="true"/>` + two), "", ""},
		"a key without a verdict":        {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>5</CustomerId>"), tebra.Malformed, "payload"},
		"nobody, without a verdict":      {"GetPatient", responseTo("GetPatient", authorized+`<Patient i:nil="true"/>`), tebra.Malformed, "payload"},
		"nothing, without a verdict":     {"GetAppointments.least", responseTo("GetAppointments", `<Appointments i:nil="true"/>`), tebra.Malformed, "payload"},
		"somebody, without a verdict":    {"GetPatient", responseTo("GetPatient", "<Patient><ID>1001</ID></Patient>"), "", ""},
		"nothing, and that is all right": {"GetAppointments.least", responseTo("GetAppointments", noError+`<Appointments i:nil="true"/>`), "", ""},
		"a row that cannot be named":     {"GetAppointments.least", appointments("<AppointmentData><PatientFullName>" + canary + "</PatientFullName></AppointmentData>"), tebra.Malformed, "id"},
		"a row too few":                  {"GetAppointments.least", appointments("<AppointmentData><ID>1</ID></AppointmentData><AppointmentData><StartDate>2/24/2026</StartDate></AppointmentData>"), tebra.Malformed, "id"},
		"a placeholder":                  {"GetAppointments.least", appointments("<AppointmentData><PracticeName>P</PracticeName><Type>U</Type></AppointmentData>"), "", ""},
		"a placeholder beside a row":     {"GetAppointments.least", appointments("<AppointmentData/><AppointmentData><ID>1</ID></AppointmentData>"), "", ""},
		"a reason without a number":      {"GetAppointmentReasons", responseTo("GetAppointmentReasons", noError+authorized+"<AppointmentReasons><AppointmentReasonData><Name>Follow Up</Name></AppointmentReasonData><AppointmentReasonData><PracticeId>1</PracticeId></AppointmentReasonData></AppointmentReasons>"), "", ""},
		"a patient who cannot be named":  {"GetPatients.least", responseTo("GetPatients", noError+authorized+"<Patients><PatientData><LastName>"+canary+"</LastName></PatientData></Patients>"), tebra.Malformed, "id"},
		"a group made":                   {"CreateAppointment", responseTo("CreateAppointment", noError+authorized+`<Appointment><AppointmentId>5</AppointmentId><PatientSummary><PatientId>1001</PatientId></PatientSummary></Appointment>`), "", ""},
		"nothing deleted, unjudged":      {"DeleteAppointment", responseTo("DeleteAppointment", authorized+"<Deleted>false</Deleted>"), tebra.Malformed, "payload"},
		"a key of somebody":              {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>5</CustomerId><IsAuthorized>true</IsAuthorized>"), "", ""},
		"a key of nobody":                {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>-1</CustomerId><IsAuthorized>false</IsAuthorized>"), tebra.Unauthenticated, ""},
		"a request of another shape":     {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>-1</CustomerId><IsAuthorized>true</IsAuthorized>"), tebra.Malformed, "id"},
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
				t.Errorf("the gate heard %+v, want %q", g.outcomes, tt.code)
			}
			if len(seen) != 1 || seen[0].Code != tt.code || seen[0].Reason != tt.reason || !seen[0].Sent || traced != tt.code {
				t.Errorf("observed %+v, traced %q, want %q", seen, traced, tt.code)
			}
			if err != nil && strings.Contains(fmt.Sprintf("%+v", err), canary) {
				t.Errorf("the error quotes the answer: %v", err)
			}
		})
	}
}

// Whoever reads rows and panics has read them, which the audit must know.
func TestRowsThatWereReadAreObservedWhateverBecomesOfTheReader(t *testing.T) {
	t.Parallel()
	var seen []tebra.Observation
	c := newClient(t, always(200, xmlType, appointments("<AppointmentData><ID>1</ID></AppointmentData>")), func(o *tebra.Options) { o.Observe = observeInto(&seen) })
	func() {
		defer func() { _ = recover() }()
		for _, err := range c.Appointments.Rows(t.Context(), oneDay()) {
			panic(fmt.Sprint("reader, ", err))
		}
	}()
	if len(seen) != 1 || !seen[0].Sent || !seen[0].PHI {
		t.Errorf("observed %+v, want one sent call about patients", seen)
	}
}
