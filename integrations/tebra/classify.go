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
type response struct {
	ctxErr       error  // how the context ended, nil while it had not
	transportErr error  // what the transport said instead of an answer
	sent         bool   // the vendor may have seen the request
	status       int    // HTTP status
	mediaType    string // media type, lower case, without parameters
	meta         metadata
	decodeErr    error // why the body could not be read to its end as this operation's answer
	bytes        int64
	rows         int // records read

	headerless bool // the operation's answers have no error part
}

// classify is the only place that decides what an answer means. The order matters. A status that names the trouble comes
// before a fault, which stands for many. A throttle text comes before everything that looks like an outage, or is one of a
// fault's many meanings, and before the security part: the vendor may not have looked at the credentials when it throttles.
func (r *response) classify() (code Code, reason string) {
	meta := &r.meta
	switch {
	case errors.Is(r.ctxErr, context.DeadlineExceeded):
		return Timeout, ""
	case r.ctxErr != nil:
		return Canceled, ""
	case r.transportErr != nil:
		return classifyTransport(r.transportErr)
	case r.status == http.StatusTooManyRequests:
		return Throttled, "status"
	case r.status == http.StatusUnauthorized:
		return Unauthenticated, "status"
	case r.status == http.StatusForbidden:
		return Denied, "status"
	case (meta.faultCode != "" || meta.isError) && r.decodeErr == nil && isThrottleText(meta.message):
		return Throttled, throttleReason(meta)
	case meta.faultCode != "" && r.decodeErr == nil:
		return classifyFault(meta.faultCode)
	case r.status >= 300 && r.status < 400:
		return Malformed, "redirect"
	case r.status == http.StatusNotFound, r.status == http.StatusProxyAuthRequired,
		r.status == http.StatusRequestTimeout, r.status >= 500:
		return Unavailable, "status" // the address or the way to it; a missing record is never said by status
	case r.status >= 400:
		return Invalid, "status"
	case r.status != http.StatusOK:
		return Malformed, "status"
	case r.mediaType == "text/html":
		return Unavailable, "html"
	case r.mediaType != "" && !isXML(r.mediaType):
		return Malformed, "media"
	case errors.Is(r.decodeErr, errTruncated):
		return Unavailable, "cut"
	case r.decodeErr != nil:
		return Malformed, malformedReason(r.decodeErr)
	case meta.security.badKey:
		return Unauthenticated, "key"
	case meta.security.unauthenticated:
		return Unauthenticated, ""
	case meta.security.unauthorized:
		return Denied, ""
	case meta.isError:
		return classifyMessage(meta.message)
	case !meta.hasPayload, !meta.hasErrorFlag && r.rows == 0 && !r.headerless:
		return Malformed, "payload" // nothing is believed to be nothing when the vendor does not say that all is well
	}
	return "", ""
}

// faultWord tells a throttle text in a fault from one in an answer.
func throttleReason(meta *metadata) string {
	if meta.faultCode != "" {
		return "fault"
	}
	return ""
}

// interval is the spacing that a throttle answer names, 0 when there is none.
func (r *response) interval() time.Duration { return throttleInterval(r.meta.message) }

func isThrottleText(message string) bool {
	after, ok := strings.CutPrefix(strings.TrimSpace(message), "429")
	return ok && (after == "" || after[0] < '0' || after[0] > '9') ||
		strings.Contains(strings.ToLower(message), "requested more than allowed")
}

// worded reads a business error. The texts are those that integrators report; the vendor documents none.
func classifyMessage(message string) (Code, string) {
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
		if isMissingRecord(text) {
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
func isMissingRecord(text string) bool {
	has := func(part string) bool { return strings.Contains(text, part) }
	return (has("patient") || has("appointment")) && !slices.ContainsFunc(
		[]string{"practice", "provider", "location", "resource", "reason", "case", "customer", "permission"}, has)
}

// faulted reads a SOAP fault. InternalServiceFault is what an outage looks like; a few bad requests look the same, and
// nothing in the answer tells which.
func classifyFault(code string) (Code, string) {
	switch code {
	case "InternalServiceFault", "Server":
		return Unavailable, "fault"
	case "DeserializationFailed", "ActionNotSupported", "Client", "VersionMismatch", "MustUnderstand":
		return Invalid, "fault"
	}
	return Unknown, "fault"
}

// broken reads what the transport said. The words tell an operator where to look.
func classifyTransport(err error) (Code, string) {
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
func neverConnected(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial"
}

func malformedReason(err error) string {
	if s, ok := errors.AsType[malformedError](err); ok {
		return string(s)
	}
	return "shape"
}

func isXML(mediaType string) bool {
	return mediaType == "text/xml" || mediaType == "application/xml" || mediaType == "application/soap+xml"
}
