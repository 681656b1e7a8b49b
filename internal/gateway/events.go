package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
)

const streamPath = "/v1/events"

// The events that the stream itself produces.
const (
	// eventReady comes first; its id is the position at which the stream starts.
	eventReady = "ready"
	// eventGap reports that events before its id are missing.
	eventGap = "gap"
)

// event is the data of an event from the log.
type event struct {
	At       time.Time `json:"at" doc:"When the change happened."`
	Practice string    `json:"practice,omitempty" doc:"The number of the affected practice; absent if the whole tenant is affected."`
	Refs     []phi.Ref `json:"refs,omitempty" nullable:"false" doc:"The refs of the affected records. Without refs, any of the practice's records may be affected."`
	Views    []phi.Ref `json:"views,omitempty" nullable:"false" doc:"The refs of the affected views."`
}

// message is the document's schema of a server-sent event; its members are the lines of the event.
type message struct {
	ID    string `json:"id" doc:"The event's position in the log; Last-Event-ID resumes after it."`
	Event string `json:"event" enum:"ready,gap,appointment.changed,patient.changed,directory.changed,entity.invalidated,view.rebuilt" doc:"The type of the event. Ignore unknown types."`
	Data  *event `json:"data" doc:"The change; empty for ready and gap."`
}

func (g *Gateway) registerEvents() {
	g.routes["GET "+streamPath] = route{name: "follow-events", stream: true}
	g.mux.HandleFunc("GET "+streamPath, g.followEvents)
	doc := g.api.OpenAPI()
	op := &huma.Operation{
		OperationID: "follow-events", Method: http.MethodGet, Path: streamPath, Tags: []string{"events"},
		Summary: "Follow changes",
		Description: `Server-sent events. Each has an id, which a client sends as Last-Event-ID to resume; the log keeps about ten minutes.

"ready" comes first, and its id is the position at which the stream starts. "gap" means that events before its id are lost: reload everything that you show, and continue from that id.
The others are appointment.changed, patient.changed, directory.changed, entity.invalidated and view.rebuilt, with an Event as their data; ignore unknown types.
A comment every 15 seconds shows that the connection works.`,
		Parameters: []*huma.Param{{
			Name: "Last-Event-ID", In: "header", Description: "The id of the last event that the client processed.",
			Schema: &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{1,16}$"},
		}},
		Responses: map[string]*huma.Response{
			"200": {Description: "The stream, which does not end by itself.", Content: map[string]*huma.MediaType{
				"text/event-stream": {Schema: schemaOf(doc.Components.Schemas, message{})},
			}},
		},
	}
	for _, status := range []int{400, 401, 429, 503} {
		op.Responses[strconv.Itoa(status)] = problemResponse(doc.Components.Schemas, status)
	}
	doc.AddOperation(op)
}

// followEvents writes events until the client disconnects or is too slow, or the process stops.
func (g *Gateway) followEvents(w http.ResponseWriter, r *http.Request) {
	c := callerOf(r.Context())
	if !g.openStream(c) {
		writeProblem(w, fail(codes.TooManyStreams, "").withRetryAfter(10*time.Second))
		return
	}
	defer g.closeStream(c)
	s := &stream{Gateway: g, w: w, control: http.NewResponseController(w), owner: c.Tenant}
	if err := s.start(r.Context(), r.Header.Get("Last-Event-ID")); err != nil {
		g.writeError(w, r, err)
		return
	}
	telemetry.StreamOpened(r.Context())
	telemetry.StreamEnded(r.Context(), s.follow(r.Context()))
}

// writeError logs an error and sends it as a problem, for routes that are not registered through
// huma.
func (g *Gateway) writeError(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.cause != nil && r.Context().Err() == nil {
		g.Logger.WarnContext(r.Context(), "request failed", "route", "follow-events", "code", string(p.Code), "error", p.cause)
	}
	writeProblem(w, p)
}

func (g *Gateway) openStream(c *caller) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.streams >= g.Limits.TotalStreams || !c.acquire(&c.streams, g.Limits.Streams) {
		return false
	}
	g.streams++
	return true
}

func (g *Gateway) closeStream(c *caller) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.release(&c.streams)
	g.streams--
}
