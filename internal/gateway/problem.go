package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/workflow-bolt/rounds/tasks"
)

// code identifies a kind of error. Clients branch on it, so a released code keeps its meaning.
type code string

// The codes.
const (
	codeBody            code = "malformed_body"
	codeQuery           code = "malformed_query"
	codeKind            code = "unknown_kind"
	codeArguments       code = "invalid_arguments"
	codeTime            code = "invalid_time"
	codeIdempotency     code = "invalid_idempotency_key"
	codeCursor          code = "invalid_cursor"
	codeUnauthenticated code = "unauthenticated"
	codeNotFound        code = "not_found"
	codeMethod          code = "method_not_allowed"
	codeSlowBody        code = "body_too_slow"
	codeReused          code = "idempotency_key_reused"
	codeLarge           code = "body_too_large"
	codeLongURL         code = "url_too_long"
	codeMediaType       code = "unsupported_media_type"
	codeRate            code = "too_many_requests"
	codeStreams         code = "too_many_streams"
	codeInternal        code = "internal"
	codeCold            code = "cold"
	codeUnavailable     code = "unavailable"
	codeDraining        code = "draining"
)

// problems has each code's status, its title, and the text of its page under /problems.
var problems = map[code]struct {
	status      int
	title, page string
}{
	codeBody:            {400, "The body is malformed", "A body is one JSON object in UTF-8. It has only the members that the route takes, each at most once and of the right type."},
	codeQuery:           {400, "The query is malformed", "A query has only the parameters that the route takes, each at most once and in the right format."},
	codeKind:            {400, "The kind of task is unknown", "The document at /openapi.json lists the kinds that may be enqueued."},
	codeArguments:       {400, "The arguments are invalid for the kind", "The detail names the invalid argument, or lists those that the kind takes."},
	codeTime:            {400, "The time is invalid", "A time has the format 2026-03-02T18:00:00-06:00, is not in the past, and is at most a year ahead."},
	codeIdempotency:     {400, "The idempotency key is invalid", "An Idempotency-Key has 1 to 200 printable ASCII characters."},
	codeCursor:          {400, "The cursor is invalid", "Last-Event-ID is the id of an event from this API, or absent."},
	codeUnauthenticated: {401, "The API key is missing or unknown", "Send Authorization: Bearer KEY with a key that the gateway's operator issued."},
	codeNotFound:        {404, "The resource was not found", "It does not exist, or the key has no access to it."},
	codeMethod:          {405, "The method is not allowed", "The Allow header lists the methods of the path."},
	codeSlowBody:        {408, "The body took too long", "Send the whole body at once."},
	codeReused:          {409, "The idempotency key was used for another request", "Nothing was enqueued. Use a new key for each request."},
	codeLarge:           {413, "The body is too large", "A body has at most 64 KiB."},
	codeLongURL:         {414, "The URL is too long", "A path with its query has at most 2 KiB."},
	codeMediaType:       {415, "The body is not plain JSON", "Send application/json in UTF-8, without an encoding."},
	codeRate:            {429, "Too many requests", "The request had no effect. Send it again after the seconds in Retry-After."},
	codeStreams:         {429, "Too many streams", "No stream was opened. Close unused streams, or try again later."},
	codeInternal:        {500, "An internal error occurred", "The gateway logged it. The request is not at fault."},
	codeCold:            {503, "The data is not cached yet", "A task with priority reads it from the vendor, unless the key has demanded too much in the last seconds. Send the request again after the seconds in Retry-After."},
	codeUnavailable:     {503, "A service that the request needs does not answer", "The request may have taken effect; sending it again is safe."},
	codeDraining:        {503, "This process is shutting down", "Send the request again; another process will answer it."},
}

// problem is an error as clients see it, in the format of RFC 9457. It repeats nothing of the request.
type problem struct {
	Type   string `json:"type" doc:"Path of a page that explains the code." example:"/problems/not_found"`
	Title  string `json:"title" doc:"The meaning of the code, in one line."`
	Status int    `json:"status" doc:"The HTTP status." example:"404"`
	Code   code   `json:"code" doc:"The cause, for programs. A code never changes its meaning." example:"not_found"`
	Detail string `json:"detail,omitempty" doc:"More about this occurrence, for people. It repeats nothing of the request."`

	retryAfter time.Duration
	cause      error
}

// fail returns the problem of a code. The detail may be empty.
func fail(c code, detail string) *problem {
	p := problems[c]
	return &problem{Type: problemPath + string(c), Title: p.title, Status: p.status, Code: c, Detail: detail}
}

// withRetryAfter sets the delay after which the client may send the request again.
func (p *problem) withRetryAfter(d time.Duration) *problem {
	p.retryAfter = d
	return p
}

// withCause sets the cause, which goes to the log and never to the client.
func (p *problem) withCause(err error) *problem {
	p.cause = err
	return p
}

// Error returns the code.
func (p *problem) Error() string { return string(p.Code) }

// Unwrap returns the cause, or nil.
func (p *problem) Unwrap() error { return p.cause }

// GetStatus returns the HTTP status to huma.
func (p *problem) GetStatus() int { return p.Status }

// ContentType returns the media type to huma.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders returns the headers of the response to huma.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
	if p.Code == codeUnauthenticated {
		h.Set("WWW-Authenticate", `Bearer realm="rounds"`)
	}
	return h
}

// problemOf converts any error of a handler to a problem.
func problemOf(err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, tasks.ErrInvalid):
		return fail(codeArguments, err.Error()) // names the member and holds no value: see tasks.Args
	case errors.Is(err, tasks.ErrReused):
		return fail(codeReused, "")
	case errors.Is(err, context.Canceled):
		return fail(codeUnavailable, "").withCause(err) // the client has gone and reads no answer
	}
	// All other errors come from Redis or the ledger.
	return fail(codeUnavailable, "").withRetryAfter(time.Second).withCause(err)
}

// huma builds its own errors with this function alone. Of what huma reports about a request, only the
// name of a known parameter is kept.
func init() {
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError {
		for _, err := range errs {
			d, _ := errors.AsType[*huma.ErrorDetail](err)
			switch {
			case d == nil:
			case d.Location == "query.date":
				return fail(codeQuery, "date must be a day in the format 2006-01-02")
			case strings.HasPrefix(d.Location, "query"):
				return fail(codeQuery, "")
			case d.Location == "header.Idempotency-Key":
				return fail(codeIdempotency, "")
			}
		}
		if status >= http.StatusInternalServerError {
			return fail(codeInternal, "").withCause(errors.Join(errs...))
		}
		return fail(codeBody, "")
	}
}

// problemPath is the path of the pages that explain codes.
const problemPath = "/problems/"

// serveProblemPage serves the page that explains a code.
func serveProblemPage(w http.ResponseWriter, r *http.Request) {
	p, ok := problems[code(r.PathValue("code"))]
	if !ok {
		writeProblem(w, fail(codeNotFound, ""))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "%d\n\n%s.\n%s\n", p.status, p.title, p.page)
}

// writeProblem sends a problem as the response.
func writeProblem(w http.ResponseWriter, p *problem) {
	h := w.Header()
	maps.Copy(h, p.GetHeaders())
	h.Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = jsonFormat.Marshal(w, p) // it fails only if the client has gone
}
