package tebra_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// badResponse is a bad response of the vendor or of an intermediary.
type badResponse struct {
	group  string // the kind of problem
	name   string
	op     string // a key of examples; "" is GetAppointments.least
	code   tebra.Code
	reason string // Error.Reason
	sent   bool

	// One of these acts as the vendor.
	body      string           // with status 200, as XML
	transport roundTripper     // without a network, in fake time
	serve     http.HandlerFunc // over a network
	server    func(t *testing.T) (endpoint string, c *http.Client)
}

func appointmentRow(members string) string {
	return appointments("<AppointmentData>" + members + "</AppointmentData>")
}

func appointmentStarting(text string) string {
	return appointmentRow("<ID>1</ID><StartDate>" + text + "</StartDate>")
}

// streamed responds with prefix followed by text, repeated endlessly.
func streamed(prefix, text string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return respond(200, xmlType, &endlessBody{prefix: prefix, text: text}), nil
	}
}

var (
	listHead, _, _ = strings.Cut(appointments("|"), "|")
	allHead, _, _  = strings.Cut(responseTo("GetAllPatients", noError+authorized+"<Patients>|</Patients>"), "|")
)

// slowBody returns one byte every five seconds until the context ends.
type slowBody struct {
	ctx  context.Context
	text string
}

func (s *slowBody) Read(p []byte) (int, error) {
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-time.After(5 * time.Second):
	}
	if s.text == "" {
		s.text = " "
	}
	n := copy(p[:1], s.text)
	s.text = s.text[n:]
	return n, nil
}

// silentBody returns nothing until the context ends.
type silentBody struct{ ctx context.Context }

func (s silentBody) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func rawResponse(response string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack() //nolint:forcetypeassert // httptest's writers implement it
		if err == nil {
			_, _ = io.WriteString(conn, response)
			_ = conn.Close()
		}
	}
}

func responseHead(length int) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n", length)
}

// claimGzip declares gzip and sends what fill writes, compressed or not.
func claimGzip(fill func(w io.Writer)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.Header().Set("Content-Encoding", "gzip")
		fill(w)
	}
}

func gzipBomb(w io.Writer) {
	z := gzip.NewWriter(w)
	_, _ = io.WriteString(z, listHead+"<AppointmentData><Notes>")
	chunk := strings.Repeat(" ", 1<<16)
	for range 256 << 20 >> 16 { // 256 MiB
		if _, err := io.WriteString(z, chunk); err != nil {
			return
		}
	}
	_ = z.Close()
}

func TestBadResponses(t *testing.T) { //nolint:paralleltest // it measures the heap
	defer debug.SetGCPercent(debug.SetGCPercent(25)) // keep garbage out of the measurement
	groups, most := map[string]bool{}, int64(0)
	for _, tt := range badResponses() { //nolint:paralleltest // likewise
		groups[tt.group] = true
		t.Run(tt.group+"/"+tt.name, func(t *testing.T) {
			var h heapMonitor
			err := tt.run(t, &h)
			if h.grown > 24<<20 {
				t.Errorf("heap grew by %d bytes", h.grown)
			}
			most = max(most, h.grown)
			var e *tebra.Error
			switch {
			case tt.code == "":
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
				return
			case !errors.As(err, &e):
				t.Fatalf("got %v, want %s", err, tt.code)
			case e.Code != tt.code || e.Reason != tt.reason || e.Sent != tt.sent:
				t.Errorf("got %s (%s) sent %t, want %s (%s) sent %t", e.Code, e.Reason, e.Sent, tt.code, tt.reason, tt.sent)
			}
			if text := fmt.Sprintf("%v %+v %#v %v", err, err, *e, errors.Unwrap(err)); strings.Contains(text, canary) {
				t.Errorf("error quotes the response: %s", text)
			}
		})
	}
	t.Logf("%d bad responses of %d kinds; the heap grew by at most %.1f MB, garbage included", len(badResponses()), len(groups), float64(most)/1e6)
	if len(groups) != 40 {
		t.Errorf("%d kinds of bad responses, want 40", len(groups))
	}
}

// heapMonitor samples the heap, garbage included, while a response is read.
type heapMonitor struct {
	before, grown int64
	reads         int
}

// watch returns a transport whose response bodies are monitored.
func (h *heapMonitor) watch(next http.RoundTripper) http.RoundTripper {
	runtime.GC()
	h.before = heapInUse()
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		if err == nil {
			resp.Body = monitoredBody{resp.Body, h}
		}
		return resp, err
	})
}

type monitoredBody struct {
	io.ReadCloser
	monitor *heapMonitor
}

func (w monitoredBody) Read(p []byte) (int, error) {
	if w.monitor.reads++; w.monitor.reads%32 == 1 {
		w.monitor.sample()
	}
	return w.ReadCloser.Read(p)
}

func (w monitoredBody) Close() error {
	w.monitor.sample() // the rows are in memory, and not yet returned
	return w.ReadCloser.Close()
}

func (h *heapMonitor) sample() { h.grown = max(h.grown, heapInUse()-h.before) }

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// oneAttempt is a Gate that ends the call after one attempt, because unsent requests would be
// retried for two seconds of real time.
type oneAttempt func()

func (o oneAttempt) Enter(context.Context, tebra.Call) (tebra.Pass, error) { return o, nil }
func (o oneAttempt) Confirm(context.Context) bool                          { return true }
func (o oneAttempt) Done(context.Context, tebra.Outcome)                   { o() }

// run makes the call, in fake time or over a network.
func (b *badResponse) run(t *testing.T, h *heapMonitor) (err error) {
	op := b.op
	if op == "" {
		op = "GetAppointments.least"
	}
	edit := func(o *tebra.Options) { o.MaxBytes = 5 << 20 }
	switch {
	case b.serve != nil, b.server != nil:
		start := b.server
		if start == nil {
			start = func(t *testing.T) (string, *http.Client) {
				s := httptest.NewServer(b.serve)
				t.Cleanup(s.Close)
				return s.URL, s.Client()
			}
		}
		endpoint, client := start(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c := newClient(t, nil, func(o *tebra.Options) {
			edit(o)
			o.Endpoint, o.Insecure, o.Gate = endpoint, true, oneAttempt(cancel)
			o.HTTPClient = &http.Client{Transport: h.watch(client.Transport)}
		})
		return examples[op](ctx, c)
	case b.transport == nil:
		b.transport = always(200, xmlType, b.body)
	}
	synctest.Test(t, func(t *testing.T) {
		err = examples[op](t.Context(), newClient(t, h.watch(b.transport), edit))
	})
	return err
}

var errHostGone = &net.DNSError{Err: "no such host", Name: canary, IsNotFound: true}
