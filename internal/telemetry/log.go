package telemetry

import (
	"context"
	"log/slog"
	"reflect"

	"go.opentelemetry.io/otel/trace"
)

// NewLogHandler returns a handler that passes to inner what the vocabulary allows. Keys outside the
// vocabulary are written with "[dropped]" for a value, and counted. Values of other types than
// numbers, times, bools, strings and errors are dropped too, since a printed struct may hold
// anything. Lines written inside a span carry its IDs: as Cloud Logging reads them when project
// names a Google Cloud project, else as trace_id and span_id.
func NewLogHandler(inner slog.Handler, project string) slog.Handler {
	return &filter{inner: inner, project: project}
}

// filter passes the keys of the vocabulary and drops the values of all others. Groups are
// flattened, because the name of a group does not restrict the values of its members.
type filter struct {
	inner   slog.Handler
	project string
	lost    int // values dropped from the attributes that every line carries
}

func (f *filter) Enabled(ctx context.Context, l slog.Level) bool { return f.inner.Enabled(ctx, l) }

func (f *filter) Handle(ctx context.Context, r slog.Record) error {
	attrs := make([]slog.Attr, 0, r.NumAttrs()+3)
	total := f.lost
	r.Attrs(func(a slog.Attr) bool {
		var lost int
		attrs, lost = clean(attrs, a)
		total += lost
		return true
	})
	countDropped(ctx, total)
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		attrs = append(attrs, f.traceAttrs(span)...)
	}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	out.AddAttrs(attrs...)
	return f.inner.Handle(ctx, out)
}

func (f *filter) WithAttrs(attrs []slog.Attr) slog.Handler {
	kept := make([]slog.Attr, 0, len(attrs))
	total := f.lost
	for _, a := range attrs {
		var lost int
		kept, lost = clean(kept, a)
		total += lost
	}
	return &filter{inner: f.inner.WithAttrs(kept), project: f.project, lost: total}
}

func (f *filter) WithGroup(string) slog.Handler { return f }

func (f *filter) traceAttrs(span trace.SpanContext) []slog.Attr {
	if f.project == "" {
		return []slog.Attr{
			slog.String("trace_id", span.TraceID().String()),
			slog.String("span_id", span.SpanID().String()),
		}
	}
	return []slog.Attr{
		slog.String("logging.googleapis.com/trace", "projects/"+f.project+"/traces/"+span.TraceID().String()),
		slog.String("logging.googleapis.com/spanId", span.SpanID().String()),
		slog.Bool("logging.googleapis.com/trace_sampled", span.IsSampled()),
	}
}

// clean appends the attribute to kept in the form in which it may be written, the members of a
// group one by one. It also returns the number of dropped values.
func clean(kept []slog.Attr, a slog.Attr) ([]slog.Attr, int) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		total := 0
		for _, member := range v.Group() {
			var lost int
			kept, lost = clean(kept, member)
			total += lost
		}
		return kept, total
	}
	if a.Key == "" {
		return kept, 0
	}
	if v, ok := vocabulary[a.Key].logValue(v); ok {
		return append(kept, slog.Attr{Key: a.Key, Value: v}), 0
	}
	return append(kept, slog.String(foreignKey(a.Key), dropped)), 1
}

// foreignKey returns the key under which a dropped value is logged. A key that is not a word may be
// made of data, and a key that slog itself writes would appear twice; both become "key".
func foreignKey(key string) string {
	switch key {
	case slog.TimeKey, slog.LevelKey, slog.MessageKey, slog.SourceKey, "severity", "message":
		return "key"
	}
	if word.clean(key) == invalid {
		return "key"
	}
	return key
}

// logValue returns the value in the form that the spelling allows; false means that it must not be
// written at all. Types defined on strings and numbers pass as strings and numbers: a secret text
// has resolved to its mask before.
func (s spelling) logValue(v slog.Value) (slog.Value, bool) {
	if s == unknown {
		return v, false
	}
	switch v.Kind() {
	case slog.KindString:
		return s.logString(v.String()), true
	case slog.KindBool, slog.KindInt64, slog.KindUint64, slog.KindFloat64, slog.KindTime:
		return v, s != ref && s != alias
	case slog.KindDuration:
		return slog.StringValue(v.Duration().String()), s == figure
	default:
		return s.logAny(v.Any())
	}
}

func (s spelling) logString(value string) slog.Value {
	return slog.StringValue(s.clean(value))
}

func (s spelling) logAny(v any) (slog.Value, bool) {
	if err, ok := v.(error); ok {
		return s.logString(err.Error()), s == prose
	}
	switch rv := reflect.ValueOf(v); {
	case rv.Kind() == reflect.String:
		return s.logString(rv.String()), true
	case rv.CanInt() && s == figure:
		return slog.Int64Value(rv.Int()), true
	default:
		return slog.Value{}, false
	}
}
