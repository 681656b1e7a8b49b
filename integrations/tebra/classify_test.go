package tebra_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

// The Gate learns which failures are of something between the client and the vendor.
func TestForeignResponsesAreReported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status          int
		mediaType, body string
		want            bool
	}{
		"a proxy's 502":         {502, "text/html", "<html>Bad Gateway</html>", true},
		"an empty 504":          {504, "", "", true},
		"a sign-in page":        {200, "text/html", "<html/>", true},
		"a page called XML":     {200, xmlType, "<html/>", true},
		"JSON":                  {200, "application/json", "{}", true},
		"a firewall's 403":      {403, "text/html", "<html/>", true},
		"a redirect":            {302, "", "", true},
		"a fault of the vendor": {500, xmlType, faultWithText("a:InternalServiceFault", "An error occurred."), false},
		"trouble at the vendor": {200, xmlType, businessError("The server is too busy."), false},
		"half a response":       {200, xmlType, businessError("x")[:200], false},
		"half a fault":          {500, xmlType, strings.TrimSuffix(faultWithText("a:InternalServiceFault", "x"), "</s:Envelope>"), false},
		"a throttled call":      {429, "text/html", "", false},
		"a business error":      {200, xmlType, businessError("Unable to find practice 1."), false},
	} {
		g := &gate{}
		_, err := newClient(t, always(c.status, c.mediaType, c.body), func(o *tebra.Options) { o.Gate = g }).Appointments.List(t.Context(), oneDay())
		if err == nil || len(g.outcomes) != 1 || g.outcomes[0].Foreign != c.want {
			t.Errorf("%s: %v, outcomes %+v", name, err, g.outcomes)
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
		"Transaction (Process ID 64) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.": {tebra.Unavailable, "deadlock", false},
		"Timeout expired. The timeout period elapsed prior to completion of the operation or the server is not responding.":                                    {tebra.Timeout, "text", false},
		"Execution Timeout Expired.": {tebra.Timeout, "text", false},
		"Timeout expired. The timeout period elapsed prior to obtaining a connection from the pool. This may have occurred because all pooled connections were in use and max pool size was reached.": {tebra.Unavailable, "overload", false},
		"The operation has timed out.":                                {tebra.Timeout, "text", false},
		"The server is too busy.":                                     {tebra.Unavailable, "overload", false},
		"Service Unavailable. Please try again later.":                {tebra.Unavailable, "overload", false},
		"Exception of type 'System.OutOfMemoryException' was thrown.": {tebra.Unavailable, "overload", false},
		"A network-related or instance-specific error occurred while establishing a connection to SQL Server. The server was not found or was not accessible.": {tebra.Unavailable, "database", false},
		"Login failed for user " + canary:                                {tebra.Unavailable, "database", false},
		"The account is locked.":                                         {tebra.Locked, "", false},
		"User account has been locked out after too many failed logins.": {tebra.Locked, "", false},
		"Invalid user name and/or password. Your account has been locked due to too many failed login attempts.": {tebra.Locked, "", false},
		"Your account is currently locked.": {tebra.Locked, "", false},
		"Account locked.":                   {tebra.Locked, "", false},
		"Your account has been locked by the system after too many failed login attempts.":                 {tebra.Locked, "", false},
		"Your account has been locked by an administrator.":                                                {tebra.Locked, "", false},
		"You have been locked out of the patient portal after too many failed login attempts":              {tebra.Locked, "", false},
		"The user j.doe@example.test is locked for 30 minutes.":                                            {tebra.Locked, "", false},
		"Login failed. The login of this user is temporarily locked; contact support about your patients.": {tebra.Locked, "", false},
		"The patient account was locked after repeated attempts to sign in.":                               {tebra.Locked, "", false},
		"Your account was unlocked. The appointment is already cancelled":                                  {tebra.Conflict, "text", true},
		"Another user has locked this record.":                                                             {tebra.Conflict, "text", true},
		"User " + canary + " has the appointment locked":                                                   {tebra.Conflict, "text", true},
		"The account is locked by " + canary:                                                               {tebra.Conflict, "text", true},
		"Lock request time out period exceeded.":                                                           {tebra.Timeout, "text", false},
		"The remote server returned an error: (503) Server Unavailable.":                                   {tebra.Unavailable, "overload", false},
		"The remote server returned an error: (502) Bad Gateway.":                                          {tebra.Unavailable, "overload", false},
		"The remote server returned an error: (504) Gateway Timeout.":                                      {tebra.Timeout, "text", false},
		"The service is busy":                                            {tebra.Unavailable, "overload", false},
		"The system is currently unavailable.":                           {tebra.Unavailable, "overload", false},
		"Our services are currently unavailable.":                        {tebra.Unavailable, "overload", false},
		"Servers are busy":                                               {tebra.Unavailable, "overload", false},
		"The API (v2) is temporarily unavailable":                        {tebra.Unavailable, "overload", false},
		"Tebra is currently unavailable.":                                {tebra.Unavailable, "overload", false},
		"Insufficient resources, please try again later.":                {tebra.Unavailable, "overload", false},
		"Memory allocation failed. Try again later.":                     {tebra.Unavailable, "overload", false},
		"The requested resource is not free. Try again later.":           {tebra.Unknown, "", false},
		"Notes '3 failed attempts to reach the patient' is not valid":    {tebra.Invalid, "text", true},
		"The value 'user locked out' is no status.":                      {tebra.Conflict, "text", true},
		"The user's account is disabled after too many failed attempts.": {tebra.Locked, "", false},
		"We cannot do this now, please try again later":                  {tebra.Unavailable, "overload", false},
		"The provider is currently unavailable.":                         {tebra.Unknown, "", false},
		"The provider is currently unavailable. Please try again later.": {tebra.Unknown, "", false},
		"The resource is temporarily unavailable":                        {tebra.Unknown, "", false},
		"The service location is currently unavailable":                  {tebra.Unknown, "", false},
		"Rate limit exceeded":                                            {tebra.Throttled, "", false},
		"Reason 'heart rate limit' is not valid":                         {tebra.Invalid, "text", true},
		"The patient's account is locked":                                {tebra.Conflict, "text", true},
		"The appointment is locked by user " + canary:                    {tebra.Conflict, "text", true},
		"Too many requests":                                              {tebra.Throttled, "", false},
		"4291 is " + canary:                                              {tebra.Unknown, "", false},
		"":                                                               {tebra.Unknown, "", false},
	} {
		body := responseTo("GetPatient", "<ErrorResponse><ErrorMessage>"+text+"</ErrorMessage><IsError>true</IsError></ErrorResponse>"+authorized+`<Patient i:nil="true"/>`)
		_, err := newClient(t, always(200, xmlType, body), nil).Patients.Get(t.Context(), "1001")
		var e *tebra.Error
		if !errors.As(err, &e) || e.Code != want.code || e.Reason != want.reason || e.Permanent() != want.permanent {
			t.Errorf("%q: got %+v, want %+v", text, e, want)
		}
	}
}

