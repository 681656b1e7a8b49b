package tebra_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

const xmlType = "text/xml; charset=utf-8"

func security(authenticated, authorized, key bool) string {
	return fmt.Sprintf("<SecurityResponse><Authenticated>%t</Authenticated><Authorized>%t</Authorized>"+
		"<CustomerKeyValid>%t</CustomerKeyValid></SecurityResponse>", authenticated, authorized, key)
}

const placeholder = "<Appointments><AppointmentData/></Appointments>"

// The table contains the known and conceivable responses of the vendor and of intermediaries to a
// list request.
func TestResponsesAreClassified(t *testing.T) {
	t.Parallel()
	row := "<AppointmentData><ID>1</ID><PatientFullName>" + canary + "</PatientFullName></AppointmentData>"
	throttle := "429: GetAppointments endpoint requested more than allowed over time interval 1000 milliseconds. Please wait to try again."
	tests := []struct {
		name   string
		status int
		media  string
		body   string
		code   tebra.Code
		reason string
	}{
		{"rows", 200, xmlType, appointments(row), "", ""},
		{"placeholder", 200, xmlType, appointments("<AppointmentData/>"), "", ""},
		{"no media type", 200, "", appointments(row), "", ""},
		{"error text without error", 200, xmlType, responseTo("GetAppointments", "<ErrorResponse><ErrorMessage>Success</ErrorMessage><IsError>false</IsError></ErrorResponse>"+authorized+placeholder), "", ""},
		{"no security part", 200, xmlType, responseTo("GetAppointments", noError+placeholder), "", ""},
		{"declaration, comment, space", 200, xmlType, `<?xml version="1.0" encoding="utf-8"?><!-- x -->` + "\n" + appointments("\n"+row+"\n") + "\n<!-- y -->", "", ""},
		{"unknown member", 200, xmlType, appointments("<AppointmentData><Future><Deep>1</Deep></Future><ID>1</ID></AppointmentData>"), "", ""},
		{"nested known member", 200, xmlType, appointments("<AppointmentData><ID><Deep>1</Deep></ID></AppointmentData>"), "", ""},

		{"throttled", 200, xmlType, businessError(throttle), tebra.Throttled, ""},
		{"throttled without number", 200, xmlType, businessError("429: slow down"), tebra.Throttled, ""},
		{"number that starts with 429", 200, xmlType, businessError("4291 is " + canary), tebra.Unknown, ""},
		{"throttled before the credentials were checked", 200, xmlType, responseTo("GetAppointments", "<ErrorResponse><ErrorMessage>"+throttle+"</ErrorMessage><IsError>true</IsError></ErrorResponse>"+security(false, false, false)), tebra.Throttled, ""},
		{"status 429", 429, "text/plain", "slow down " + canary, tebra.Throttled, "status"},
		{"bad password", 200, xmlType, responseTo("GetAppointments", noError+security(false, true, true)+placeholder), tebra.Unauthenticated, ""},
		{"bad key", 200, xmlType, responseTo("GetAppointments", noError+security(true, true, false)+placeholder), tebra.Unauthenticated, "key"},
		{"bad password by text", 200, xmlType, businessError("Invalid user name and/or password"), tebra.Unauthenticated, ""},
		{"bad key by text", 200, xmlType, businessError("Invalid customer key"), tebra.Unauthenticated, "key"},
		{"no permission", 200, xmlType, responseTo("GetAppointments", noError+security(true, false, true)+placeholder), tebra.Denied, ""},
		{"practice not accessible", 200, xmlType, businessError("User is not authorized for Practice " + canary), tebra.Denied, "practice"},
		{"null reference", 200, xmlType, businessError("Object reference not set to an instance of an object"), tebra.Invalid, ""},
		{"translation error", 200, xmlType, businessError("Error translating AppointmentCreate to CreateAppointmentV3Request"), tebra.Invalid, ""},
		{"unknown business error and data", 200, xmlType, businessError("Patient " + canary + " is odd"), tebra.Unknown, ""},

		{"error and an invalid row", 200, xmlType, strings.Replace(businessError(throttle), "<AppointmentData/>", "<AppointmentData><StartDate>soon</StartDate></AppointmentData>", 1), tebra.Throttled, ""},

		{"no error after an error", 200, xmlType, responseTo("GetAppointments", "<ErrorResponse><IsError>true</IsError><IsError>false</IsError></ErrorResponse>"+authorized+placeholder), tebra.Malformed, "repeated"},
		{"two error parts", 200, xmlType, responseTo("GetAppointments", "<ErrorResponse><IsError>true</IsError></ErrorResponse>"+noError+authorized+placeholder), tebra.Malformed, "repeated"},
		{"two security parts", 200, xmlType, responseTo("GetAppointments", noError+security(false, true, true)+authorized+placeholder), tebra.Malformed, "repeated"},
		{"two lists", 200, xmlType, responseTo("GetAppointments", noError+authorized+placeholder+placeholder), tebra.Malformed, "repeated"},
		{"unknown members, repeated", 200, xmlType, responseTo("GetAppointments", noError+authorized+strings.Repeat("<Extra><Deep/></Extra>", 99)+placeholder), "", ""},

		{"outage", 500, xmlType, fault("a:InternalServiceFault"), tebra.Unavailable, "fault"},
		{"fault inside 200", 200, xmlType, fault("a:InternalServiceFault"), tebra.Unavailable, "fault"},
		{"fault without prefix", 500, xmlType, fault("InternalServiceFault"), tebra.Unavailable, "fault"},
		{"deserialization", 500, xmlType, fault("a:DeserializationFailed"), tebra.Invalid, "fault"},
		{"throttled by a fault", 500, xmlType, faultWithText("a:InternalServiceFault", throttle), tebra.Throttled, "fault"},
		{"throttled by a client fault", 500, xmlType, faultWithText("s:Client", "429: slow down "+canary), tebra.Throttled, "fault"},
		{"429 with a fault", 429, xmlType, fault("a:InternalServiceFault"), tebra.Throttled, "status"},
		{"401 with a fault", 401, xmlType, fault("s:Client"), tebra.Unavailable, "status"},
		{"403 with a fault", 403, xmlType, fault("a:InternalServiceFault"), tebra.Unavailable, "status"},
		{"fault with two codes", 500, xmlType, strings.Replace(fault("a:InternalServiceFault"), "<detail>", "<faultcode>s:Client</faultcode><detail>", 1), tebra.Unavailable, "status"},
		{"wrong action", 500, xmlType, fault("a:ActionNotSupported"), tebra.Invalid, "fault"},
		{"unknown fault", 500, xmlType, fault("a:" + canary), tebra.Unknown, "fault"},
		{"fault without code", 200, xmlType, envelopeOpen + "<s:Fault/>" + envelopeClose, tebra.Malformed, "fault"},
		{"SOAP 1.2 fault", 500, xmlType, `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><e:Fault/></e:Body></e:Envelope>`, tebra.Unavailable, "status"},
		{"truncated fault", 500, xmlType, fault("a:InternalServiceFault")[:140], tebra.Unavailable, "status"},

		{"503 HTML", 503, "text/html", "<html>" + canary, tebra.Unavailable, "status"},
		{"502 HTML", 502, "text/html", "<html>", tebra.Unavailable, "status"},
		{"504 empty", 504, "", "", tebra.Unavailable, "status"},
		{"200 HTML", 200, "text/html; charset=utf-8", "<html>" + canary + "</html>", tebra.Unavailable, "html"},
		{"200 HTML labeled as XML", 200, xmlType, "<html><body>" + canary + "</body></html>", tebra.Unavailable, "html"},
		{"200 HTML with a document type", 200, xmlType, "\n<!DocType HTML><html>" + canary, tebra.Unavailable, "html"},
		{"200 HTML with a bare attribute", 200, xmlType, "<html lang=en><body>" + canary, tebra.Unavailable, "html"},
		{"200 HTML with an attribute without value", 200, xmlType, "<html amp>" + canary, tebra.Unavailable, "html"},
		{"200 HTML with a broken attribute", 200, xmlType, "<HTML title=it's><p>" + canary, tebra.Unavailable, "html"},
		{"200 HTML with a prefix", 200, xmlType, `<h:html xmlns:h="http://www.w3.org/1999/xhtml"/>`, tebra.Unavailable, "html"},
		{"200 HTML without its root", 200, xmlType, "<head><title>" + canary, tebra.Unavailable, "html"},
		{"200 HTML body alone", 200, xmlType, "<!-- x --><body onload='if(1<2)'>" + canary, tebra.Unavailable, "html"},
		{"200 HTML text alone", 200, xmlType, "<center><h1>502 Bad Gateway</h1></center>", tebra.Unavailable, "html"},
		{"200 HTML in a few bytes", 200, xmlType, "<p>", tebra.Unavailable, "html"},
		{"200 HTML document type on two lines", 200, xmlType, "<!DOCTYPE\r\n\thtml PUBLIC>" + canary, tebra.Unavailable, "html"},
		{"200 HTML document type with spaces", 200, xmlType, "<!doctype  HTML>" + canary, tebra.Unavailable, "html"},
		{"200 other XML", 200, xmlType, "<bodies><p/></bodies>", tebra.Malformed, "envelope"},
		{"200 JSON", 200, "application/json", `{"x":"` + canary + `"}`, tebra.Unavailable, "media"},
		{"200 JSON labeled as XML", 200, xmlType, `{"x":"` + canary + `"}`, tebra.Unavailable, "text"},
		{"200 empty", 200, xmlType, "", tebra.Unavailable, "cut"},
		{"202", 202, xmlType, appointments(row), tebra.Unavailable, "status"},
		{"204", 204, "", "", tebra.Unavailable, "status"},
		{"301", 301, "text/html", canary, tebra.Unavailable, "redirect"},
		{"302", 302, "", "", tebra.Unavailable, "redirect"},
		{"308", 308, xmlType, appointments(row), tebra.Unavailable, "redirect"},
		{"400", 400, "text/plain", canary, tebra.Unavailable, "status"},
		{"400 without a media type", 400, "", canary, tebra.Unavailable, "status"},
		{"400 empty", 400, "", "", tebra.Unavailable, "status"},
		{"400 XML", 400, "application/xml", "<Error><Message>" + canary + "</Message></Error>", tebra.Unavailable, "status"},
		{"400 HTML labeled as XML", 400, xmlType, "<center>" + canary, tebra.Unavailable, "status"},
		{"400 truncated", 400, xmlType, appointments(row)[:500], tebra.Unavailable, "status"},
		{"400 SOAP", 400, xmlType, appointments(row), tebra.Invalid, "status"},
		{"400 fault", 400, xmlType, fault("s:Client"), tebra.Invalid, "fault"},
		{"405", 405, "", "", tebra.Unavailable, "status"},
		{"410", 410, "text/plain", canary, tebra.Unavailable, "status"},
		{"413", 413, "text/plain", canary, tebra.Unavailable, "status"},
		{"421", 421, "", canary, tebra.Unavailable, "status"},
		{"425", 425, "", "", tebra.Unavailable, "status"},
		{"451", 451, "", "", tebra.Unavailable, "status"},
		{"400 HTML", 400, "text/html", canary, tebra.Unavailable, "html"},
		{"400 JSON", 400, "application/json", canary, tebra.Unavailable, "media"},
		{"401", 401, "", "", tebra.Unavailable, "status"},
		{"403", 403, "text/html", canary, tebra.Unavailable, "status"},
		{"404", 404, "text/html", canary, tebra.Unavailable, "status"},
		{"407", 407, "", "", tebra.Unavailable, "status"},
		{"408", 408, "", "", tebra.Unavailable, "status"},
		{"415", 415, "", "", tebra.Unavailable, "status"},
		{"500 with a valid response", 500, xmlType, appointments(row), tebra.Unavailable, "status"},

		{"truncated in a row", 200, xmlType, appointments(row)[:500], tebra.Unavailable, "cut"},
		{"truncated before the last tag", 200, xmlType, strings.TrimSuffix(appointments(row), "</s:Envelope>"), tebra.Unavailable, "cut"},
		{"truncated in a tag", 200, xmlType, strings.TrimSuffix(appointments(row), "lope>"), tebra.Unavailable, "cut"},
		{"another operation", 200, xmlType, responseTo("GetPatient", noError+authorized+"<Patient><ID>1</ID></Patient>"), tebra.Malformed, "operation"},
		{"result of another operation", 200, xmlType, strings.ReplaceAll(appointments(row), "GetAppointmentsResult", "GetPatientResult"), tebra.Malformed, "operation"},
		{"namespace without slash", 200, xmlType, strings.ReplaceAll(appointments(row), "api/schemas/", "api/schemas"), tebra.Malformed, "operation"},
		{"rows in the other namespace", 200, xmlType, appointments(`<AppointmentData xmlns="http://www.kareo.com/api/schemas"><ID>1</ID></AppointmentData>`), "", ""},
		{"members in the other namespace", 200, xmlType, appointments(`<AppointmentData><ID xmlns="http://www.kareo.com/api/schemas">1</ID></AppointmentData>`), "", ""},
		{"rows with another name", 200, xmlType, appointments("<PatientData><ID>1</ID></PatientData>"), "", ""},
		{"no list", 200, xmlType, responseTo("GetAppointments", noError+authorized), tebra.Malformed, "payload"},
		{"empty body", 200, xmlType, envelopeOpen + envelopeClose, tebra.Malformed, "body"},
		{"no body", 200, xmlType, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>`, tebra.Malformed, "body"},
		{"two bodies", 200, xmlType, strings.Replace(appointments(row), "</s:Body>", "</s:Body><s:Body/>", 1), tebra.Malformed, "body"},
		{"two envelopes", 200, xmlType, appointments(row) + appointments(row), tebra.Malformed, "trailing"},
		{"text after the envelope", 200, xmlType, appointments(row) + canary, tebra.Malformed, "trailing"},
		{"DOCTYPE", 200, xmlType, `<!DOCTYPE x [<!ENTITY a "` + canary + `">]>` + appointments(row), tebra.Malformed, "doctype"},
		{"entity", 200, xmlType, appointments("<AppointmentData><ID>&a;</ID></AppointmentData>"), "", ""},
		{"character in a tag", 200, xmlType, appointments("<AppointmentData><No\x01tes/></AppointmentData>"), tebra.Malformed, "syntax"},
		{"instruction", 200, xmlType, `<?php x?>` + appointments(row), tebra.Malformed, "instruction"},
		{"too deep", 200, xmlType, appointments(strings.Repeat("<AppointmentData>", 20_000)), tebra.Malformed, "depth"},
		{"too deep in a skipped element", 200, xmlType, responseTo("GetAppointments", noError+"<Extra>"+strings.Repeat("<x>", 20_000)), tebra.Malformed, "depth"},
		{"too large", 200, xmlType, appointments(strings.Repeat(row, 5000)), tebra.Malformed, "size"},
		{"mismatched tags", 200, xmlType, strings.Replace(appointments(row), "</ID>", "</IP>", 1), tebra.Malformed, "syntax"},
		{"Latin-1 labeled as UTF-8", 200, xmlType, appointments("<AppointmentData><Notes>\xe9</Notes></AppointmentData>"), "", ""},
		{"UTF-16 declared", 200, xmlType, `<?xml version="1.0" encoding="utf-16"?>` + appointments(row), "", ""},
		{"NUL", 200, xmlType, appointments("<AppointmentData><Notes>\x00</Notes></AppointmentData>"), "", ""},
		{"invalid IsError", 200, xmlType, strings.Replace(appointments(row), "<IsError>false", "<IsError>perhaps", 1), tebra.Malformed, "boolean"},
		{"invalid date", 200, xmlType, appointments("<AppointmentData><ID>1</ID><StartDate>2/30/2026 9:00:00 AM</StartDate></AppointmentData>"), "", ""},
		{"text between rows", 200, xmlType, appointments(row + canary + row), "", ""},
		{"text between parts", 200, xmlType, responseTo("GetAppointments", noError+canary+authorized+placeholder), tebra.Malformed, "text"},
		{"replaced characters between parts", 200, xmlType, responseTo("GetAppointments", noError+"\v&#xB;\xff"+authorized+placeholder), "", ""},
		{"placeholder without IsError", 200, xmlType, responseTo("GetAppointments", authorized+placeholder), tebra.Malformed, "payload"},
		{"only rows set aside, without IsError", 200, xmlType, responseTo("GetAppointments", authorized+"<Appointments><Row/></Appointments>"), tebra.Malformed, "payload"},
		{"row without IsError", 200, xmlType, responseTo("GetAppointments", authorized+"<Appointments>"+row+"</Appointments>"), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := &gate{}
			var seen []tebra.Observation
			c := newClient(t, always(tt.status, tt.media, tt.body), func(o *tebra.Options) {
				o.Gate = g
				o.MaxBytes = 256 << 10
				o.Observe = observeInto(&seen)
			})
			list, err := c.Appointments.List(t.Context(), oneDay())
			if len(g.outcomes) != 1 || g.outcomes[0].Code != tt.code || g.outcomes[0].NotSent || g.outcomes[0].Void {
				t.Errorf("outcomes %+v, want one sent with code %q", g.outcomes, tt.code)
			}
			if len(seen) != 1 || seen[0].Code != tt.code || seen[0].Reason != tt.reason || !seen[0].Sent || seen[0].Attempts != 1 {
				t.Errorf("observed %+v, want one with code %q (%s)", seen, tt.code, tt.reason)
			}
			if tt.code == "" {
				if err != nil {
					t.Fatalf("error %v, want none", err)
				}
				return
			}
			if list.Rows != nil || list.Partial {
				t.Error("rows returned with an error")
			}
			var e *tebra.Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v, want a *tebra.Error", err)
			}
			if e.Code != tt.code || e.Reason != tt.reason || e.Status != tt.status || !e.Sent {
				t.Errorf("got %s (%s) status %d sent %t, want %s (%s)", e.Code, e.Reason, e.Status, e.Sent, tt.code, tt.reason)
			}
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", *e), fmt.Sprintf("%+v %+v", seen, g.outcomes)} {
				if strings.Contains(text, canary) || strings.Contains(text, "key-1") {
					t.Errorf("text contains data of the response or credentials: %s", text)
				}
			}
		})
	}
}

func TestThrottleIntervalReachesTheGate(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]time.Duration{
		"429: GetAppointments endpoint requested more than allowed over time interval 1000 milliseconds. Please wait to try again.": time.Second,
		"429: X endpoint requested more than allowed over time interval 250 ms.":                                                    250 * time.Millisecond,
		"429: wait 5 seconds.":                        5 * time.Second,
		"429: wait 99999999999999999999 milliseconds": 0,
		"429: wait 100000 seconds":                    0,
		"429: wait -5 seconds":                        0,
		"429 milliseconds":                            429 * time.Millisecond,
		" 429":                                        0,
		"429: please wait":                            0,
	} {
		g := &gate{}
		c := newClient(t, always(200, xmlType, businessError(message)), func(o *tebra.Options) { o.Gate = g })
		_, err := c.Appointments.List(t.Context(), oneDay())
		var e *tebra.Error
		if !errors.As(err, &e) || e.Code != tebra.Throttled || e.Interval != want || g.outcomes[0].Interval != want {
			t.Errorf("%q: error %+v, outcomes %+v, want interval %v", message, e, g.outcomes, want)
		}
	}
}

func TestInterruptedBodyIsUnavailable(t *testing.T) {
	t.Parallel()
	half := strings.NewReader(appointments("<AppointmentData><ID>1</ID></AppointmentData>")[:400])
	c := newClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
		return respond(200, xmlType, io.MultiReader(half, iotest.ErrReader(syscall.ECONNRESET))), nil
	}), nil)
	_, err := c.Appointments.List(t.Context(), oneDay())
	if !errors.Is(err, &tebra.Error{Code: tebra.Unavailable, Operation: "GetAppointments"}) {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestTransportErrorsAreClassified(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		reason string
		sent   bool
	}{
		{"refused", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "dial", false},
		{"no such host", &net.DNSError{Err: "no such host", Name: canary, IsNotFound: true}, "dns", false},
		{"reset", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, "connection", true},
		{"closed", io.ErrUnexpectedEOF, "connection", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // unsent requests are retried for 2 s
				c := newClient(t, roundTripper(func(*http.Request) (*http.Response, error) { return nil, tt.err }), nil)
				_, err := c.Appointments.List(t.Context(), oneDay())
				var e *tebra.Error
				if !errors.As(err, &e) || e.Code != tebra.Unavailable || e.Reason != tt.reason || e.Sent != tt.sent {
					t.Fatalf("got %+v, want unavailable (%s) sent %t", e, tt.reason, tt.sent)
				}
				if strings.Contains(fmt.Sprintf("%#v %v", *e, errors.Unwrap(err)), canary) {
					t.Error("error keeps the text of the transport")
				}
			})
		})
	}
}
