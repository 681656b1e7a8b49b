package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// stream is one client's connection to its tenant's log.
type stream struct {
	*Gateway
	w         http.ResponseWriter
	control   *http.ResponseController
	owner     tenant.ID
	cursor    uint64
	firstKind string // eventReady or eventGap
}

// start sets the position at which the stream starts. It reports a gap for two cursors: one beyond
// the log's end comes from another log, and 0 comes from a time without a log, so that the log
// cannot show what it has lost since.
func (s *stream) start(ctx context.Context, last string) (err error) {
	limited, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	end, err := events.Last(limited, s.Events, s.owner)
	if err != nil {
		return fmt.Errorf("begin stream: %w", err)
	}
	s.firstKind = eventReady
	if last == "" {
		s.cursor = end
		return nil
	}
	if s.cursor, err = strconv.ParseUint(last, 10, 53); err != nil {
		return fail(codes.InvalidCursor, "")
	}
	if s.cursor > end || s.cursor == 0 && end > 0 {
		s.cursor, s.firstKind = end, eventGap
	}
	return nil
}

// The reasons for a stream's end, as metrics have them.
const (
	endClientGone = "left"
	endSlow       = "slow"
	endDrain      = "drain"
	endError      = "error"
)

// follow writes events until the stream ends, and returns the reason.
func (s *stream) follow(ctx context.Context) string {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store, no-transform") // a proxy that compresses would hold events back
	h.Set("X-Accel-Buffering", "no")                 // so would one that buffers
	_ = s.control.SetReadDeadline(time.Time{})
	for kind := s.firstKind; ; kind = eventGap {
		if err := s.writeEvent(s.cursor, kind, []byte("{}")); err != nil {
			return s.writeEndReason(ctx)
		}
		end := s.tail(ctx)
		if end != eventGap {
			return end
		}
		last, err := events.Last(ctx, s.Events, s.owner)
		if err != nil {
			return endError
		}
		s.cursor = last
	}
}

// tail writes the events after the cursor and returns the reason for its end, or eventGap if the
// log no longer reaches back to the cursor.
func (s *stream) tail(ctx context.Context) string {
	ctx, cancel := context.WithCancel(ctx)
	found, ended := make(chan events.Event), make(chan error, 1)
	go func() {
		ended <- events.Tail(ctx, s.Events, s.owner, s.cursor, func(ev events.Event) error {
			select {
			case found <- ev:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	reason, err := s.forward(ctx, found, ended)
	cancel()
	if reason == "" {
		return s.tailEndReason(ctx, err)
	}
	<-ended //nolint:errcheck // it ends because ctx is canceled
	return reason
}

// forward writes events and heartbeats until a write fails or the process stops, and returns the
// reason. If the log's reader ends, it returns that reader's error and no reason.
func (s *stream) forward(ctx context.Context, found <-chan events.Event, ended <-chan error) (reason string, err error) {
	beat := time.NewTicker(s.Limits.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case ev := <-found:
			err = s.sendLogEvent(ctx, ev)
		case <-beat.C:
			err = s.writeAndFlush([]byte(": beat\n\n"))
		case <-s.drained:
			// A random delay spreads the clients' reconnections to other processes.
			_ = s.writeAndFlush(fmt.Appendf(nil, "retry: %d\n\n", reconnectDelayMS()))
			return endDrain, nil
		case err := <-ended:
			return "", err
		}
		if err != nil {
			return s.writeEndReason(ctx), nil
		}
	}
}

// tailEndReason classifies the error with which the log's reader ended.
func (s *stream) tailEndReason(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, events.ErrGap):
		return eventGap
	case errors.Is(err, context.Canceled):
		return endClientGone
	}
	s.Logger.WarnContext(ctx, "event log cannot be read", "tenant", s.owner.String(), "error", err)
	return endError
}

// writeEndReason classifies a failed write.
func (s *stream) writeEndReason(ctx context.Context) string {
	if ctx.Err() != nil {
		return endClientGone
	}
	return endSlow
}

// sendLogEvent writes an event from the log and advances the cursor.
func (s *stream) sendLogEvent(ctx context.Context, ev events.Event) error {
	info, err := s.tenants.get(ctx, s.owner)
	if err != nil {
		return err
	}
	data, err := phi.Marshal(event{
		At: ev.At.UTC(), Practice: info.byRef[ev.Body.Practice], Refs: ev.Body.Refs, Views: ev.Body.Views,
	})
	if err != nil {
		return err
	}
	if err := s.writeEvent(ev.Clock, ev.Body.Kind, data); err != nil {
		return err
	}
	s.cursor = ev.Clock
	telemetry.EventSent(ctx, time.Since(ev.At))
	return nil
}

// writeEvent writes one event. Neither kind nor data contains a newline: the log's kinds are words,
// and the data is compact JSON.
func (s *stream) writeEvent(id uint64, kind string, data []byte) error {
	return s.writeAndFlush(fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", id, kind, data))
}

// reconnectDelayMS returns a random delay in milliseconds, so that clients do not all reconnect at
// once.
func reconnectDelayMS() int { return 500 + rand.IntN(2500) }

// writeAndFlush writes and flushes within Limits.WriteTimeout.
func (s *stream) writeAndFlush(text []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.Limits.WriteTimeout)); err != nil {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}