// Trouble at the vendor is recognized whatever the security part says, which the vendor may not
// have filled, and in faults. A fault about the request quotes it, so its text proves nothing.
func TestTroubleTakesPrecedence(t *testing.T) {
	t.Parallel()
	const text = "was deadlocked on lock resources"
	for name, tt := range map[string]struct {
		status int
		body   string
		code   tebra.Code
	}{
		"before the credentials were checked": {200, strings.Replace(businessError(text), authorized, security(false, false, false), 1), tebra.Unavailable},
		"without an error flag":               {200, responseTo("GetAppointments", "<ErrorResponse><ErrorMessage>The account is locked</ErrorMessage><IsError>false</IsError></ErrorResponse>"+security(false, true, true)), tebra.Locked},
		"text of a success":                   {200, responseTo("GetAppointments", "<ErrorResponse><ErrorMessage>"+text+"</ErrorMessage><IsError>false</IsError></ErrorResponse>"+authorized+placeholder), ""},
		"in a fault":                          {500, faultWithText("a:InternalServiceFault", "The account is locked out"), tebra.Locked},
		"in a fault about the request":        {500, faultWithText("a:DeserializationFailed", "The account is locked out"), tebra.Invalid},
		"quoting a text about a rate":         {500, faultWithText("a:DeserializationFailed", "The value 'heart rate limit' and 'too many requests' cannot be parsed"), tebra.Invalid},
		"throttled while deserializing":       {500, faultWithText("a:DeserializationFailed", "429: slow down"), tebra.Throttled},
		"with a status of the way":            {403, businessError("The account is locked"), tebra.Unavailable},
	} {
		_, err := newClient(t, always(tt.status, xmlType, tt.body), nil).Appointments.List(t.Context(), oneDay())
		var e *tebra.Error
		if errors.As(err, &e); tt.code == "" && err != nil || tt.code != "" && (e == nil || e.Code != tt.code) {
			t.Errorf("%s: got %v, want %q", name, err, tt.code)
		}
	}
}

