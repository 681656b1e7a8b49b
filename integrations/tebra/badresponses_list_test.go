package tebra_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing/iotest"
	"unicode/utf16"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// badResponses returns 40 kinds of bad responses, some in several forms. Those without a code are
// unusual but valid and must be read.
func badResponses() []badResponse {
	var all []badResponse
	all = append(all, connectionFailures()...)
	all = append(all, nonSOAPResponses()...)
	all = append(all, vendorErrors()...)
	all = append(all, malformedDocuments()...)
	return append(all, unusualRows()...)
}

// failWith fails every request with a transport error.
func failWith(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hangConnecting reports that it dials, as a transport does, and never connects.
func hangConnecting(r *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(r.Context()).GetConn("example.test:443")
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func connectionFailures() []badResponse {
	half := appointments("<AppointmentData><ID>1</ID></AppointmentData>")[:400]
	return []badResponse{
		{group: "01 refused", name: "dial", code: tebra.Unavailable, reason: "dial", transport: failWith(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})},
		{group: "01 refused", name: "dns", code: tebra.Unavailable, reason: "dns", transport: failWith(errHostGone)},
		{group: "02 connection hangs", code: tebra.Timeout, transport: hangConnecting},
		{group: "03 tls", name: "expired", code: tebra.Unavailable, reason: "tls", server: tlsServer(tlsExpired)},
		{group: "03 tls", name: "another host", code: tebra.Unavailable, reason: "tls", server: tlsServer(tlsOtherHost)},
		{group: "03 tls", name: "unknown authority", code: tebra.Unavailable, reason: "tls", server: tlsServer(tlsUnknown)},
		{group: "03 tls", name: "1.0", code: tebra.Unavailable, reason: "tls", server: tlsServer(tlsOld)},
		{group: "04 headers, then nothing", code: tebra.Timeout, sent: true, transport: func(r *http.Request) (*http.Response, error) {
			return respond(200, xmlType, silentBody{r.Context()}), nil
		}},
		{group: "05 one byte in five seconds", code: tebra.Timeout, sent: true, transport: func(r *http.Request) (*http.Response, error) {
			return respond(200, xmlType, &slowBody{ctx: r.Context(), text: half}), nil
		}},
		{group: "06 reset in mid-response", code: tebra.Unavailable, reason: "cut", sent: true, transport: func(*http.Request) (*http.Response, error) {
			return respond(200, xmlType, io.MultiReader(strings.NewReader(half), iotest.ErrReader(syscall.ECONNRESET))), nil
		}},
		{group: "06 reset in mid-response", name: "before the response", code: tebra.Unavailable, reason: "connection", sent: true, transport: failWith(&net.OpError{Op: "read", Err: syscall.ECONNRESET})},
		{group: "07 length", name: "too large", code: tebra.Unavailable, reason: "cut", sent: true, serve: rawResponse(responseHead(4000) + half)},
		{group: "07 length", name: "too small", code: tebra.Unavailable, reason: "cut", sent: true, serve: rawResponse(responseHead(300) + half)},
	}
}

func nonSOAPResponses() []badResponse {
	page := "<html><body>" + canary + "</body></html>"
	redirect := func(to string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			resp := respond(302, "text/html", strings.NewReader(page))
			resp.Header.Set("Location", to)
			return resp, nil
		}
	}
	challenge := func(status int, header string) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			resp := respond(status, "text/html", strings.NewReader(page))
			resp.Header.Set(header, `Basic realm="`+canary+`"`)
			return resp, nil
		}
	}
	return []badResponse{
		{group: "08 empty", code: tebra.Unavailable, reason: "cut", sent: true, body: ""},
		{group: "09 HTML with 200", code: tebra.Unavailable, reason: "html", sent: true, transport: always(200, "text/html", page)},
		{group: "09 HTML with 200", name: "labeled as XML", code: tebra.Unavailable, reason: "html", sent: true, body: page},
		{group: "10 JSON", code: tebra.Unavailable, reason: "media", sent: true, transport: always(200, "application/json", `{"x":"`+canary+`"}`)},
		{group: "10 JSON", name: "labeled as XML", code: tebra.Unavailable, reason: "text", sent: true, body: `{"x":"` + canary + `"}`},
		{group: "11 HTML with 503", code: tebra.Unavailable, reason: "status", sent: true, transport: always(503, "text/html", page)},
		{group: "12 fault with 500", code: tebra.Unavailable, reason: "fault", sent: true, transport: always(500, xmlType, fault("a:InternalServiceFault"))},
		{group: "12 fault with 500", name: "caused by the request", code: tebra.Invalid, reason: "fault", sent: true, transport: always(500, xmlType, fault("a:DeserializationFailed"))},
		{group: "13 fault with 200", code: tebra.Unavailable, reason: "fault", sent: true, body: fault("a:InternalServiceFault")},
		{group: "14 SOAP 1.2 fault", code: tebra.Malformed, reason: "envelope", sent: true, body: `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><e:Fault><e:Code><e:Value>e:Receiver</e:Value></e:Code></e:Fault></e:Body></e:Envelope>`},
		{group: "14 SOAP 1.2 fault", name: "inside 1.1", code: tebra.Malformed, reason: "namespace", sent: true, body: envelopeOpen + `<s:Fault><s:Code>` + canary + `</s:Code></s:Fault>` + envelopeClose},
		{group: "19 redirect", name: "to another host", code: tebra.Unavailable, reason: "redirect", sent: true, transport: redirect("https://elsewhere.example.test/" + canary)},
		{group: "19 redirect", name: "to http", code: tebra.Unavailable, reason: "redirect", sent: true, transport: redirect("http://webservice.kareo.com/")},
		{group: "20 authentication required", name: "401", code: tebra.Unavailable, reason: "status", sent: true, transport: challenge(401, "WWW-Authenticate")},
		{group: "20 authentication required", name: "407", code: tebra.Unavailable, reason: "status", sent: true, transport: challenge(407, "Proxy-Authenticate")},
	}
}

