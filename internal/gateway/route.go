package gateway

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/tasks"
)

// route is what the guard knows of a route.
type route struct {
	name   string
	public bool // no key is asked for
	stream bool // the answer does not end by itself
	body   bool
}

// fallbackPattern is where requests go that fit no route.
const fallbackPattern = "/"

// jsonFormat reads and writes every JSON body: strictly, and with what callers may see revealed.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		data, err := phi.Marshal(v)
		if err == nil {
			_, err = w.Write(append(data, '\n'))
		}
		return err
	},
	Unmarshal: phi.Unmarshal,
}

// register adds all routes.
func (g *Gateway) register() (err error) {
	g.mux = http.NewServeMux()
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	registry.RegisterTypeAlias(reflect.TypeFor[tasks.Date](), reflect.TypeFor[dateSchema]())
	g.api = humago.New(g.mux, huma.Config{
		OpenAPI:       newDocument(registry),
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json", RejectUnknownQueryParameters: true,
	})
	g.registerTasks()
	g.registerInvalidations()
	g.registerBoard()
	g.registerPeople()
	g.registerEvents()
	g.registerPublic("GET /openapi.json", "openapi", g.serveDocument)
	g.registerPublic("GET "+problemPath+"{code}", "explain", serveProblemPage)
	g.registerPublic(fallbackPattern, "none", g.serveNotFound)
	allowNewMembers(registry)
	g.document, err = g.api.OpenAPI().MarshalJSON()
	return err
}

// allowNewMembers allows members in answers that the document does not name: a later version may have more. What comes in stays
// strict.
func allowNewMembers(registry huma.Registry) {
	strict := map[string]bool{"Change": true}
	for _, k := range kinds {
		strict[argsOf(k).Name()], strict[argsOf(k).Name()+"Demand"] = true, true
	}
	for name, s := range registry.Map() {
		if !strict[name] {
			s.AdditionalProperties = nil
		}
	}
}

// registerOperation registers a route that huma binds and describes. Every error of the handler becomes a problem.
func registerOperation[I, O any](g *Gateway, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	post := op.Method == http.MethodPost
	g.routes[op.Method+" "+op.Path] = route{name: op.OperationID, body: post}
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	if post {
		op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	slices.Sort(op.Errors)
	op.SkipValidateBody = true // decoding is strict, and tells nothing of the body
	huma.Register(g.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			p := problemOf(err)
			if p.cause != nil && ctx.Err() == nil {
				g.Logger.WarnContext(ctx, "request failed", "route", op.OperationID, "code", string(p.Code), "error", p.cause)
			}
			return nil, p
		}
		return out, nil
	})
}

// registerPublic registers a route that asks for no key.
func (g *Gateway) registerPublic(pattern, name string, h http.HandlerFunc) {
	g.routes[pattern] = route{name: name, public: true}
	g.mux.HandleFunc(pattern, h)
}

// route returns the route of a request. What fits none is answered without a key: there is nothing to know about it.
func (g *Gateway) route(r *http.Request) route {
	_, pattern := g.mux.Handler(r)
	if rt, ok := g.routes[pattern]; ok {
		return rt
	}
	return g.routes[fallbackPattern]
}

func (g *Gateway) serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/openapi+json")
	_, _ = w.Write(g.document)
}

// serveNotFound answers for paths that fit no route, or fit one of another method.
func (g *Gateway) serveNotFound(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = m
		if _, pattern := g.mux.Handler(other); pattern != fallbackPattern {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		writeProblem(w, fail(codeNotFound, ""))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeProblem(w, fail(codeMethod, ""))
}

// schemaOf returns the schema of v's type, by reference.
func schemaOf(r huma.Registry, v any) *huma.Schema { return r.Schema(reflect.TypeOf(v), true, "") }

// problemResponse describes an error for a route that huma does not describe.
func problemResponse(r huma.Registry, status int) *huma.Response {
	return &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: schemaOf(r, problem{})},
	}}
}
