package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// instruments holds all metrics. Labels are names that the code defines, so the number of series is
// bounded. A tenant is never a label.
type instruments struct {
	tasks        metric.Int64Counter
	taskDuration metric.Float64Histogram
	taskWait     metric.Float64Histogram
	calls        metric.Int64Counter
	callDuration metric.Float64Histogram
	refusals     metric.Int64Counter
	retries      metric.Int64Counter
	unreadable   metric.Int64Counter
	cacheReads   metric.Int64Counter
	dataAge      metric.Float64Histogram
	unusable     metric.Int64Counter
	droppedLogs  metric.Int64Counter
	alerts       metric.Int64Gauge
	requests     metric.Int64Counter
	requestTime  metric.Float64Histogram
	streams      metric.Int64UpDownCounter
	streamsEnded metric.Int64Counter
	streamDelay  metric.Float64Histogram
}

// Bucket bounds in seconds. Each list has a bound at every objective for what it measures, so that
// a histogram shows exactly whether the objective is met.
var (
	waitBounds  = []float64{.005, .01, .05, .1, .5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600}
	quickBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	callBounds  = []float64{.05, .1, .25, .5, 1, 2.5, 5, 7, 10, 20, 30, 60}
	ageBounds   = []float64{1, 5, 15, 30, 60, 120, 300, 900, 1800, 3600, 4 * 3600, 24 * 3600}
)

func newInstruments(m metric.Meter) (*instruments, error) {
	var errs []error
	counter := func(name, unit, about string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(about))
		errs = append(errs, err)
		return c
	}
	seconds := func(name, about string, bounds []float64) metric.Float64Histogram {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(about),
			metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	i := &instruments{
		tasks:        counter("rounds.tasks", "{attempt}", "Attempts of tasks, by outcome."),
		taskDuration: seconds("rounds.task.duration", "How long an attempt ran.", callBounds),
		taskWait:     seconds("rounds.task.wait", "From a task's demand to its first start.", waitBounds),
		calls:        counter("rounds.vendor.calls", "{call}", "Calls of the vendor, by outcome."),
		callDuration: seconds("rounds.vendor.duration", "How long a call of the vendor took.", callBounds),
		unreadable:   counter("rounds.vendor.unreadable", "{part}", "Parts of the vendor's responses that could not be read, by code."),
		refusals:     counter("rounds.vendor.throttled", "{call}", "Calls that the vendor throttled."),
		cacheReads:   counter("rounds.cache.reads", "{read}", "Reads of the cache, by the state of the entry."),
		dataAge:      seconds("rounds.data.age", "Age of data when it was read.", ageBounds),
		unusable:     counter("rounds.stored.unusable", "{value}", "Stored values that were read and cannot be used, by class and code."),
		droppedLogs:  counter("rounds.log.dropped", "{value}", "Values dropped from log lines."),
	}
	i.retries = counter("rounds.vendor.retries", "{retry}", "Retries of vendor calls, by whether the retry budget let them through at once.")
	i.requests = counter("rounds.requests", "{request}", "Requests of the API, by route and status.")
	i.requestTime = seconds("rounds.request.duration", "How long a request took to answer, without streams.", quickBounds)
	i.streamsEnded = counter("rounds.streams.ended", "{stream}", "Streams of events, by the reason of their end.")
	i.streamDelay = seconds("rounds.stream.delay", "From a change in the cache until its event was written to a stream.", quickBounds)
	var err error
	i.alerts, err = m.Int64Gauge("rounds.alerts", metric.WithUnit("{alert}"), metric.WithDescription("Alerts in the ledger, by code."))
	errs = append(errs, err)
	i.streams, err = m.Int64UpDownCounter("rounds.streams", metric.WithUnit("{stream}"), metric.WithDescription("Open streams of events."))
	return i, errors.Join(append(errs, err)...)
}

