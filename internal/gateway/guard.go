package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// Limits of one request.
const (
	maxBody = 64 << 10
	maxURL  = 2 << 10
	// MaxHeader is for the http.Server, which reads headers before it calls the gateway.
	MaxHeader = 16 << 10
	// requestTimeout bounds every request except streams.
	requestTimeout = 10 * time.Second
)

// ServeHTTP traces and counts one request, and passes it through the guard to its route.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt := g.route(r)
	began := time.Now()
	ctx := telemetry.Extract(r.Context(), map[string]string{"traceparent": r.Header.Get("Traceparent")})
	ctx, span := telemetry.Start(ctx, telemetry.SpanRequest, telemetry.Route(rt.name))
	a := &statusRecorder{ResponseWriter: w}
	defer func() {
		g.recoverPanic(ctx, rt, a, recover())
		span.Set(telemetry.Status(a.status))
		span.End(a.errorCode())
		if !rt.stream || a.status != http.StatusOK {
			telemetry.Answered(ctx, rt.name, a.status, time.Since(began))
		}
	}()
	h := w.Header()
	h.Set("Cache-Control", "no-store") // responses contain PHI
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if !g.beginRequest() {
		writeProblem(a, fail(codes.Draining, "").withRetryAfter(time.Second))
		return
	}
	defer g.running.Done()
	if !rt.stream {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, requestTimeout)
		defer cancel()
	}
	g.guard(a, r.WithContext(ctx), rt, span)
}

// guard refuses requests that must not reach a route. Cheap checks come first.
func (g *Gateway) guard(w *statusRecorder, r *http.Request, rt route, span *telemetry.Span) {
	if p := checkURL(r); p != nil {
		writeProblem(w, p)
		return
	}
	if rt.public {
		g.mux.ServeHTTP(w, r)
		return
	}
	c, p := g.authenticate(r)
	if p != nil {
		writeProblem(w, p)
		return
	}
	span.Set(telemetry.Caller(c.Name), telemetry.Tenant(c.Tenant.String()))
	joinLines(r.Header, "If-None-Match")
	g.serveCaller(w, r, rt, c)
}

// joinLines makes one line of a list header that came on several, which mean the same (RFC 9110,
// section 5.3). Routes read only the first line.
func joinLines(h http.Header, name string) {
	if lines := h.Values(name); len(lines) > 1 {
		h.Set(name, strings.Join(lines, ", "))
	}
}

// authenticate returns the caller of a request. Requests without a known key share one rate limit.
func (g *Gateway) authenticate(r *http.Request) (*caller, *problem) {
	if c := g.caller(r); c != nil {
		return c, nil
	}
	if !g.unauthenticated.Allow() {
		return nil, fail(codes.TooManyRequests, "").withRetryAfter(time.Second)
	}
	return nil, fail(codes.Unauthenticated, "")
}

// serveCaller applies the caller's limits, reads the body and calls the route.
func (g *Gateway) serveCaller(w http.ResponseWriter, r *http.Request, rt route, c *caller) {
	if !c.requests.Allow() {
		writeProblem(w, fail(codes.TooManyRequests, "").withRetryAfter(time.Second))
		return
	}
	if !rt.stream {
		if !c.acquire(&c.running, g.Limits.Concurrent) {
			writeProblem(w, fail(codes.TooManyRequests, "").withRetryAfter(time.Second))
			return
		}
		defer c.release(&c.running)
	}
	if rt.body {
		body, p := g.readBody(w, r)
		if p != nil {
			writeProblem(w, p)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	ctx := context.WithValue(r.Context(), callerKey{}, c)
	g.mux.ServeHTTP(w, r.WithContext(ctx))
}

// checkURL refuses URLs that routes could misread: too long, with an unclean path, or with a
// repeated query parameter. ServeMux would redirect an unclean path, in a response that repeats it.
func checkURL(r *http.Request) *problem {
	if len(r.RequestURI) > maxURL {
		return fail(codes.URLTooLong, "")
	}
	if p := r.URL.Path; p != path.Clean(p) {
		return fail(codes.NotFound, "")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fail(codes.MalformedQuery, "")
	}
	for _, values := range query {
		if len(values) > 1 {
			return fail(codes.MalformedQuery, "")
		}
	}
	return nil
}

// readBody returns the whole body, so that handlers never wait for a slow client.
func (g *Gateway) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") ||
		r.Header.Get("Content-Encoding") != "" {
		return nil, fail(codes.UnsupportedMediaType, "")
	}
	if r.ContentLength > maxBody {
		return nil, fail(codes.BodyTooLarge, "")
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.Limits.BodyTimeout)) // the server has a read deadline too
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	var slow net.Error
	switch {
	case errors.As(err, &large):
		return nil, fail(codes.BodyTooLarge, "")
	case errors.As(err, &slow) && slow.Timeout():
		return nil, fail(codes.BodyTooSlow, "")
	case err != nil || len(bytes.TrimSpace(body)) == 0:
		return nil, fail(codes.MalformedBody, "").withCause(err)
	}
	return body, nil
}

// recoverPanic logs a handler's panic and responds to the request. It does not log the panic's
// value, which may quote the data that the handler worked on.
func (g *Gateway) recoverPanic(ctx context.Context, rt route, a *statusRecorder, panicked any) {
	if panicked == nil {
		return
	}
	g.Logger.ErrorContext(ctx, "request panicked", "route", rt.name, "stack", string(debug.Stack()))
	if a.status == 0 {
		writeProblem(a, fail(codes.Internal, ""))
		return
	}
	a.status = http.StatusInternalServerError
}

// statusRecorder records the status of the response.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader ignores calls after the final status; informational statuses may precede it.
func (a *statusRecorder) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	if status >= http.StatusOK {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write sends the status 200 first if none was sent.
func (a *statusRecorder) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(p)
}

// errorCode returns the error code for the request's span, which is empty for a 4xx: those are the
// caller's errors.
func (a *statusRecorder) errorCode() string {
	switch {
	case a.status < http.StatusInternalServerError:
		return ""
	case a.status == http.StatusServiceUnavailable:
		return string(codes.Unavailable)
	}
	return string(codes.Internal)
}

// Unwrap lets http.ResponseController reach the server's writer.
func (a *statusRecorder) Unwrap() http.ResponseWriter { return a.ResponseWriter }
