package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const streamPath = "/v1/events"

// The events that the stream itself tells of.
const (
	// eventReady comes first: its id is where the stream begins.
	eventReady = "ready"
	// eventGap says that events are missing before its id.
	eventGap = "gap"
)

// event is the data of an event of the log.
type event struct {
	At       time.Time `json:"at" doc:"When it changed."`
	Practice string    `json:"practice,omitempty" doc:"The number of the practice concerned; left out when it concerns the whole tenant."`
	Refs     []phi.Ref `json:"refs,omitempty" nullable:"false" doc:"What stands for the records concerned. None means some of the practice's."`
	Views    []phi.Ref `json:"views,omitempty" nullable:"false" doc:"What stands for the views concerned."`
}

// message describes each event of the stream in the document: its fields are the lines of the event.
type message struct {
	ID    string `json:"id" doc:"Where in the log it stands; Last-Event-ID resumes behind it."`
	Event string `json:"event" enum:"ready,gap,appointment.changed,patient.changed,directory.changed,entity.invalidated,view.rebuilt" doc:"What it tells. Ignore what you do not know."`
	Data  *event `json:"data" doc:"What changed; empty for ready and gap."`
}

func (g *Gateway) registerEvents() {
	g.routes["GET "+streamPath] = route{name: "follow-events", stream: true}
	g.mux.HandleFunc("GET "+streamPath, g.followEvents)
	doc := g.api.OpenAPI()
	op := &huma.Operation{
		OperationID: "follow-events", Method: http.MethodGet, Path: streamPath, Tags: []string{"events"},
		Summary: "Follow what changes",
		Description: `Server-sent events. Each has an id, with which Last-Event-ID resumes; the log keeps ten minutes or so.

"ready" comes first and says where the stream begins. "gap" says that events before its id are gone: read anew what is shown, and go on from there.
The others are appointment.changed, patient.changed, directory.changed, entity.invalidated and view.rebuilt, with an Event as their data; ignore those that you do not know.
A comment comes every quarter of a minute, so that a dead connection shows.`,
		Parameters: []*huma.Param{{
			Name: "Last-Event-ID", In: "header", Description: "The id of the last event that was taken in.",
			Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{1,16}$"},
		}},
		Responses: map[string]*huma.Response{
			"200": {Description: "The stream; it does not end by itself.", Content: map[string]*huma.MediaType{
				"text/event-stream": {Schema: schemaOf(doc.Components.Schemas, message{})},
			}},
		},
	}
	for _, status := range []int{400, 401, 429, 503} {
		op.Responses[strconv.Itoa(status)] = problemResponse(doc.Components.Schemas, status)
	}
	doc.AddOperation(op)
}

// followEvents writes events until the client leaves, falls too far behind, or the process stops.
func (g *Gateway) followEvents(w http.ResponseWriter, r *http.Request) {
	c := callerOf(r.Context())
	if !g.openStream(c) {
		write(w, fail(codeStreams, "").after(10*time.Second))
		return
	}
	defer g.closeStream(c)
	s := &stream{Gateway: g, w: w, control: http.NewResponseController(w), owner: c.Tenant}
	if err := s.begin(r.Context(), r.Header.Get("Last-Event-ID")); err != nil {
		g.refuse(w, r, err)
		return
	}
	telemetry.StreamOpened(r.Context())
	telemetry.StreamEnded(r.Context(), s.follow(r.Context()))
}

// refuse answers for a route that huma does not answer for.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.cause != nil && r.Context().Err() == nil {
		g.Logger.WarnContext(r.Context(), "request failed", "route", "follow-events", "code", string(p.Code), "error", p.cause)
	}
	write(w, p)
}

func (g *Gateway) openStream(c *caller) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.streams >= g.Limits.All || !c.begin(&c.streams, g.Limits.Streams) {
		return false
	}
	g.streams++
	return true
}

func (g *Gateway) closeStream(c *caller) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.end(&c.streams)
	g.streams--
}

