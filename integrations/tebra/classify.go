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

// response is everything that one attempt returned; classify reduces it to a code and a reason.
type response struct {
	ctxErr       error         // why the context ended; nil if it did not
	transportErr error         // the transport's error, if there was no response
	sent         bool          // the vendor may have seen the request
	late         bool          // the Pass did not allow the request any more
	status       int           // HTTP status
	mediaType    string        // media type, lower case, without parameters
	retryAfter   time.Duration // as the Retry-After header says; 0 if there is none
	meta         metadata
	decodeErr    error // why the body could not be decoded as this operation's response
	bytes        int64
	rows         int // records read
	found        int // of them, those with an identifier
	repaired     int // characters replaced
	unread       int // records with members that could not be read
	setAside     int // records that could not be read

	headerless bool // the operation's responses have no error and security part
}

// classify is the only place that decides what a response means. The order of the cases matters.
//
// Only SOAP speaks for the vendor: with status 200, or as a fault. Every other response is from
// something in between, such as a proxy, a firewall or a sign-in page, and means that the vendor
// cannot be reached; in particular, the statuses 401 and 403 say nothing about the login. A text
// that reports trouble at the vendor takes precedence over the other meanings of a fault and over
// the security part, because the vendor may not have checked the credentials.
func (r *response) classify() (code Code, reason string) {
	switch {
	case errors.Is(r.ctxErr, context.DeadlineExceeded):
		return Timeout, ""
	case r.ctxErr != nil:
		return Canceled, ""
	case r.transportErr != nil:
		return classifyTransport(r.transportErr)
	}
	if code, reason := r.classifyStatus(); code != "" {
		return code, reason
	}
	return r.classifyBody()
}

// classifyStatus classifies the HTTP status, faults and reports of trouble. It returns "" for a
// response whose meaning is in the body.
func (r *response) classifyStatus() (code Code, reason string) {
	meta := &r.meta
	switch {
	case r.status == http.StatusTooManyRequests:
		return Throttled, "status"
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden:
		return Unavailable, "status"
	case (meta.faultCode != "" || meta.isError || meta.security.refused()) && r.decodeErr == nil:
		if code, reason := classifyTrouble(meta); code != "" {
			return code, reason
		}
	}
	switch {
	case meta.faultCode != "" && r.decodeErr == nil:
		return classifyFault(meta.faultCode)
	case r.status >= 300 && r.status < 400:
		return Unavailable, "redirect"
	case r.status == http.StatusNotFound, r.status == http.StatusProxyAuthRequired,
		r.status == http.StatusRequestTimeout, r.status >= 500, r.status < 400 && r.status != http.StatusOK:
		// The address or the route to it; a missing record never has a status of its own.
		return Unavailable, "status"
	case r.mediaType == "text/html":
		return Unavailable, "html"
	case r.mediaType != "" && !isXML(r.mediaType) && r.mediaType != "text/plain":
		return Unavailable, "media"
	case r.status >= 400 && !r.isSOAP():
		return Unavailable, "status"
	case r.status >= 400:
		return Invalid, "status"
	}
	return "", ""
}

// isSOAP reports whether the body is a response of the operation, as only the vendor writes it.
func (r *response) isSOAP() bool {
	return r.decodeErr == nil && (r.mediaType == "" || isXML(r.mediaType))
}

// classifyBody classifies the content of a response with status 200. It returns "" for a success.
func (r *response) classifyBody() (code Code, reason string) {
	meta := &r.meta
	var foreign foreignError
	switch {
	case r.mediaType != "" && !isXML(r.mediaType):
		return Unavailable, "media"
	case errors.As(r.decodeErr, &foreign):
		return Unavailable, string(foreign)
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
	case !meta.hasPayload, !meta.hasErrorFlag && r.found == 0 && !r.headerless:
		return Malformed, "payload" // an empty response without IsError is not trusted
	}
	return "", ""
}

// isForeign reports whether a response that got this code and reason is not the vendor's. What else
// is Unavailable is a fault or a text of the vendor, or no whole response.
func (r *response) isForeign(code Code, reason string) bool {
	return code == Unavailable && r.meta.faultCode == "" && slices.Contains([]string{"status", "redirect", "html", "media", "text"}, reason)
}

// classifyMessage classifies the text of a business error that reports no trouble. The texts are
// those that integrators report; the vendor does not document any.
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
		return Invalid, "text" // a practice, provider or case that the request refers to
	case has("already"), has("conflict"), has("locked"):
		return Conflict, "text"
	case has("required"), has("not valid"), has("invalid"):
		return Invalid, "text"
	}
	return Unknown, ""
}

// isMissingRecord reports whether a lower-case "not found" text concerns a patient or an
// appointment and nothing else. The distinction matters because callers delete their data about a
// missing record.
func isMissingRecord(text string) bool {
	has := func(part string) bool { return strings.Contains(text, part) }
	return (has("patient") || has("appointment")) && !slices.ContainsFunc(
		[]string{"practice", "provider", "location", "resource", "reason", "case", "customer", "permission"}, has)
}

// classifyFault classifies a SOAP fault. InternalServiceFault usually means an outage. Some bad
// requests cause it too, and the response does not distinguish them.
func classifyFault(code string) (Code, string) {
	switch code {
	case "InternalServiceFault", "Server":
		return Unavailable, "fault"
	case "DeserializationFailed", "ActionNotSupported", "Client", "VersionMismatch", "MustUnderstand":
		return Invalid, "fault"
	}
	return Unknown, "fault"
}

// classifyTransport classifies a transport error. The reason shows operators where to look.
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
	// crypto/tls reports alerts with these operations.
	case op != nil && (op.Op == "remote error" || op.Op == "local error"):
		return Unavailable, "tls"
	case errors.As(err, &timeout) && timeout.Timeout():
		return Timeout, "transport"
	}
	return Unavailable, "connection"
}

// neverConnected reports whether err occurred before there was a connection, so that nothing was
// sent.
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