func vendorErrors() []badResponse {
	row := "<Appointments><AppointmentData><ID>1</ID><PatientFullName>" + canary + "</PatientFullName></AppointmentData></Appointments>"
	list := func(members string) string { return responseTo("GetAppointments", members) }
	return []badResponse{
		{group: "15 error and data", code: tebra.Unknown, sent: true, body: list("<ErrorResponse><ErrorMessage>" + canary + "</ErrorMessage><IsError>true</IsError></ErrorResponse>" + authorized + row)},
		{group: "16 error text without an error", body: list("<ErrorResponse><ErrorMessage>Success</ErrorMessage><IsError>false</IsError></ErrorResponse>" + authorized + row)},
		{group: "17 credentials", name: "login", code: tebra.Unauthenticated, sent: true, body: list(noError + security(false, true, true) + row)},
		{group: "17 credentials", name: "permission", code: tebra.Denied, sent: true, body: list(noError + security(true, false, true) + row)},
		{group: "17 credentials", name: "key", code: tebra.Unauthenticated, reason: "key", sent: true, body: list(noError + security(true, true, false) + row)},
		{group: "17 credentials", name: "no header, invalid identifier", op: "GetCustomerIdFromKey", code: tebra.Malformed, reason: "id", sent: true, body: responseTo("GetCustomerIdFromKey", "<CustomerId>"+canary+"</CustomerId><IsAuthorized>true</IsAuthorized>")},
		{group: "17 credentials", name: "no header", op: "GetCustomerIdFromKey", code: tebra.Unauthenticated, sent: true, body: responseTo("GetCustomerIdFromKey", "<CustomerId>-1</CustomerId><IsAuthorized>false</IsAuthorized>")},
		{group: "18 throttled", name: "with an interval", code: tebra.Throttled, sent: true, body: businessError("429: GetAppointments endpoint requested more than allowed over time interval 1000 milliseconds.")},
		{group: "18 throttled", name: "without an interval", code: tebra.Throttled, sent: true, body: businessError("429: slow down " + canary)},
		{group: "18 throttled", name: "by a fault", code: tebra.Throttled, reason: "fault", sent: true, transport: always(500, xmlType, faultWithText("a:InternalServiceFault", "429: GetAppointments endpoint requested more than allowed over time interval 1000 milliseconds."))},
		{group: "18 throttled", name: "by status and fault", code: tebra.Throttled, reason: "status", sent: true, transport: always(429, xmlType, fault("a:InternalServiceFault"))},
		{group: "18 throttled", name: "by status", code: tebra.Throttled, reason: "status", sent: true, transport: always(429, "text/plain", canary)},
		{group: "40 write without effect", name: "reported", op: "DeleteAppointment", code: tebra.NotFound, sent: true, body: responseTo("DeleteAppointment", noError+authorized+"<AppointmentId>900001</AppointmentId><Deleted>false</Deleted>")},
		{group: "40 write without effect", name: "no identifier", op: "CreateAppointment", code: tebra.Malformed, reason: "id", sent: true, body: responseTo("CreateAppointment", noError+authorized+`<Appointment i:nil="true"/>`)},
		{group: "40 write without effect", name: "no record", op: "UpdateAppointment", code: tebra.Malformed, reason: "id", sent: true, body: responseTo("UpdateAppointment", noError+authorized+`<Appointment i:nil="true"/>`)},
		{group: "40 write without effect", name: "identifier 0", op: "UpdateAppointment", code: tebra.Malformed, reason: "id", sent: true, body: responseTo("UpdateAppointment", noError+authorized+`<Appointment><AppointmentId>0</AppointmentId></Appointment>`)},
		{group: "40 write without effect", name: "another identifier", op: "UpdatePatient", code: tebra.Malformed, reason: "id", sent: true, body: responseTo("UpdatePatient", noError+authorized+"<PatientID>1002</PatientID>")},
		{group: "40 write without effect", name: "no error flag", op: "UpdateAppointmentStatus", code: tebra.Malformed, reason: "payload", sent: true, body: responseTo("UpdateAppointmentStatus", authorized)},
	}
}

