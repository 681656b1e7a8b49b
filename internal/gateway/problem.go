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

// code names a kind of error. A released one keeps its meaning: clients decide by it.
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

// problems says what each code means: its status, its title, and what the page below /problems tells.
var problems = map[code]struct {
	status      int
	title, page string
}{
	codeBody:            {400, "The body is not what it must be", "A body is one JSON object in UTF-8 with the members that the route takes, each at most once and of its type."},
	codeQuery:           {400, "The query is not what it must be", "A query has the parameters that the route takes, each at most once and of its form."},
	codeKind:            {400, "There is no such kind of task", "The document at /openapi.json lists the kinds that may be asked for."},
	codeArguments:       {400, "The arguments do not fit the kind", "The detail says which of them, or which there have to be."},
	codeTime:            {400, "The time is not usable", "A time is of the form 2026-03-02T18:00:00-06:00, has not passed, and lies within a year."},
	codeIdempotency:     {400, "The idempotency key is not usable", "An Idempotency-Key has 1 to 200 printable ASCII characters."},
	codeCursor:          {400, "The cursor is not usable", "Last-Event-ID is the id of an event of this API, or left out."},
	codeUnauthenticated: {401, "A key is missing or not known", "Send Authorization: Bearer KEY with a key that this gateway knows."},
	codeNotFound:        {404, "There is no such thing", "Nothing of this name exists that the key may see."},
	codeMethod:          {405, "The method is not allowed", "The header Allow lists the methods of the path."},
	codeSlowBody:        {408, "The body took too long", "Send the whole body at once."},
	codeReused:          {409, "The idempotency key was used for another demand", "Nothing was enqueued. Give each demand a key of its own."},
	codeLarge:           {413, "The body is too large", "A body has at most 64 KiB."},
	codeLongURL:         {414, "The URL is too long", "A path with its query has at most 2 KiB."},
	codeMediaType:       {415, "The body is not plain JSON", "Send application/json in UTF-8, without an encoding."},
	codeRate:            {429, "Too many requests", "Retry-After says when to come back. Nothing was done."},
	codeStreams:         {429, "Too many streams", "Close streams that nobody reads, or wait. Nothing was done."},
	codeInternal:        {500, "Something is wrong here", "It is in the log, and no fault of the request."},
	codeCold:            {503, "Nothing is known of it yet", "The vendor is asked, urgently, unless the key has demanded a great deal just now. Retry-After says when to look again."},
	codeUnavailable:     {503, "Something that this needs does not answer", "The demand may have been taken; asking again is safe."},
	codeDraining:        {503, "This process is about to stop", "Ask again; another one answers."},
}

// problem is an error as a client sees it, in the form of RFC 9457. It holds nothing of the request.
type problem struct {
	Type   string `json:"type" doc:"Path of a page that explains the code." example:"/problems/not_found"`
	Title  string `json:"title" doc:"What the code means, in a line."`
	Status int    `json:"status" doc:"The HTTP status." example:"404"`
	Code   code   `json:"code" doc:"What went wrong, for programs. A code keeps its meaning." example:"not_found"`
	Detail string `json:"detail,omitempty" doc:"More about this case, for people. It repeats nothing of the request."`

	retryAfter time.Duration
	cause      error
}

// fail returns the problem of a code. The detail may be empty.
func fail(c code, detail string) *problem {
	p := problems[c]
	return &problem{Type: problemPath + string(c), Title: p.title, Status: p.status, Code: c, Detail: detail}
}

// withRetryAfter says when the request may be sent again.
func (p *problem) withRetryAfter(d time.Duration) *problem {
	p.retryAfter = d
	return p
}

// withCause keeps what caused it, for the log.
func (p *problem) withCause(err error) *problem {
	p.cause = err
	return p
}

// Error returns the code.
func (p *problem) Error() string { return string(p.Code) }

// Unwrap returns what caused it, or nil.
func (p *problem) Unwrap() error { return p.cause }

// GetStatus is how huma learns the status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType is how huma learns the media type.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders is how huma learns what stands in the header.
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

// problemOf turns any error of a handler into a problem.
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
		return fail(codeUnavailable, "").withCause(err) // nobody is there to read it
	}
	// What is left comes from Redis or the ledger.
	return fail(codeUnavailable, "").withRetryAfter(time.Second).withCause(err)
}

// huma makes its own errors by this function alone: of what it finds wrong with a request, the name of a parameter that we
// know is kept, and nothing else is.
func init() {
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError {
		for _, err := range errs {
			d, _ := errors.AsType[*huma.ErrorDetail](err)
			switch {
			case d == nil:
			case d.Location == "query.date":
				return fail(codeQuery, "date is not a day of the form 2006-01-02")
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

// problemPath is where the pages of problems are.
const problemPath = "/problems/"

// serveProblemPage serves the page of a code.
func serveProblemPage(w http.ResponseWriter, r *http.Request) {
	p, ok := problems[code(r.PathValue("code"))]
	if !ok {
		writeProblem(w, fail(codeNotFound, ""))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "%d\n\n%s.\n%s\n", p.status, p.title, p.page)
}

// writeProblem answers with a problem.
func writeProblem(w http.ResponseWriter, p *problem) {
	h := w.Header()
	maps.Copy(h, p.GetHeaders())
	h.Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = jsonFormat.Marshal(w, p) // whoever asked is gone when it fails
}