// TaskEnded counts one attempt of a task and how long it ran. Outcome is "done", "retry", "later",
// "dead" or "expired"; code is empty after success. An attempt that did not succeed counts as
// "retry" or "later" also if an equal task supersedes its task, and then it is that task that runs
// next.
func TaskEnded(ctx context.Context, kind, lane, outcome, code string, ran time.Duration) {
	m := from(ctx).metrics
	m.tasks.Add(ctx, 1, labels(Kind(kind), Lane(lane), Outcome(outcome), Code(code)))
	m.taskDuration.Record(ctx, ran.Seconds(), labels(Kind(kind), Lane(lane), Outcome(outcome)))
}

// TaskWaited records how long a task waited from its demand to its first start. Do not call it for
// later attempts, whose waits are intended.
func TaskWaited(ctx context.Context, kind, lane string, wait time.Duration) {
	from(ctx).metrics.taskWait.Record(ctx, wait.Seconds(), labels(Kind(kind), Lane(lane)))
}

// VendorCalled counts one call that was sent to the vendor and its latency. The code is empty after
// success.
func VendorCalled(ctx context.Context, operation, code string, latency time.Duration) {
	m := from(ctx).metrics
	m.calls.Add(ctx, 1, labels(Operation(operation), Code(code)))
	m.callDuration.Record(ctx, latency.Seconds(), labels(Operation(operation)))
}

// VendorThrottled counts one call that the vendor throttled. It should stay at zero: a throttled
// call means that our pace is too fast.
func VendorThrottled(ctx context.Context, operation string) {
	from(ctx).metrics.refusals.Add(ctx, 1, labels(Operation(operation)))
}

// VendorRetried counts a retry of a vendor call, and whether the retry budget delayed it.
func VendorRetried(ctx context.Context, operation string, delayed bool) {
	state := "ready"
	if delayed {
		state = "delayed"
	}
	from(ctx).metrics.retries.Add(ctx, 1, labels(Operation(operation), State(state)))
}

// VendorUnreadable counts what could not be read of a response of the vendor: rows, rows without
// some of their values, or characters, as the code states.
func VendorUnreadable(ctx context.Context, operation, code string, parts int) {
	from(ctx).metrics.unreadable.Add(ctx, int64(parts), labels(Operation(operation), Code(code)))
}

// CacheRead counts one read of the cache by the state of the entry, "fresh".
func CacheRead(ctx context.Context, class, state string) {
	from(ctx).metrics.cacheReads.Add(ctx, 1, labels(Class(class), State(state)))
}

// DataRead records the age of data at its read.
func DataRead(ctx context.Context, class string, age time.Duration) {
	from(ctx).metrics.dataAge.Record(ctx, age.Seconds(), labels(Class(class)))
}

// Answered counts one request of the API and how long it took. The route is "none" for an unknown
// path.
func Answered(ctx context.Context, route string, status int, took time.Duration) {
	m := from(ctx).metrics
	m.requests.Add(ctx, 1, labels(Route(route), Status(status)))
	m.requestTime.Record(ctx, took.Seconds(), labels(Route(route)))
}

// StreamOpened counts a stream of events that starts.
func StreamOpened(ctx context.Context) { from(ctx).metrics.streams.Add(ctx, 1) }

// StreamEnded counts a stream that ends, and its reason: "left", "slow", "gap", "drain" or "error".
func StreamEnded(ctx context.Context, reason string) {
	m := from(ctx).metrics
	m.streams.Add(ctx, -1)
	m.streamsEnded.Add(ctx, 1, labels(Reason(reason)))
}

// EventSent records how long an event took from its change until it was written to a stream.
func EventSent(ctx context.Context, delay time.Duration) {
	from(ctx).metrics.streamDelay.Record(ctx, delay.Seconds())
}

// AlertsCounted records how many alerts with a code the ledger has.
func AlertsCounted(ctx context.Context, code string, n int) {
	from(ctx).metrics.alerts.Record(ctx, int64(n), labels(Code(code)))
}

func countDropped(ctx context.Context, n int) {
	if n > 0 {
		from(ctx).metrics.droppedLogs.Add(ctx, int64(n))
	}
}

func labels(attrs ...Attr) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(keyValues(attrs)...))
}