// malformed is a badResponse with the code Malformed.
func malformed(group, name, reason, body string) badResponse {
	return badResponse{group: group, name: name, code: tebra.Malformed, reason: reason, sent: true, body: body}
}

func malformedDocuments() []badResponse {
	row := "<AppointmentData><ID>1</ID></AppointmentData>"
	endless := func(group, name, reason, prefix, text string) badResponse {
		return badResponse{group: group, name: name, code: tebra.Malformed, reason: reason, sent: true, transport: streamed(prefix, text)}
	}
	wide := utf16.Encode([]rune("\ufeff" + appointments(row)))
	utf16le := make([]byte, 0, 2*len(wide))
	for _, u := range wide {
		utf16le = append(utf16le, byte(u), byte(u>>8))
	}
	return []badResponse{
		malformed("21 root", "unknown", "operation", envelopeOpen+"<X/>"+envelopeClose),
		malformed("21 root", "namespace without the slash", "operation", strings.ReplaceAll(appointments(row), "api/schemas/", "api/schemas")),
		malformed("22 another operation's result", "", "operation", strings.ReplaceAll(appointments(row), "GetAppointmentsResult", "GetPatientResult")),
		malformed("23 two envelopes", "", "trailing", appointments(row)+appointments(row)),
		malformed("24 document type", "entity", "doctype", `<!DOCTYPE x [<!ENTITY a "`+canary+`">]>`+appointments(row)),
		malformed("24 document type", "external", "doctype", `<!DOCTYPE x SYSTEM "http://elsewhere.example.test/x.dtd">`+appointments(row)),
		malformed("25 nested 20,000 deep", "", "depth", appointments(strings.Repeat("<AppointmentData>", 20_000))),
		endless("26 endless siblings", "in a result", "namespace", listHead+"</Appointments>", "<x xmlns=''/>"),
		endless("26 endless siblings", "in a row", "size", listHead+"<AppointmentData>", "<x>1</x>"),
		{group: "26 endless siblings", name: "rows", transport: streamed(listHead, row)},
		endless("27 endless body", "text", "token", listHead+"<AppointmentData><Notes>", "a"),
		endless("27 endless body", "text in pieces", "token", listHead+"<AppointmentData><Notes>", strings.Repeat("a", 1000)+"<!-- -->"),
		endless("27 endless body", "attributes", "token", listHead+"<AppointmentData", ` a="1"`),
		endless("27 endless body", "attributes after a quoted bracket", "token", listHead+`<AppointmentData a=">" b='"'`, ` a=""`),
		endless("27 endless body", "one comment", "token", listHead+"<!-- > ", "-> <a> "),
		endless("27 endless body", "comments", "size", listHead, "<!-- -->"),
		{group: "28 gzip bomb", code: tebra.Malformed, reason: "token", sent: true, serve: claimGzip(gzipBomb)},
		{group: "29 invalid gzip", code: tebra.Unavailable, reason: "cut", sent: true, serve: claimGzip(func(w io.Writer) { _, _ = io.WriteString(w, appointments(row)) })},
		malformed("30 encoding", "UTF-16", "encoding", string(utf16le)),
		{group: "30 encoding", name: "Latin-1", body: appointmentRow("<Notes>\xe9</Notes>")},
		{group: "30 encoding", name: "NUL", body: appointmentRow("<Notes>\x00</Notes>")},
		{group: "30 encoding", name: "control", body: appointmentRow("<Notes>\x01</Notes>")},
		{group: "30 encoding", name: "byte order mark", body: "\xef\xbb\xbf" + appointments(row)},
		{group: "31 text in pieces", op: "GetThrottles", body: responseTo("GetThrottles", noError+authorized+"<ThrottleDetails><ThrottleDetail><Endpoint>Get<![CDATA[Patient]]></Endpoint><ThrottleTimeMs>2<!-- x -->5<![CDATA[0]]></ThrottleTimeMs></ThrottleDetail></ThrottleDetails>")},
		{group: "31 text in pieces", name: "with brackets", body: appointmentRow("<ID>1</ID><!-- " + strings.Repeat("a < b > c - ", 1000) + "--><Notes><![CDATA[" + strings.Repeat("39 < 40 ] ", 1000) + "]]></Notes>")},
		malformed("32 missing", "list", "payload", responseTo("GetAppointments", noError+authorized)),
		{group: "32 missing", name: "nil and empty members", body: appointmentRow(`<EndDate/><ID>1</ID><StartDate i:nil="true"/>`)},
		{group: "32 missing", name: "number", op: "GetThrottles", body: responseTo("GetThrottles", noError+authorized+"<ThrottleDetails><ThrottleDetail><Endpoint>GetPatient</Endpoint><ThrottleTimeMs/></ThrottleDetail></ThrottleDetails>")},
		{group: "37 pages", name: "next key repeated", op: "GetAllPatients", code: tebra.Malformed, reason: "key", sent: true, body: responseTo("GetAllPatients", noError+authorized+"<Key><nextStartKey>1001</nextStartKey></Key><Patients><PatientBatchData/></Patients>")},
		{group: "37 pages", name: "next key decreasing", op: "GetAllPatients", code: tebra.Malformed, reason: "key", sent: true, body: responseTo("GetAllPatients", noError+authorized+"<Key><nextStartKey>7</nextStartKey></Key><Patients><PatientBatchData/></Patients>")},
		{group: "37 pages", name: "full, without a next key", op: "GetAllPatients.two", code: tebra.Malformed, reason: "key", sent: true, body: responseTo("GetAllPatients", noError+authorized+"<Patients><PatientBatchData><ID>1</ID></PatientBatchData><PatientBatchData><ID>2</ID></PatientBatchData></Patients>")},
		{group: "37 pages", name: "full, and the last", op: "GetAllPatients.two", body: responseTo("GetAllPatients", noError+authorized+"<Key><nextStartKey/></Key><Patients><PatientBatchData><ID>1</ID></PatientBatchData><PatientBatchData><ID>2</ID></PatientBatchData></Patients>")},
		{group: "37 pages", name: "endless", op: "GetAllPatients", code: tebra.Malformed, reason: "key", sent: true, transport: streamed(allHead, "<PatientBatchData><ID>1</ID></PatientBatchData>")},
		{group: "37 pages", name: "endless after a key", op: "GetAllPatients", code: tebra.Malformed, reason: "key", sent: true, transport: streamed(strings.Replace(allHead, "<Patients>", "<Key><nextStartKey>9000</nextStartKey></Key><Patients>", 1), "<PatientBatchData><ID>1</ID></PatientBatchData>")},
		{group: "37 pages", name: "next key is not a number", op: "GetAllPatients", code: tebra.Malformed, reason: "key", sent: true, body: responseTo("GetAllPatients", noError+authorized+"<Key><nextStartKey>"+canary+"</nextStartKey></Key><Patients/>")},
	}
}

