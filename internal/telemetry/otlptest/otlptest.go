// Package otlptest is a collector that stores what it receives: an OTLP/HTTP endpoint on loopback
// that decodes spans and metrics. A test sees exactly what would have left the process. The package
// does not import testing, so a program may run a collector to inspect itself.
package otlptest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// bodyLimit is the largest export accepted, in bytes. Batches of the SDK are far smaller.
const bodyLimit = 16 << 20

// Span is one received span. Attribute values are printed, times are UTC.
type Span struct {
	TraceID, SpanID string // lower-case hex
	ParentID        string // empty for the root of a trace
	Name            string
	Kind            string // "client", "consumer", "internal", "producer" or "server"
	Service         string // service.name of the sender
	Start, End      time.Time
	Attributes      map[string]string
	Failed          bool
	Status          string // the status text, a code; empty when not failed
	Links           []Link
}

// Link points from a span to one of another trace.
type Link struct{ TraceID, SpanID string }

// Receiver collects exports until it is closed. It is safe for concurrent use.
type Receiver struct {
	server   *http.Server
	listener net.Listener
	served   sync.WaitGroup

	mu      sync.Mutex
	spans   []Span
	points  []Point
	bodies  [][]byte
	refused error
}

// TB is the part of testing.TB that New needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// New starts a receiver that stops at the end of the test. The test then fails if an export could
// not be decoded.
func New(t TB) *Receiver {
	t.Helper()
	r, err := Listen()
	if err != nil {
		t.Fatalf("start OTLP receiver: %v", err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Fatalf("OTLP receiver: %v", err)
		}
	})
	return r
}

// Listen starts a receiver on a free port of loopback. The caller closes it.
func Listen() (*Receiver, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	r := &Receiver{listener: listener}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", r.accept(r.takeTraces, &coltrace.ExportTraceServiceResponse{}))
	mux.HandleFunc("POST /v1/metrics", r.accept(r.takeMetrics, &colmetrics.ExportMetricsServiceResponse{}))
	r.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	r.served.Go(func() { _ = r.server.Serve(listener) })
	return r, nil
}

// Close stops the receiver and reports the exports that it refused.
func (r *Receiver) Close() error {
	err := r.server.Close()
	r.served.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(err, r.refused)
}

// URL returns the base URL to export to, "http://127.0.0.1:PORT".
func (r *Receiver) URL() string { return "http://" + r.listener.Addr().String() }

// Spans returns the received spans, in order of arrival.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// Bodies returns the body of every export, decompressed. Search them for values that must not leave
// the process.
func (r *Receiver) Bodies() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.bodies)
}

// accept handles one kind of export, which take decodes and stores.
func (r *Receiver) accept(take func([]byte) error, answer proto.Message) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		body, err := readBody(req)
		if err == nil {
			err = r.keep(body, take)
		}
		if err != nil {
			http.Error(w, "malformed export", http.StatusBadRequest)
			return
		}
		out, err := proto.Marshal(answer)
		if err != nil {
			http.Error(w, "cannot encode the response", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(out)
	}
}

func (r *Receiver) keep(body []byte, take func([]byte) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, body)
	if err := take(body); err != nil {
		r.refused = errors.Join(r.refused, err)
		return err
	}
	return nil
}

func readBody(req *http.Request) ([]byte, error) {
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(req.Body)
		if err != nil {
			return nil, fmt.Errorf("unzip export: %w", err)
		}
		defer func() { _ = unzipped.Close() }()
		body = unzipped
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(body, bodyLimit)); err != nil {
		return nil, fmt.Errorf("read export: %w", err)
	}
	return b.Bytes(), nil
}

// takeTraces must be called with r.mu locked.
func (r *Receiver) takeTraces(body []byte) error {
	var export coltrace.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &export); err != nil {
		return fmt.Errorf("decode spans: %w", err)
	}
	for _, res := range export.GetResourceSpans() {
		service := attributes(res.GetResource().GetAttributes())["service.name"]
		for _, scope := range res.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				r.spans = append(r.spans, decodeSpan(service, s))
			}
		}
	}
	return nil
}

var kinds = map[tracepb.Span_SpanKind]string{
	tracepb.Span_SPAN_KIND_CLIENT:   "client",
	tracepb.Span_SPAN_KIND_CONSUMER: "consumer",
	tracepb.Span_SPAN_KIND_INTERNAL: "internal",
	tracepb.Span_SPAN_KIND_PRODUCER: "producer",
	tracepb.Span_SPAN_KIND_SERVER:   "server",
}

func decodeSpan(service string, s *tracepb.Span) Span {
	out := Span{
		TraceID:    hex.EncodeToString(s.GetTraceId()),
		SpanID:     hex.EncodeToString(s.GetSpanId()),
		ParentID:   hex.EncodeToString(s.GetParentSpanId()),
		Name:       s.GetName(),
		Kind:       kinds[s.GetKind()],
		Service:    service,
		Start:      clock(s.GetStartTimeUnixNano()),
		End:        clock(s.GetEndTimeUnixNano()),
		Attributes: attributes(s.GetAttributes()),
		Failed:     s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
		Status:     s.GetStatus().GetMessage(),
	}
	for _, l := range s.GetLinks() {
		out.Links = append(out.Links, Link{
			TraceID: hex.EncodeToString(l.GetTraceId()),
			SpanID:  hex.EncodeToString(l.GetSpanId()),
		})
	}
	return out
}
