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

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/tasks"
)

// problems has the status of each code that the API returns, and the text of its page under
// /problems. The meaning of the code is its title.
var problems = map[codes.Code]struct {
	status int
	page   string
}{
	codes.MalformedBody:         {400, "A body is one JSON object in UTF-8. It has only the members that the route takes, each at most once and of the right type."},
	codes.MalformedQuery:        {400, "A query has only the parameters that the route takes, each at most once and in the right format."},
	codes.UnknownKind:           {400, "The document at /openapi.json lists the kinds that may be enqueued."},
	codes.InvalidArguments:      {400, "The detail names the invalid argument, or lists those that the kind takes."},
	codes.InvalidTime:           {400, "A time has the format 2026-03-02T18:00:00-06:00, is not in the past, and is at most a year ahead."},
	codes.InvalidIdempotencyKey: {400, "An Idempotency-Key has 1 to 200 printable ASCII characters."},
	codes.InvalidCursor:         {400, "Last-Event-ID is the id of an event from this API, or absent."},
	codes.Unauthenticated:       {401, "Send Authorization: Bearer KEY with a key that the gateway's operator issued."},
	codes.NotFound:              {404, "It does not exist, or the key has no access to it."},
	codes.MethodNotAllowed:      {405, "The Allow header lists the methods of the path."},
	codes.BodyTooSlow:           {408, "Send the whole body at once."},
	codes.IdempotencyKeyReused:  {409, "Nothing was enqueued. Use a new key for each request."},
	codes.BodyTooLarge:          {413, "A body has at most 64 KiB."},
	codes.URLTooLong:            {414, "A path with its query has at most 2 KiB."},
	codes.UnsupportedMediaType:  {415, "Send application/json in UTF-8, without an encoding."},
	codes.TooManyRequests:       {429, "The request had no effect. Send it again after the seconds in Retry-After."},
	codes.TooManyStreams:        {429, "No stream was opened. Close unused streams, or try again later."},
	codes.Internal:              {500, "The gateway logged it. The request is not at fault."},
	codes.Cold:                  {503, "A task with priority reads it from the vendor, unless the key has demanded too much in the last seconds. Send the request again after the seconds in Retry-After. With a stale_reason the practice cannot be read until an operator has corrected that."},
	codes.Unavailable:           {503, "The request may have taken effect; sending it again is safe."},
	codes.Draining:              {503, "Send the request again; another process will handle it."},
}

// problem is an error as clients see it, in the format of RFC 9457. It repeats nothing of the
// request.
type problem struct {
	Type   string     `json:"type" doc:"Path of a page that explains the code." example:"/problems/not_found"`
	Title  string     `json:"title" doc:"The meaning of the code, in one line."`
	Status int        `json:"status" doc:"The HTTP status." example:"404"`
	Code   codes.Code `json:"code" doc:"The cause, for programs. A code never changes its meaning." example:"not_found"`
	Detail string     `json:"detail,omitempty" doc:"More about this occurrence, for people. It repeats nothing of the request."`
	Reason codes.Code `json:"stale_reason,omitempty" doc:"Why the vendor cannot be asked for data that is not cached: practice_not_listed or practice_denied. Absent if it can. The header Data-Stale-Reason has it too."`

	retryAfter time.Duration
	cause      error
}

// fail returns the problem of a code. The detail may be empty.
func fail(c codes.Code, detail string) *problem {
	p := problems[c]
	return &problem{Type: problemPath + string(c), Title: title(c), Status: p.status, Code: c, Detail: detail}
}

// title returns the meaning of a code as a sentence without a full stop.
func title(c codes.Code) string {
	meaning := c.Meaning()
	return strings.ToUpper(meaning[:1]) + meaning[1:]
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
	if p.Reason != "" {
		h.Set("Data-Stale-Reason", string(p.Reason))
	}
	if p.Code == codes.Unauthenticated {
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
		return fail(codes.InvalidArguments, err.Error()) // names the member and holds no value: see tasks.Args
	case errors.Is(err, tasks.ErrReused):
		return fail(codes.IdempotencyKeyReused, "")
	case errors.Is(err, context.Canceled):
		return fail(codes.Unavailable, "").withCause(err) // the client has gone and reads no response
	}
	// All other errors come from Redis or the ledger.
	return fail(codes.Unavailable, "").withRetryAfter(time.Second).withCause(err)
}

// huma builds its own errors with this function alone. Of what huma reports about a request, only
// the name of a known parameter is kept.
func init() {
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError {
		for _, err := range errs {
			d, _ := errors.AsType[*huma.ErrorDetail](err)
			switch {
			case d == nil:
			case d.Location == "query.date":
				return fail(codes.MalformedQuery, "date must be a day in the format 2006-01-02")
			case strings.HasPrefix(d.Location, "query"):
				return fail(codes.MalformedQuery, "")
			case d.Location == "header.Idempotency-Key":
				return fail(codes.InvalidIdempotencyKey, "")
			}
		}
		if status >= http.StatusInternalServerError {
			return fail(codes.Internal, "").withCause(errors.Join(errs...))
		}
		return fail(codes.MalformedBody, "")
	}
}

// problemPath is the path of the pages that explain codes.
const problemPath = "/problems/"

// serveProblemPage serves the page that explains a code.
func serveProblemPage(w http.ResponseWriter, r *http.Request) {
	code := codes.Code(r.PathValue("code"))
	p, ok := problems[code]
	if !ok {
		writeProblem(w, fail(codes.NotFound, ""))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "%d\n\n%s.\n%s\n", p.status, title(code), p.page) //nolint:gosec // plain text of the table of problems
}

// writeProblem sends a problem as the response.
func writeProblem(w http.ResponseWriter, p *problem) {
	h := w.Header()
	maps.Copy(h, p.GetHeaders())
	h.Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = jsonFormat.Marshal(w, p) // it fails only if the client has gone
}
