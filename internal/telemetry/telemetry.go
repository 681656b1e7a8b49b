package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// scope names this module as the source of its spans and metrics.
const scope = "github.com/workflow-bolt/rounds"

// Telemetry records the spans and metrics of one process. Its zero value is not usable; call [New].
// It is safe for concurrent use.
type Telemetry struct {
	tracer   trace.Tracer
	metrics  *instruments
	unusable unusable
}

// New returns the telemetry that records to the providers, and to log what must not be a figure
// alone. A nil provider and a nil log record nothing. The caller shuts the providers down.
func New(traces trace.TracerProvider, metrics metric.MeterProvider, log *slog.Logger) (*Telemetry, error) {
	if traces == nil {
		traces = tracenoop.NewTracerProvider()
	}
	if metrics == nil {
		metrics = metricnoop.NewMeterProvider()
	}
	i, err := newInstruments(metrics.Meter(scope))
	if err != nil {
		return nil, err
	}
	return &Telemetry{tracer: traces.Tracer(scope), metrics: i, unusable: unusable{log: log}}, nil
}

// silent records nothing. Contexts without Telemetry use it.
var silent = mustNew()

func mustNew() *Telemetry {
	t, err := New(nil, nil, nil)
	if err != nil {
		panic(err) //nolint:forbidigo // an instrument has a wrong name; the first test finds it
	}
	return t
}

type contextKey struct{}

// With returns a context whose spans and metrics are recorded by t.
func With(ctx context.Context, t *Telemetry) context.Context {
	return context.WithValue(ctx, contextKey{}, t)
}

func from(ctx context.Context) *Telemetry {
	if t, ok := ctx.Value(contextKey{}).(*Telemetry); ok && t != nil {
		return t
	}
	return silent
}
