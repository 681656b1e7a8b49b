package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// stream is one client that follows its tenant's log.
type stream struct {
	*Gateway
	w         http.ResponseWriter
	control   *http.ResponseController
	owner     tenant.ID
	cursor    uint64
	firstKind string // what the stream begins with
}

// start finds out where the stream begins. A cursor from beyond the log's end is of another log, and 0 was given out when
// there was none: what the log has lost since, nothing in it tells.
func (s *stream) start(ctx context.Context, last string) (err error) {
	end, err := events.Last(ctx, s.Events, s.owner)
	if err != nil {
		return fmt.Errorf("begin stream: %w", err)
	}
	s.firstKind = eventReady
	if last == "" {
		s.cursor = end
		return nil
	}
	if s.cursor, err = strconv.ParseUint(last, 10, 53); err != nil {
		return fail(codeCursor, "")
	}
	if s.cursor > end || s.cursor == 0 && end > 0 {
		s.cursor, s.firstKind = end, eventGap
	}
	return nil
}

// Why a stream ended.
const (
	endClientGone = "left"
	endSlow       = "slow"
	endDrain      = "drain"
	endError      = "error"
)

// follow writes until there is a reason to stop, and returns it.
func (s *stream) follow(ctx context.Context) string {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // or proxies that collect would hold events back
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

// tail writes what follows the cursor. It returns eventGap when the log does not reach back to it.
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
	<-ended //nolint:errcheck // it was told to end
	return reason
}

// forward writes what is found until writing fails, the process stops or the log ends, which gives the log's error.
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
			// Clients come back at different moments, to whoever serves then.
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

// tailEndReason says what the end of the log's reader means.
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

// writeEndReason says why writing failed.
func (s *stream) writeEndReason(ctx context.Context) string {
	if ctx.Err() != nil {
		return endClientGone
	}
	return endSlow
}

// sendLogEvent writes an event of the log.
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

// writeEvent writes one event. Neither kind nor data holds a newline: the log's kinds are words, and the data is compact JSON.
func (s *stream) writeEvent(id uint64, kind string, data []byte) error {
	return s.writeAndFlush(fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", id, kind, data))
}

// reconnectDelayMS is when a client that is sent away comes back, in milliseconds: not all of them at once.
func reconnectDelayMS() int { return 500 + rand.IntN(2500) }

// writeAndFlush writes and flushes, in the time that a reader has for taking it.
func (s *stream) writeAndFlush(text []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.Limits.WriteTimeout)); err != nil {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}