// stream is one client that follows its tenant's log.
type stream struct {
	*Gateway
	w       http.ResponseWriter
	control *http.ResponseController
	owner   tenant.ID
	cursor  uint64
	first   string // what the stream begins with
}

// begin finds out where the stream begins. A cursor from beyond the log's end is of another log, and 0 was given out when
// there was none: what the log has lost since, nothing in it tells.
func (s *stream) begin(ctx context.Context, last string) (err error) {
	end, err := events.Last(ctx, s.Events, s.owner)
	if err != nil {
		return fmt.Errorf("begin stream: %w", err)
	}
	s.first = eventReady
	if last == "" {
		s.cursor = end
		return nil
	}
	if s.cursor, err = strconv.ParseUint(last, 10, 53); err != nil {
		return fail(codeCursor, "")
	}
	if s.cursor > end || s.cursor == 0 && end > 0 {
		s.cursor, s.first = end, eventGap
	}
	return nil
}

// Why a stream ended.
const (
	endLeft  = "left"
	endSlow  = "slow"
	endDrain = "drain"
	endError = "error"
)

// follow writes until there is a reason to stop, and returns it.
func (s *stream) follow(ctx context.Context) string {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // or proxies that collect would hold events back
	_ = s.control.SetReadDeadline(time.Time{})
	for kind := s.first; ; kind = eventGap {
		if err := s.send(s.cursor, kind, []byte("{}")); err != nil {
			return s.lost(ctx)
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
	reason, err := s.copy(ctx, found, ended)
	cancel()
	if reason == "" {
		return s.verdict(ctx, err)
	}
	<-ended //nolint:errcheck // it was told to end
	return reason
}

// copy writes what is found until writing fails, the process stops or the log ends, which gives the log's error.
func (s *stream) copy(ctx context.Context, found <-chan events.Event, ended <-chan error) (reason string, err error) {
	beat := time.NewTicker(s.Limits.Beat)
	defer beat.Stop()
	for {
		select {
		case ev := <-found:
			err = s.tell(ctx, ev)
		case <-beat.C:
			err = s.put([]byte(": beat\n\n"))
		case <-s.drained:
			// Clients come back at different moments, to whoever serves then.
			_ = s.put(fmt.Appendf(nil, "retry: %d\n\n", spread()))
			return endDrain, nil
		case err := <-ended:
			return "", err
		}
		if err != nil {
			return s.lost(ctx), nil
		}
	}
}

// verdict says what the end of the log's reader means.
func (s *stream) verdict(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, events.ErrGap):
		return eventGap
	case errors.Is(err, context.Canceled):
		return endLeft
	}
	s.Logger.WarnContext(ctx, "event log cannot be read", "tenant", s.owner.String(), "error", err)
	return endError
}

// lost says why writing failed.
func (s *stream) lost(ctx context.Context) string {
	if ctx.Err() != nil {
		return endLeft
	}
	return endSlow
}

// tell writes an event of the log.
func (s *stream) tell(ctx context.Context, ev events.Event) error {
	clinic, err := s.tenants.of(ctx, s.owner)
	if err != nil {
		return err
	}
	data, err := phi.Marshal(event{
		At: ev.At.UTC(), Practice: clinic.byRef[ev.Body.Practice], Refs: ev.Body.Refs, Views: ev.Body.Views,
	})
	if err != nil {
		return err
	}
	if err := s.send(ev.Clock, ev.Body.Kind, data); err != nil {
		return err
	}
	s.cursor = ev.Clock
	telemetry.EventSent(ctx, time.Since(ev.At))
	return nil
}

// send writes one event. Neither kind nor data holds a newline: the log's kinds are words, and the data is compact JSON.
func (s *stream) send(id uint64, kind string, data []byte) error {
	return s.put(fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", id, kind, data))
}

// spread is when a client that is sent away comes back, in milliseconds: not all of them at once.
func spread() int { return 500 + rand.IntN(2500) }

// put writes and flushes, in the time that a reader has for taking it.
func (s *stream) put(text []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.Limits.Write)); err != nil {
		return err
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}
