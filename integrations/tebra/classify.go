package tebra

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// answer is all that one attempt brought back. classify makes one verdict of it.
type answer struct {
	ended  error  // how the context ended, nil while it had not
	broken error  // what the transport said instead of an answer
	sent   bool   // the vendor may have seen the request
	status int    // HTTP status
	media  string // media type, lower case, without parameters
	reply  reply
	shape  error // why the body could not be read to its end as this operation's answer
	bytes  int64
	rows   int // records read

	headless bool // the operation's answers have no error part
}

// classify is the only place that decides what an answer means. The order matters. A status that names the trouble comes
// before a fault, which stands for many. A throttle text comes before everything that looks like an outage, or is one of a
// fault's many meanings, and before the security part: the vendor may not have looked at the credentials when it throttles.
func (a *answer) classify() (code Code, reason string) {
	rep := &a.reply
	switch {
	case errors.Is(a.ended, context.DeadlineExceeded):
		return Timeout, ""
	case a.ended != nil:
		return Canceled, ""
	case a.broken != nil:
		return broken(a.broken)
	case a.status == http.StatusTooManyRequests:
		return Throttled, "status"
	case a.status == http.StatusUnauthorized:
		return Unauthenticated, "status"
	case a.status == http.StatusForbidden:
		return Denied, "status"
	case (rep.fault != "" || rep.isError) && a.shape == nil && throttled(rep.message):
		return Throttled, faultWord(rep)
	case rep.fault != "" && a.shape == nil:
		return faulted(rep.fault)
	case a.status >= 300 && a.status < 400:
		return Malformed, "redirect"
	case a.status == http.StatusNotFound, a.status == http.StatusProxyAuthRequired,
		a.status == http.StatusRequestTimeout, a.status >= 500:
		return Unavailable, "status" // the address or the way to it; a missing record is never said by status
	case a.status >= 400:
		return Invalid, "status"
	case a.status != http.StatusOK:
		return Malformed, "status"
	case a.media == "text/html":
		return Unavailable, "html"
	case a.media != "" && !isXML(a.media):
		return Malformed, "media"
	case errors.Is(a.shape, errCut):
		return Unavailable, "cut"
	case a.shape != nil:
		return Malformed, shapeWord(a.shape)
	case rep.security.badKey:
		return Unauthenticated, "key"
	case rep.security.unauthenticated:
		return Unauthenticated, ""
	case rep.security.unauthorized:
		return Denied, ""
	case rep.isError:
		return worded(rep.message)
	case !rep.payload, !rep.judged && a.rows == 0 && !a.headless:
		return Malformed, "payload" // nothing is believed to be nothing when the vendor does not say that all is well
	}
	return "", ""
}

// faultWord tells a throttle text in a fault from one in an answer.
func faultWord(rep *reply) string {
	if rep.fault != "" {
		return "fault"
	}
	return ""
}

// interval is the spacing that a throttle answer names, 0 when there is none.
func (a *answer) interval() time.Duration { return throttleInterval(a.reply.message) }

func throttled(message string) bool {
	after, ok := strings.CutPrefix(strings.TrimSpace(message), "429")
	return ok && (after == "" || after[0] < '0' || after[0] > '9') ||
		strings.Contains(strings.ToLower(message), "requested more than allowed")
}

// worded reads a business error. The texts are those that integrators report; the vendor documents none.
func worded(message string) (Code, string) {
	text := strings.ToLower(message)
	has := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case has("invalid user name"), has("unable to find user"):
		return Unauthenticated, ""
	case has("invalid customer key"):
		return Unauthenticated, "key"
	case has("not authorized for practice"):
		return Denied, "practice"
	case has("not authorized"):
		return Denied, ""
	case has("object reference not set"), has("error translating"), has("must have valid"):
		return Invalid, ""
	case has("not found"), has("unable to find"), has("does not exist"):
		if goneRecord(text) {
			return NotFound, "text"
		}
		return Invalid, "text" // a practice, a provider, a case: what the request refers to
	case has("already"), has("conflict"):
		return Conflict, "text"
	case has("required"), has("not valid"), has("invalid"):
		return Invalid, "text"
	}
	return Unknown, ""
}

// goneRecord reports that a text in small letters, which says that something was not found, says it of a patient or an
// appointment and of nothing else: what is gone is forgotten.
func goneRecord(text string) bool {
	has := func(part string) bool { return strings.Contains(text, part) }
	return (has("patient") || has("appointment")) && !slices.ContainsFunc(
		[]string{"practice", "provider", "location", "resource", "reason", "case", "customer", "permission"}, has)
}

// faulted reads a SOAP fault. InternalServiceFault is what an outage looks like; a few bad requests look the same, and
// nothing in the answer tells which.
func faulted(code string) (Code, string) {
	switch code {
	case "InternalServiceFault", "Server":
		return Unavailable, "fault"
	case "DeserializationFailed", "ActionNotSupported", "Client", "VersionMismatch", "MustUnderstand":
		return Invalid, "fault"
	}
	return Unknown, "fault"
}

// broken reads what the transport said. The words tell an operator where to look.
func broken(err error) (Code, string) {
	var dns *net.DNSError
	var op *net.OpError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var cert *tls.CertificateVerificationError
	var host x509.HostnameError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return Unavailable, "dns"
	case errors.As(err, &cert), errors.As(err, &alert), errors.As(err, &record), errors.As(err, &host):
		return Unavailable, "tls"
	case errors.As(err, &op) && op.Op == "dial":
		return Unavailable, "dial"
	case op != nil && (op.Op == "remote error" || op.Op == "local error"): // what crypto/tls calls an alert
		return Unavailable, "tls"
	case errors.As(err, &timeout) && timeout.Timeout():
		return Timeout, "transport"
	}
	return Unavailable, "connection"
}

// undialled reports that err comes from before there was a connection, so nothing was sent.
func undialled(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

func shapeWord(err error) string {
	if s, ok := errors.AsType[shapeError](err); ok {
		return string(s)
	}
	return "shape"
}

func isXML(media string) bool {
	return media == "text/xml" || media == "application/xml" || media == "application/soap+xml"
}
