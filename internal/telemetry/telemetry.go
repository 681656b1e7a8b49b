package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// scope names this module as the source of its spans and metrics.
const scope = "github.com/workflow-bolt/rounds"

// shutdownLimit bounds the last flush: a collector that is gone must not eat
// the ten seconds in which a process has to stop.
const shutdownLimit = 2 * time.Second

// Options says who reports and where to.
type Options struct {
	// Service is the process's name, "rounds-worker". Empty: "rounds".
	// OTEL_SERVICE_NAME wins over it.
	Service string
	// Version of the program. Empty: not reported.
	Version string
	// Endpoint is the base URL of an OTLP/HTTP collector,
	// "http://127.0.0.1:4318". It is for programs that bring their own
	// collector, such as tests. Empty: the OTEL_* variables decide.
	Endpoint string
	// Getenv reads the environment and decides whether anything is exported
	// at all. The exporters themselves read the process's environment, as the
	// OpenTelemetry specification wants. Nil: an empty environment.
	Getenv func(string) string
}

// Telemetry owns the exporters of one process. The zero value is not usable;
// [Setup] makes one. It is safe for concurrent use.
type Telemetry struct {
	tracer  trace.Tracer
	metrics *instruments
	stop    []func(context.Context) error
	once    sync.Once
}

// silent records nothing. It serves contexts that carry no Telemetry.
var silent = &Telemetry{
	tracer:  tracenoop.NewTracerProvider().Tracer(scope),
	metrics: mustInstruments(metricnoop.NewMeterProvider().Meter(scope)),
}

type contextKey struct{}

// With returns a context whose spans and metrics go to t.
func With(ctx context.Context, t *Telemetry) context.Context {
	return context.WithValue(ctx, contextKey{}, t)
}

func from(ctx context.Context) *Telemetry {
	if t, ok := ctx.Value(contextKey{}).(*Telemetry); ok && t != nil {
		return t
	}
	return silent
}

// Setup starts the exporters. With no exporter configured it succeeds and
// records nothing. Spans and metrics are sent in the background: a collector
// that is slow or gone loses them and never holds work up. Setup fails only
// on a configuration that cannot work, such as an unknown protocol.
func Setup(ctx context.Context, o Options) (*Telemetry, error) {
	getenv := o.Getenv
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	t := &Telemetry{tracer: silent.tracer, metrics: silent.metrics}
	if o.Endpoint == "" && getenv("OTEL_SDK_DISABLED") == "true" {
		return t, nil
	}
	// The exporters would only log a URL they cannot read.
	if _, err := url.Parse(o.Endpoint); err != nil {
		return nil, errors.New("set up telemetry: endpoint is not a URL") // which may hold a password
	}
	res, err := describe(ctx, o, getenv)
	if err != nil {
		return nil, fmt.Errorf("set up telemetry: describe service: %w", err)
	}
	err = errors.Join(t.startTraces(ctx, o, getenv, res), t.startMetrics(ctx, o, getenv, res))
	if err != nil {
		return nil, fmt.Errorf("set up telemetry: %w", errors.Join(err, t.Shutdown(ctx)))
	}
	return t, nil
}

// Shutdown sends what is still waiting and stops the exporters. It takes at
// most two seconds, less when ctx ends before. Calling it twice is harmless.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownLimit)
	defer cancel()
	var errs []error
	t.once.Do(func() {
		for _, stop := range t.stop {
			errs = append(errs, stop(ctx))
		}
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("shut down telemetry: %w", err)
	}
	return nil
}

func (t *Telemetry) startTraces(ctx context.Context, o Options, getenv func(string) string, res *resource.Resource) error {
	var exporter sdktrace.SpanExporter
	var err error
	switch {
	case o.Endpoint != "":
		exporter, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(join(o.Endpoint, "v1/traces")))
	case configured(getenv, "TRACES"):
		exporter, err = autoexport.NewSpanExporter(ctx)
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("start traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res))
	t.stop = append(t.stop, provider.Shutdown)
	t.tracer = provider.Tracer(scope)
	return nil
}

func (t *Telemetry) startMetrics(ctx context.Context, o Options, getenv func(string) string, res *resource.Resource) error {
	var reader sdkmetric.Reader
	var err error
	switch {
	case o.Endpoint != "":
		var exporter sdkmetric.Exporter
		exporter, err = otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(join(o.Endpoint, "v1/metrics")))
		if err == nil {
			reader = sdkmetric.NewPeriodicReader(exporter)
		}
	case configured(getenv, "METRICS"):
		reader, err = autoexport.NewMetricReader(ctx)
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("start metrics: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(res))
	t.stop = append(t.stop, provider.Shutdown)
	t.metrics, err = newInstruments(provider.Meter(scope))
	if err != nil {
		return fmt.Errorf("start metrics: %w", err)
	}
	return nil
}

// configured tells whether the environment asks for this signal. The SDK
// would otherwise talk to a collector on localhost that nobody promised.
func configured(getenv func(string) string, signal string) bool {
	if exporter := getenv("OTEL_" + signal + "_EXPORTER"); exporter != "" {
		return exporter != "none"
	}
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" ||
		getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

func describe(ctx context.Context, o Options, getenv func(string) string) (*resource.Resource, error) {
	service := cmp.Or(getenv("OTEL_SERVICE_NAME"), o.Service, "rounds")
	attrs := []attribute.KeyValue{attribute.String("service.name", service)}
	if o.Version != "" {
		attrs = append(attrs, attribute.String("service.version", o.Version))
	}
	return resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithAttributes(attrs...))
}

func join(base, path string) string { return strings.TrimRight(base, "/") + "/" + path }

func mustInstruments(m metric.Meter) *instruments {
	i, err := newInstruments(m)
	if err != nil {
		panic(err) //nolint:forbidigo // a wrong name among the instruments, found by the first test
	}
	return i
}
