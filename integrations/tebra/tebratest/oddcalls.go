package tebratest

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// The oddities of calls. About one call in a hundred has each, and Rule.Odd gives one to chosen
// calls.
const (
	OddHTMLDenial      Oddity = "html-denial"
	OddHTMLSignIn      Oddity = "html-sign-in"
	OddHTMLAsXML       Oddity = "html-as-xml"
	OddJSON            Oddity = "json"
	OddRedirect        Oddity = "redirect"
	OddAccepted        Oddity = "accepted"
	OddNoContent       Oddity = "no-content"
	OddRetryAfter      Oddity = "retry-after"
	OddRetryAfterDate  Oddity = "retry-after-date"
	OddDeadlock        Oddity = "deadlock"
	OddDatabaseTimeout Oddity = "database-timeout"
	OddOverload        Oddity = "overload"
)

// OddMergedPatient is looked up where patients are read.
const OddMergedPatient Oddity = "merged-patient"

// retryAfter is what responses with a Retry-After header ask for.
const retryAfter = 2 * time.Second

const deniedPage = "<html><body><h1>Access denied</h1></body></html>"

// callOddities are rows of the table of oddities.
var callOddities = []oddity{
	{
		OddityInfo: OddityInfo{OddHTMLDenial, "the response is HTTP 403 with an HTML page, as from a firewall before the vendor"},
		call:       inFront(http.StatusForbidden, htmlType, deniedPage, nil),
	},
	{
		OddityInfo: OddityInfo{OddHTMLSignIn, "the response is HTTP 401 with an HTML page, as from a proxy that requires a sign-in"},
		call:       inFront(http.StatusUnauthorized, htmlType, deniedPage, map[string]string{"WWW-Authenticate": `Basic realm="proxy"`}),
	},
	{
		OddityInfo: OddityInfo{OddHTMLAsXML, "the response is HTTP 200 with an HTML page that is labeled as XML"},
		call:       inFront(http.StatusOK, xmlType, "<!DOCTYPE html>\n"+deniedPage, nil),
	},
	{
		OddityInfo: OddityInfo{OddJSON, "the response is HTTP 200 with JSON"},
		call:       inFront(http.StatusOK, "application/json", `{"error":"upstream"}`, nil),
	},
	{
		OddityInfo: OddityInfo{OddRedirect, "the response is a redirect to a sign-in page"},
		call:       inFront(http.StatusFound, htmlType, deniedPage, map[string]string{"Location": "https://sign-in.example.test/"}),
	},
	{
		OddityInfo: OddityInfo{OddAccepted, "the response is HTTP 202 without a body"},
		call:       inFront(http.StatusAccepted, "", "", nil),
	},
	{
		OddityInfo: OddityInfo{OddNoContent, "the response is HTTP 204"},
		call:       inFront(http.StatusNoContent, "", "", nil),
	},
	{
		OddityInfo: OddityInfo{OddRetryAfter, "the response is HTTP 503 with Retry-After in seconds"},
		call:       inFront(http.StatusServiceUnavailable, htmlType, deniedPage, map[string]string{"Retry-After": strconv.Itoa(int(retryAfter.Seconds()))}),
	},
	{
		OddityInfo: OddityInfo{OddRetryAfterDate, "the response is HTTP 503 with Retry-After as a date"},
		call: func(x *exchange) Outcome {
			return inFront(http.StatusServiceUnavailable, htmlType, deniedPage, map[string]string{
				"Retry-After": time.Now().Add(retryAfter).UTC().Format(http.TimeFormat),
			})(x)
		},
	},
	{
		OddityInfo: OddityInfo{OddDeadlock, "the response is the error of a deadlock in the vendor's database"},
		call:       troubled("Transaction (Process ID 64) was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction."),
	},
	{
		OddityInfo: OddityInfo{OddDatabaseTimeout, "the response is the error of a statement that took too long in the vendor's database"},
		call:       troubled("Timeout expired. The timeout period elapsed prior to completion of the operation or the server is not responding."),
	},
	{
		OddityInfo: OddityInfo{OddOverload, "the response is the error of a server that is too busy"},
		call:       troubled("The server is too busy. Please try again later."),
	},
	{OddityInfo: OddityInfo{OddMergedPatient, "GetPatient returns another patient for one patient in twenty, as after a merge of the two"}},
}

const (
	xmlType  = "text/xml; charset=utf-8"
	htmlType = "text/html; charset=utf-8"
)

// inFront responds as something between the caller and the vendor does.
func inFront(status int, media, body string, header map[string]string) func(x *exchange) Outcome {
	return func(x *exchange) Outcome {
		for name, value := range header {
			x.w.Header().Set(name, value)
		}
		if media != "" {
			x.w.Header().Set("Content-Type", media)
		}
		x.w.WriteHeader(status)
		_, _ = x.w.Write([]byte(body)) // an error means that the caller has gone
		return OutcomeOdd
	}
}

// troubled responds with a business error, before the vendor has checked the credentials.
func troubled(text string) func(x *exchange) Outcome {
	return func(x *exchange) Outcome { return x.reply(businessError(text), OutcomeOdd) }
}

// oddCall returns the oddity that this call has, or the zero oddity. Each oddity of calls has its
// turn once in every oddEvery calls.
func (s *Server) oddCall(rule Rule) oddity {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rule.Fault == FaultOdd {
		return callOddities[slices.IndexFunc(callOddities, func(o oddity) bool { return o.Name == rule.Odd })]
	}
	s.calls++
	for _, o := range s.odd {
		if o.call != nil && s.calls%oddEvery == s.turn(o.Name) {
			return o
		}
	}
	return oddity{}
}

// turn returns which one of oddEvery calls has an oddity. The seed decides which one is first in
// the table; the others follow at equal distances, so that no two have the same turn.
func (s *Server) turn(name Oddity) uint64 {
	i := slices.IndexFunc(callOddities, func(o oddity) bool { return o.Name == name })
	return (s.drawn("", "call") + uint64(i*(oddEvery/len(callOddities)))) % oddEvery
}

// isCallOddity reports whether the oddity is one of calls.
func isCallOddity(o Oddity) bool {
	return slices.ContainsFunc(callOddities, func(c oddity) bool { return c.Name == o && c.call != nil })
}

// MergePatients merges a patient into another one, or returns ErrNotFound. The visits of the first
// on days that were already generated are the second's from now on, lists of patients lack the
// first, and GetPatient returns the second for the number of the first. How the vendor handles
// merged patients is unknown.
func (c *Clinic) MergePatients(from, into string) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	n, ok := c.patientIndex(from)
	survivor, ok2 := c.patientIndex(into)
	if !ok || !ok2 || n == survivor {
		return ErrNotFound
	}
	c.merged[n] = survivor
	p := c.patient(survivor)
	for _, v := range c.visits {
		if v.PatientID == from {
			c.edit(v, func(v *Visit) { v.PatientID, v.Patient = p.ID, p.Name() })
		}
	}
	return nil
}

// isMerged reports whether a patient was merged into another one. The caller holds the server's
// lock.
func (c *Clinic) isMerged(n int) bool {
	_, ok := c.merged[n]
	return ok
}

// survivor returns the patient that a patient was merged into, or the patient itself. The caller
// holds the server's lock.
func (c *Clinic) survivor(n int) int {
	if c.isMerged(n) {
		return c.merged[n]
	}
	if id := c.patient(n).ID; c.patients > 1 && c.server.isOdd(OddMergedPatient) && c.server.drawn(OddMergedPatient, id)%20 == 0 {
		return (n + 1) % c.patients
	}
	return n
}
