package gateway

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/practice"
)

// A client that reconnects with its last id gets every event since then, once and in order.
func TestResumedStreamMissesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.applyDay(clinicA, "7", visit("7", 1)) // before the stream starts, so not part of it
	f := b.follow(keyA)
	if f.status != http.StatusOK || !strings.HasPrefix(f.header.Get("Content-Type"), "text/event-stream") || f.header.Get("Cache-Control") != "no-store, no-transform" {
		t.Fatalf("%d %v", f.status, f.header)
	}
	start := f.next(eventReady)
	b.applyDay(clinicA, "7", visit("7", 1), visit("7", 2))
	ev := f.next(events.AppointmentChanged)
	names := b.store.Names(clinicA)
	if ev.id <= start.id || !strings.Contains(ev.data, `"practice":"7"`) ||
		!strings.Contains(ev.data, string(names.Board("7", monday))) || !strings.Contains(ev.data, string(names.Appointment(visit("7", 2).ID))) {
		t.Errorf("event %+v", ev)
	}
	f.cancel()
	for range f.events { // until the stream is closed
	}
	for range 3 {
		b.invalidatePractice("7")
	}
	b.invalidatePractice("8")
	f = b.follow(keyA, "Last-Event-ID", strconv.FormatUint(ev.id, 10))
	if again := f.next(eventReady); again.id != ev.id {
		t.Errorf("resumed at %d, want %d", again.id, ev.id)
	}
	last := ev.id
	for _, want := range []string{"7", "7", "7", "8"} {
		got := f.next(events.EntityInvalidated)
		if got.id <= last || !strings.Contains(got.data, `"practice":"`+want+`"`) {
			t.Errorf("after %d: event %+v", last, got)
		}
		last = got.id
	}
	b.invalidatePractice("7")
	f.next(events.EntityInvalidated) // live events follow
}

// A client that saw only the ready event resumes from that event's id.
func TestStreamResumesFromItsStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.invalidatePractice("7")
	f := b.follow(keyA)
	start := f.next(eventReady)
	f.cancel()
	b.invalidatePractice("8")
	f = b.follow(keyA, "Last-Event-ID", strconv.FormatUint(start.id, 10))
	f.next(eventReady)
	if ev := f.next(events.EntityInvalidated); !strings.Contains(ev.data, `"practice":"8"`) {
		t.Errorf("event %+v", ev)
	}
}

func TestGapIsReported(t *testing.T) {
	t.Parallel()
	t.Run("the log was trimmed", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.invalidatePractice("7")
		f := b.follow(keyA)
		start := f.next(eventReady)
		f.cancel()
		b.invalidatePractice("7")
		b.invalidatePractice("7")
		if err := b.events.XTrimMaxLen(t.Context(), events.Key(clinicA), 1).Err(); err != nil {
			t.Fatal(err)
		}
		f = b.follow(keyA, "Last-Event-ID", strconv.FormatUint(start.id, 10))
		f.next(eventReady)
		gap := f.next(eventGap)
		if gap.id <= start.id {
			t.Errorf("gap %+v after %+v", gap, start)
		}
		b.invalidatePractice("8")
		f.next(events.EntityInvalidated)
	})
	t.Run("the log was lost during the stream", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.invalidatePractice("7")
		f := b.follow(keyA)
		f.next(eventReady)
		if err := b.events.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		b.invalidatePractice("8")
		f.next(eventGap)
		b.invalidatePractice("7")
		f.next(events.EntityInvalidated)
	})
	t.Run("the stream started before the log", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		f := b.follow(keyA)
		start := f.next(eventReady)
		f.cancel()
		b.invalidatePractice("7")
		b.invalidatePractice("7")
		if err := b.events.XTrimMaxLen(t.Context(), events.Key(clinicA), 1).Err(); err != nil {
			t.Fatal(err)
		}
		f = b.follow(keyA, "Last-Event-ID", strconv.FormatUint(start.id, 10))
		f.next(eventGap)
		b.invalidatePractice("8")
		if ev := f.next(events.EntityInvalidated); !strings.Contains(ev.data, `"practice":"8"`) {
			t.Errorf("event %+v", ev)
		}
	})
	t.Run("a cursor from another log", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.invalidatePractice("7")
		f := b.follow(keyA, "Last-Event-ID", "9007199254740991")
		f.next(eventGap)
		b.invalidatePractice("8")
		f.next(events.EntityInvalidated)
	})
}

func TestInvalidCursor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, cursor := range []string{"x", "-1", "1.5", "18446744073709551616", "1-0"} {
		if got := b.get("/v1/events", "Last-Event-ID", cursor).code(t); got != codes.InvalidCursor {
			t.Errorf("%q: %s", cursor, got)
		}
	}
}

// A tenant's stream has no events of other tenants.
func TestStreamsAreIsolatedByTenant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.follow(keyB)
	f.next(eventReady)
	b.invalidatePractice("7")
	_, err := b.store.Invalidate(t.Context(), clinicB, practice.Record{Noun: practice.NounPractice, Practice: "9"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if ev := f.next(events.EntityInvalidated); !strings.Contains(ev.data, `"practice":"9"`) {
		t.Errorf("event %+v", ev)
	}
}

func TestStreamSendsHeartbeats(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Limits.Heartbeat = 10 * time.Millisecond })
	f := b.follow(keyA)
	f.next(eventReady)
	if note := <-f.notes; note != "beat" {
		t.Errorf("note %q", note)
	}
}

func TestStreamLimits(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Limits.Streams, o.Limits.TotalStreams = 2, 3 })
	first := b.follow(keyA)
	first.next(eventReady)
	b.follow(keyA).next(eventReady)
	refused := b.get("/v1/events")
	if refused.code(t) != codes.TooManyStreams || refused.Header.Get("Retry-After") == "" {
		t.Errorf("a third stream of one key: %d", refused.StatusCode)
	}
	b.follow(keyB).next(eventReady)
	if got := b.do(b.request(http.MethodGet, "/v1/events", keyB, "")).code(t); got != codes.TooManyStreams {
		t.Errorf("a fourth stream: %s", got)
	}
	if r := b.post("/v1/invalidations", `{"practice":"7","noun":"practice"}`); r.StatusCode != http.StatusAccepted {
		t.Errorf("a request while all streams are open: %d", r.StatusCode)
	}
	first.cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for b.openStreams() == 3 { // until the server notices that the client is gone
		<-tick.C
	}
	b.follow(keyA).next(eventReady)
}

// openStreams returns the number of open streams.
func (b *bundle) openStreams() int {
	b.Gateway.mu.Lock()
	defer b.Gateway.mu.Unlock()
	return b.Gateway.streams
}

// A draining gateway ends its streams with a retry delay and refuses new requests.
func TestDrainEndsStreams(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.follow(keyA)
	f.next(eventReady)
	b.Drain()
	if note := <-f.notes; note != "retry" {
		t.Errorf("note %q", note)
	}
	if ev, ok := <-f.events; ok {
		t.Errorf("%+v after the end", ev)
	}
	r := b.get("/v1/practices/7/board")
	if r.code(t) != codes.Draining || r.Header.Get("Retry-After") == "" {
		t.Errorf("%d while draining", r.StatusCode)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := b.Wait(ctx); err != nil {
		t.Error(err)
	}
}