// A response may say when to come back. Its own clock counts for dates.
func TestRetryAfterIsReported(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(90 * time.Second).UTC()
	for name, tt := range map[string]struct {
		status       int
		header, date string
		least, most  time.Duration
	}{
		"seconds":             {503, "120", "", 2 * time.Minute, 2 * time.Minute},
		"with 429":            {429, " 7 ", "", 7 * time.Second, 7 * time.Second},
		"date":                {503, soon.Format(http.TimeFormat), "", 80 * time.Second, 91 * time.Second},
		"date by its clock":   {503, "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:58:59 GMT", time.Minute, time.Minute},
		"date in RFC 850":     {429, soon.Format(time.RFC850[:len(time.RFC850)-3] + "GMT"), "", 80 * time.Second, 91 * time.Second},
		"past date":           {503, "Fri, 31 Dec 1999 23:59:59 GMT", "", 0, 0},
		"too long":            {503, "864000", "", time.Hour, time.Hour},
		"overflow":            {503, strings.Repeat("9", 40), "", time.Hour, time.Hour},
		"negative":            {503, "-5", "", 0, 0},
		"words":               {503, canary, "", 0, 0},
		"fraction":            {503, "1.5", "", 0, 0},
		"none":                {503, "", "", 0, 0},
		"with another status": {500, "120", "", 0, 0},
	} {
		g := &gate{}
		_, err := newClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
			resp := respond(tt.status, "text/html", http.NoBody)
			resp.Header.Set("Retry-After", tt.header)
			resp.Header.Set("Date", tt.date)
			return resp, nil
		}), func(o *tebra.Options) { o.Gate = g }).Appointments.List(t.Context(), oneDay())
		var e *tebra.Error
		if !errors.As(err, &e) || e.RetryAfter < tt.least || e.RetryAfter > tt.most || g.outcomes[0].RetryAfter != e.RetryAfter {
			t.Errorf("%s: got %+v, outcomes %+v, want %v to %v", name, e, g.outcomes, tt.least, tt.most)
		}
	}
}