func unusualRows() []badResponse {
	all := []badResponse{
		{group: "33 dates", name: "30 February", body: appointmentStarting("2/30/2026 9:00:00 AM")},
		{group: "33 dates", name: "24 o'clock", body: appointmentStarting("2/24/2026 24:00:00")},
		{group: "33 dates", name: "year 20266", body: appointmentStarting("2/24/20266 9:00:00 AM")},
		{group: "33 dates", name: "European", body: appointmentStarting("24/2/2026 9:00:00 AM")},
		{group: "33 dates", name: "words", body: appointmentStarting(canary)},
		{group: "33 dates", name: "birth date in 1080", op: "GetPatient", body: responseTo("GetPatient", noError+authorized+"<Patient><DOB>7/4/1080 12:00:00 AM</DOB><ID>1001</ID></Patient>")},
		{group: "33 dates", name: "birth date of 30 February", op: "GetPatient", body: responseTo("GetPatient", noError+authorized+"<Patient><DOB>2/30/1980</DOB><ID>1001</ID></Patient>")},
		{group: "33 dates", name: "start of a single appointment", op: "GetAppointment", code: tebra.Malformed, reason: "date", sent: true, body: responseTo("GetAppointment", noError+authorized+"<Appointment><AppointmentId>900001</AppointmentId><StartTime>"+canary+"</StartTime></Appointment>")},
		{group: "33 dates", name: "none", body: appointmentStarting("0001-01-01T00:00:00")},
		{group: "33 dates", name: "in the gap of the time change", body: appointmentStarting("3/8/2026 2:30:00 AM")},
		{group: "34 identifiers", name: "in two rows", body: appointments("<AppointmentData><ID>1</ID></AppointmentData><AppointmentData><ID>1</ID><Notes>x</Notes></AppointmentData>")},
		{group: "35 another record", name: "patient", op: "GetPatient", code: tebra.Merged, reason: "", sent: true, body: responseTo("GetPatient", noError+authorized+"<Patient><FirstName>"+canary+"</FirstName><ID>1002</ID></Patient>")},
		{group: "35 another record", name: "appointment", op: "GetAppointment", code: tebra.Malformed, reason: "id", sent: true, body: responseTo("GetAppointment", noError+authorized+"<Appointment><AppointmentId>900002</AppointmentId></Appointment>")},
		{group: "36 unknown status", body: appointmentRow("<ConfirmationStatus>seen BY md </ConfirmationStatus><ID>1</ID>")},
		{group: "38 old row", body: appointmentRow("<ID>1</ID><LastModifiedDate>1/1/1990 9:00:00 AM</LastModifiedDate>")},
		{group: "39 names", name: "XML special characters", body: appointmentRow("<ID>1</ID><PatientFullName>]]&gt; &lt;script&gt; &#x202E; 🙂</PatientFullName>")},
		{group: "39 names", name: "note of one megabyte", body: appointmentRow("<ID>1</ID><Notes>" + strings.Repeat("n", 1<<20) + "</Notes>")},
	}
	all = append(all, badResponse{group: "34 identifiers", name: "two in one row", body: appointmentRow("<ID>1</ID><ID>2</ID>")})
	for name, id := range map[string]string{"0": "0", "signed": "+5", "padded": "007", "negative": "-1", "2^63": "9223372036854775808", "float": "1.5", "words": canary} {
		all = append(all, badResponse{group: "34 identifiers", name: name, body: appointmentRow("<ID>" + id + "</ID>")},
			badResponse{group: "34 identifiers", name: name + ", of a single patient", op: "GetPatient", code: tebra.Malformed, reason: "id", sent: true, body: responseTo("GetPatient", noError+authorized+"<Patient><ID>"+id+"</ID></Patient>")})
	}
	return all
}
