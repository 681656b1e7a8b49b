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

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/tasks"
)

// route is what the guard needs to know about a route.
type route struct {
	name   string
	public bool // needs no key
	stream bool // the response does not end by itself
	body   bool // the request has a body
}

// fallbackPattern matches the requests that no other pattern matches.
const fallbackPattern = "/"

// jsonFormat encodes and decodes every JSON body: it decodes strictly, and it reveals masked
// values, because callers may see them.
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

// allowNewMembers lets the document's response schemas accept unknown members, because a later
// version may add some. Request schemas stay strict.
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

// registerOperation registers a route whose parameters huma binds and describes. Every error of the
// handler becomes a problem.
func registerOperation[I, O any](g *Gateway, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	post := op.Method == http.MethodPost
	g.routes[op.Method+" "+op.Path] = route{name: op.OperationID, body: post}
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	if post {
		op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	slices.Sort(op.Errors)
	op.SkipValidateBody = true // decoding is strict, and its errors repeat nothing of the body
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

// registerPublic registers a route that needs no key.
func (g *Gateway) registerPublic(pattern, name string, h http.HandlerFunc) {
	g.routes[pattern] = route{name: name, public: true}
	g.mux.HandleFunc(pattern, h)
}

// route returns the route of a request. A request that matches none goes to the fallback route,
// which is public because its response reveals nothing.
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

// serveNotFound responds to a request that no route matches: with 405 if its path has a route with
// another method, else with 404.
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
		writeProblem(w, fail(codes.NotFound, ""))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeProblem(w, fail(codes.MethodNotAllowed, ""))
}

// schemaOf returns a reference to the schema of v's type.
func schemaOf(r huma.Registry, v any) *huma.Schema { return r.Schema(reflect.TypeOf(v), true, "") }

// problemResponse describes an error response of a route that is not registered through huma.
func problemResponse(r huma.Registry, status int) *huma.Response {
	return &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: schemaOf(r, problem{})},
	}}
}
