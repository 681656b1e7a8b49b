// Package export sends the spans and metrics of a process to a collector. It links the
// OpenTelemetry SDK and its exporters, which are large, so only programs import it.
package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// shutdownLimit bounds the last flush, so that an unreachable collector does not use up the ten
// seconds in which a process has to stop.
const shutdownLimit = 2 * time.Second

// Options names the process that reports and the collector it reports to.
type Options struct {
	// Service is the process's name, "rounds-worker". Empty: "rounds". OTEL_SERVICE_NAME takes
	// precedence.
	Service string
	// Version of the program. Empty: not reported.
	Version string
	// Endpoint is the base URL of an OTLP/HTTP collector, "http://127.0.0.1:4318". It is for
	// programs that bring their own collector, such as tests. Empty: the OTEL_* variables decide.
	Endpoint string
	// Getenv reads the environment and decides whether anything is exported at all. The exporters
	// themselves read the process's environment, as the OpenTelemetry specification requires. Nil:
	// an empty environment.
	Getenv func(string) string
	// Logger gets a line about stored values that cannot be used. Nil: none.
	Logger *slog.Logger
}

// Setup starts the exporters and returns the telemetry that feeds them. With no exporter configured
// it succeeds and records nothing. Spans and metrics are sent in the background: a slow or
// unreachable collector loses them and never delays work. Setup fails only on a configuration that
// cannot work, such as an unknown protocol.
//
// shutdown sends and logs what is still buffered, and stops the exporters. It takes at most two
// seconds, less when its context ends earlier. Calling it twice is harmless.
func Setup(ctx context.Context, o Options) (t *telemetry.Telemetry, shutdown func(context.Context) error, err error) {
	e := &exporters{}
	if err = e.start(ctx, o); err == nil {
		t, err = telemetry.New(e.traces, e.metrics, o.Logger)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("set up telemetry: %w", errors.Join(err, e.shutdown(ctx)))
	}
	e.stop = append(e.stop, func(context.Context) error { t.Flush(); return nil })
	return t, e.shutdown, nil
}

// exporters are the providers of one process. A nil provider is not configured.
type exporters struct {
	traces  trace.TracerProvider
	metrics metric.MeterProvider
	stop    []func(context.Context) error
	once    sync.Once
}

func (e *exporters) start(ctx context.Context, o Options) error {
	getenv := o.Getenv
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	if o.Endpoint == "" && getenv("OTEL_SDK_DISABLED") == "true" {
		return nil
	}
	// The exporters would only log a URL that they cannot parse.
	if _, err := url.Parse(o.Endpoint); err != nil {
		return errors.New("endpoint is not a URL") // the URL may hold a password
	}
	res, err := describe(ctx, o, getenv)
	if err != nil {
		return fmt.Errorf("describe service: %w", err)
	}
	return errors.Join(e.startTraces(ctx, o, getenv, res), e.startMetrics(ctx, o, getenv, res))
}

func (e *exporters) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownLimit)
	defer cancel()
	var errs []error
	e.once.Do(func() {
		for _, stop := range e.stop {
			errs = append(errs, stop(ctx))
		}
	})
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("shut down telemetry: %w", err)
	}
	return nil
}

func (e *exporters) startTraces(ctx context.Context, o Options, getenv func(string) string, res *resource.Resource) error {
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
	e.stop = append(e.stop, provider.Shutdown)
	e.traces = provider
	return nil
}

func (e *exporters) startMetrics(ctx context.Context, o Options, getenv func(string) string, res *resource.Resource) error {
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
	e.stop = append(e.stop, provider.Shutdown)
	e.metrics = provider
	return nil
}

// configured reports whether the environment configures this signal. Without a configuration the
// SDK would send to localhost, where there may be no collector.
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
