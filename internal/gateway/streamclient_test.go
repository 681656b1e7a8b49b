package gateway

import (
	"bufio"
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/practice"
)

// sseEvent is one event as its client receives it.
type sseEvent struct {
	id         uint64
	kind, data string
}

// streamClient reads one stream.
type streamClient struct {
	t      *testing.T
	cancel context.CancelFunc
	status int
	header http.Header
	events chan sseEvent // closed when the stream ends
	notes  chan string   // comments and retry fields
}

func (b *bundle) follow(key string, headers ...string) *streamClient {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	r := b.request(http.MethodGet, "/v1/events", key, "", headers...).WithContext(ctx)
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	f := &streamClient{
		t: b.t, cancel: cancel, status: resp.StatusCode, header: resp.Header,
		events: make(chan sseEvent, 100), notes: make(chan string, 100),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(f.events)
		defer func() { _ = resp.Body.Close() }()
		f.read(bufio.NewScanner(resp.Body))
	}()
	b.t.Cleanup(func() { cancel(); <-done })
	return f
}

func (f *streamClient) read(lines *bufio.Scanner) {
	var ev sseEvent
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			ev.id, _ = strconv.ParseUint(value, 10, 64)
		case "event":
			ev.kind = value
		case "data":
			ev.data = value
		case "":
			if value != "" {
				f.notes <- value
			} else if ev.kind != "" {
				f.events <- ev
				ev = sseEvent{}
			}
		case "retry":
			f.notes <- name
		}
	}
}

// next returns the next event, and fails the test if it is of another kind.
func (f *streamClient) next(kind string) sseEvent {
	f.t.Helper()
	ev, ok := <-f.events
	if !ok || ev.kind != kind {
		f.t.Fatalf("event %q %s (stream open: %v), want %q", ev.kind, ev.data, ok, kind)
	}
	return ev
}

// invalidatePractice adds one event to clinic-a's log.
func (b *bundle) invalidatePractice(practiceID string) {
	b.t.Helper()
	_, err := b.store.Invalidate(b.t.Context(), clinicA, practice.Record{Noun: practice.NounPractice, Practice: practiceID}, "")
	if err != nil {
		b.t.Fatal(err)
	}
}
