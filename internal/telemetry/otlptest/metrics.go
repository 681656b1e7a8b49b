package otlptest

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// Point is one received value of one metric.
type Point struct {
	Metric     string
	Attributes map[string]string
	Count      uint64  // of observations; 1 for the value of a counter
	Sum        float64 // of observations, or the value of a counter
}

// Points returns the received values of a metric, in order of arrival. An empty name means all
// metrics.
func (r *Receiver) Points(metric string) []Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.points), func(p Point) bool {
		return metric != "" && p.Metric != metric
	})
}

// takeMetrics must be called with r.mu locked.
func (r *Receiver) takeMetrics(body []byte) error {
	var export colmetrics.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &export); err != nil {
		return fmt.Errorf("decode metrics: %w", err)
	}
	for _, res := range export.GetResourceMetrics() {
		for _, scope := range res.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				r.points = append(r.points, decodePoints(m)...)
			}
		}
	}
	return nil
}

func decodePoints(m *metricspb.Metric) []Point {
	var out []Point
	for _, n := range slices.Concat(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()) {
		out = append(out, Point{
			Metric: m.GetName(), Attributes: attributes(n.GetAttributes()),
			Count: 1, Sum: float64(n.GetAsInt()) + n.GetAsDouble(),
		})
	}
	for _, h := range m.GetHistogram().GetDataPoints() {
		out = append(out, Point{
			Metric: m.GetName(), Attributes: attributes(h.GetAttributes()),
			Count: h.GetCount(), Sum: h.GetSum(),
		})
	}
	return out
}

func attributes(kvs []*commonpb.KeyValue) map[string]string {
	out := make(map[string]string, len(kvs))
	for _, kv := range kvs {
		switch v := kv.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			out[kv.GetKey()] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			out[kv.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		default:
			out[kv.GetKey()] = kv.GetValue().String()
		}
	}
	return out
}

// clock converts nanoseconds since 1970, which fit until 2262.
func clock(nanos uint64) time.Time {
	return time.Unix(0, int64(nanos)).UTC()
}
