package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
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
		writeProblem(w, fail(codeStreams, "").withRetryAfter(10*time.Second))
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

// writeError answers for a route that huma does not answer for.
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
