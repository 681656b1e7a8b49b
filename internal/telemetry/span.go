package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// SpanName is the kind of work that a span measures. The names are closed: a name made at run time
// could hold anything, and no backend could group by it. The zero value is a span named "unknown".
type SpanName int

// The spans of Rounds.
const (
	// SpanRequest is an HTTP request to the gateway.
	SpanRequest SpanName = iota + 1
	// SpanEnqueue is a producer adding tasks to the queue.
	SpanEnqueue
	// SpanTask is one attempt of one task.
	SpanTask
	// SpanVendor is one call of the vendor, including the decoding of its answer.
	SpanVendor
	// SpanCacheFill is a write of one entry.
	SpanCacheFill
	// SpanInvalidate is the script that makes entries stale and appends the event.
	SpanInvalidate
	// SpanView is the assembly of a view from documents.
	SpanView
)

var spans = map[SpanName]struct {
	name string
	kind trace.SpanKind
}{
	SpanRequest:    {"http.request", trace.SpanKindServer},
	SpanEnqueue:    {"task.enqueue", trace.SpanKindProducer},
	SpanTask:       {"task.work", trace.SpanKindConsumer},
	SpanVendor:     {"vendor.call", trace.SpanKindClient},
	SpanCacheFill:  {"cache.fill", trace.SpanKindClient},
	SpanInvalidate: {"cache.invalidate", trace.SpanKindClient},
	SpanView:       {"view.build", trace.SpanKindInternal},
}

// String returns the name that is exported.
func (n SpanName) String() string {
	if s, ok := spans[n]; ok {
		return s.name
	}
	return "unknown"
}

// Span is one timed piece of work. Start never returns nil. Without an exporter its methods do
// nothing. End it once, normally by defer.
type Span struct{ span trace.Span }

// Start starts a span and returns a context that carries it. The span is a child of the span in
// ctx, or follows from what [Extract] or [Link] put there.
func Start(ctx context.Context, name SpanName, attrs ...Attr) (context.Context, *Span) {
	opts := []trace.SpanStartOption{
		trace.WithSpanKind(spans[name].kind),
		trace.WithAttributes(keyValues(attrs)...),
	}
	if origin, ok := ctx.Value(linkKey{}).(trace.SpanContext); ok && origin.IsValid() {
		opts = append(opts, trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: origin}))
		ctx = context.WithValue(ctx, linkKey{}, nil)
	}
	ctx, span := from(ctx).tracer.Start(ctx, name.String(), opts...)
	return ctx, &Span{span}
}

// Set adds attributes that become known during the work. A later value of the same key replaces the
// earlier one.
func (s *Span) Set(attrs ...Attr) { s.span.SetAttributes(keyValues(attrs)...) }

// End ends the span. An empty code means success. Any other code marks the span as failed and
// becomes its attribute "code". An error's text is never recorded.
func (s *Span) End(code string) {
	if code != "" {
		a := Code(code)
		s.span.SetAttributes(a.kv)
		s.span.SetStatus(codes.Error, a.kv.Value.AsString())
	}
	s.span.End()
}

// header is the only header that Inject writes. W3C's tracestate and baggage are omitted on
// purpose: both may carry data of a foreign caller, and a task's headers are stored in Redis
// unsealed.
const header = "traceparent"

var w3c propagation.TraceContext

// Inject writes the span in ctx into headers as a W3C traceparent. Without a span in ctx it changes
// nothing. headers must not be nil.
func Inject(ctx context.Context, headers map[string]string) {
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	if parent, ok := carrier[header]; ok {
		headers[header] = parent
	}
}

// Extract returns a context whose next span is a child of the span that [Inject] wrote into
// headers. Missing or malformed headers change nothing: a task must not fail because of its trace.
func Extract(ctx context.Context, headers map[string]string) context.Context {
	origin := carried(headers)
	if !origin.IsValid() {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, origin)
}

// Link returns a context whose next span starts a new trace with a link to the span in headers. It
// is for work that runs long after its demand and would otherwise stretch the demand's trace over
// hours.
func Link(ctx context.Context, headers map[string]string) context.Context {
	origin := carried(headers)
	if !origin.IsValid() {
		return ctx
	}
	return context.WithValue(ctx, linkKey{}, origin)
}

// linkKey is the context key of the span that the next Start links to.
type linkKey struct{}

func carried(headers map[string]string) trace.SpanContext {
	carrier := propagation.MapCarrier{header: headers[header]}
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), carrier))
}