// The vendor's own responses may say so too, whatever they mean.
func TestRetryAfterOfFaultsIsReported(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]tebra.Code{
		"The operation has timed out.": tebra.Timeout, "The account is locked.": tebra.Locked, "The server is too busy.": tebra.Unavailable,
		"429: slow down": tebra.Throttled,
	} {
		g := &gate{}
		_, err := newClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
			resp := respond(503, xmlType, strings.NewReader(faultWithText("a:InternalServiceFault", text)))
			resp.Header.Set("Retry-After", "120")
			return resp, nil
		}), func(o *tebra.Options) { o.Gate = g }).Appointments.List(t.Context(), oneDay())
		var e *tebra.Error
		if !errors.As(err, &e) || e.Code != code || e.RetryAfter != 2*time.Minute || g.outcomes[0].RetryAfter != e.RetryAfter {
			t.Errorf("%s: got %+v, outcomes %+v", text, e, g.outcomes)
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
		"update without a record":                  {"UpdateAppointment", responseTo("UpdateAppointment", noError+authorized+`<Appointment i:nil="true"/>`), tebra.Malformed, "id"},
		"update of another record":                 {"UpdateAppointment", responseTo("UpdateAppointment", noError+authorized+`<Appointment><AppointmentId>5</AppointmentId></Appointment>`), tebra.Malformed, "id"},
		"create for another patient":               {"CreateAppointment.least", responseTo("CreateAppointment", noError+authorized+`<Appointment><AppointmentId>5</AppointmentId><PatientSummary><PatientId>2002</PatientId></PatientSummary></Appointment>`), tebra.Malformed, "id"},
		"appointment not found":                    {"GetAppointment", responseTo("GetAppointment", noError+authorized+`<Appointment i:nil="true"/>`), tebra.NotFound, ""},
		"patient not found":                        {"GetPatient", responseTo("GetPatient", noError+authorized+`<Patient i:nil="true"/>`), tebra.NotFound, ""},
		"delete without effect":                    {"DeleteAppointment", responseTo("DeleteAppointment", noError+authorized+"<Deleted>false</Deleted>"), tebra.NotFound, ""},
		"delete of another record":                 {"DeleteAppointment", responseTo("DeleteAppointment", noError+authorized+"<AppointmentId>777</AppointmentId><Deleted>true</Deleted>"), tebra.Malformed, "id"},
		"delete":                                   {"DeleteAppointment", responseTo("DeleteAppointment", noError+authorized+"<AppointmentId>900001</AppointmentId><Deleted>true</Deleted>"), "", ""},
		"page without a key":                       {"GetAllPatients.two", page(two), tebra.Malformed, "key"},
		"last page":                                {"GetAllPatients.two", page(`<Key i:nil="true"/>` + two), "", ""},
		"customer without IsAuthorized":            {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>5</CustomerId>"), tebra.Malformed, "payload"},
		"no patient, without IsError":              {"GetPatient", responseTo("GetPatient", authorized+`<Patient i:nil="true"/>`), tebra.Malformed, "payload"},
		"no rows, without IsError":                 {"GetAppointments.least", responseTo("GetAppointments", `<Appointments i:nil="true"/>`), tebra.Malformed, "payload"},
		"patient, without IsError":                 {"GetPatient", responseTo("GetPatient", "<Patient><ID>1001</ID></Patient>"), "", ""},
		"no rows, with IsError":                    {"GetAppointments.least", responseTo("GetAppointments", noError+`<Appointments i:nil="true"/>`), "", ""},
		"row without an identifier":                {"GetAppointments.least", appointments("<AppointmentData><PatientFullName>" + canary + "</PatientFullName></AppointmentData>"), "", ""},
		"second row without an identifier":         {"GetAppointments.least", appointments("<AppointmentData><ID>1</ID></AppointmentData><AppointmentData><StartDate>2/24/2026</StartDate></AppointmentData>"), "", ""},
		"placeholder":                              {"GetAppointments.least", appointments("<AppointmentData><PracticeName>P</PracticeName><Type>U</Type></AppointmentData>"), "", ""},
		"placeholder and a row":                    {"GetAppointments.least", appointments("<AppointmentData/><AppointmentData><ID>1</ID></AppointmentData>"), "", ""},
		"reason without an identifier":             {"GetAppointmentReasons", responseTo("GetAppointmentReasons", noError+authorized+"<AppointmentReasons><AppointmentReasonData><Name>Follow Up</Name></AppointmentReasonData><AppointmentReasonData><PracticeId>1</PracticeId></AppointmentReasonData></AppointmentReasons>"), "", ""},
		"patient without an identifier":            {"GetPatients.least", responseTo("GetPatients", noError+authorized+"<Patients><PatientData><LastName>"+canary+"</LastName></PatientData></Patients>"), "", ""},
		"single patient without an identifier":     {"GetPatient", responseTo("GetPatient", noError+authorized+"<Patient><LastName>"+canary+"</LastName></Patient>"), tebra.Malformed, "id"},
		"single appointment without an identifier": {"GetAppointment", responseTo("GetAppointment", noError+authorized+"<Appointment><AppointmentId>0</AppointmentId><StartTime>2026-02-24T17:00:00Z</StartTime></Appointment>"), tebra.Malformed, "id"},
		"appointment of unset members":             {"GetAppointment", responseTo("GetAppointment", noError+authorized+"<Appointment><AppointmentId>0</AppointmentId><StartTime>0001-01-01T00:00:00</StartTime></Appointment>"), tebra.NotFound, ""},
		"unknown customer key, and garbage":        {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>"+canary+"</CustomerId><IsAuthorized>false</IsAuthorized>"), tebra.Malformed, "id"},
		"create of a group":                        {"CreateAppointment", responseTo("CreateAppointment", noError+authorized+`<Appointment><AppointmentId>5</AppointmentId><PatientSummary><PatientId>1001</PatientId></PatientSummary></Appointment>`), "", ""},
		"delete without IsError":                   {"DeleteAppointment", responseTo("DeleteAppointment", authorized+"<Deleted>false</Deleted>"), tebra.Malformed, "payload"},
		"valid customer key":                       {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>5</CustomerId><IsAuthorized>true</IsAuthorized>"), "", ""},
		"unknown customer key":                     {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>-1</CustomerId><IsAuthorized>false</IsAuthorized>"), tebra.Unauthenticated, ""},
		"request of the wrong shape":               {"GetCustomerIdFromKey", responseTo("GetCustomerIdFromKey", "<CustomerId>-1</CustomerId><IsAuthorized>true</IsAuthorized>"), tebra.Malformed, "id"},
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
