package gateway

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// viewOutput is the response with a view, or a 304 if the caller's copy is current.
type viewOutput struct {
	Status      int
	ContentType string `header:"Content-Type" hidden:"true"`
	ETag        string `header:"ETag" doc:"Identifies the body's bytes. A 304 has it too."`
	Age         string `header:"Age" doc:"Seconds since the vendor last confirmed the data. A 304 has it too."`
	AsOf        string `header:"Data-As-Of" doc:"When the vendor last confirmed the data. A 304 has it too."`
	Stale       bool   `header:"Data-Stale" doc:"Whether any part is known to have changed since. A 304 has it too."`
	Reason      string `header:"Data-Stale-Reason" doc:"Why the view stays stale, as stale_reason in the body. Absent if the next reading confirms it. A 304 has it too."`
	Vary        string `header:"Vary" hidden:"true"`
	Body        []byte
}

// registerView registers a route that reads a view. V is the body's type.
func registerView[V, I any](g *Gateway, op huma.Operation, handle func(context.Context, *I) (*viewOutput, error)) {
	var zero V
	registry := g.api.OpenAPI().Components.Schemas
	op.Method, op.Tags = http.MethodGet, []string{"views"}
	op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusNotFound)
	op.Responses = map[string]*huma.Response{
		"200": {Description: "The view.", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf(registry, zero)}}},
		"304": {Description: "The caller's copy is current. Age and Data-As-Of state how old it is now."},
	}
	registerOperation(g, op, handle)
	op.Responses["304"].Headers = op.Responses["200"].Headers
}

// render builds the response of a view. The ETag is a digest of the body's bytes, keyed because it
// may appear in the logs of proxies and callers.
func (g *Gateway) render(ctx context.Context, ifNoneMatch string, doc any, fresh practice.Freshness) (*viewOutput, error) {
	body, err := phi.Marshal(doc)
	if err != nil {
		return nil, fail(codes.Internal, "").withCause(err)
	}
	body = append(body, '\n')
	seal := g.Keys.For(callerOf(ctx).Tenant.String())
	out := &viewOutput{
		Status: http.StatusOK, ContentType: "application/json", Body: body, Vary: "Authorization",
		ETag:  `"` + string(seal.Ref("etag", string(body))) + `"`,
		Age:   strconv.Itoa(int(max(0, time.Since(fresh.AsOf)).Seconds())),
		AsOf:  fresh.AsOf.UTC().Format(time.RFC3339Nano),
		Stale: fresh.Stale, Reason: string(fresh.Reason.Shown()),
	}
	if matchesETag(ifNoneMatch, out.ETag) {
		out.Status, out.ContentType, out.Body = http.StatusNotModified, "", nil
	}
	return out, nil
}

const (
	// pollInterval is how often a request checks whether the view that it waits for is cached.
	pollInterval = 50 * time.Millisecond
	// demandRate and demandBurst bound how many demands a second, and in a burst, one key causes by
	// reading views that are not cached. Beyond them the response is the same, without a demand.
	demandRate  = 2
	demandBurst = 20
	// readLimit is how long the cache may take for one read. What a canceled read leaves behind in
	// the cache takes a little longer; a caller has its response within two seconds.
	readLimit = 1400 * time.Millisecond
)

// bounded limits a read to readLimit.
func bounded(read func(context.Context) (bool, error)) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, readLimit)
		defer cancel()
		return read(ctx)
	}
}

// foundUnlessCold interprets the error of a read from the store. ErrCold means that nothing was
// found, and is not returned.
func foundUnlessCold(err error) (found bool, _ error) {
	if errors.Is(err, practice.ErrCold) {
		return false, nil
	}
	return err == nil, err
}

// readOrDemand calls read, which reports whether the view of a practice is cached. If it is not,
// readOrDemand enqueues the missing tasks in the interactive lane and repeats the read until it
// succeeds or Limits.ColdWait is over. If the practice cannot be read at the vendor, the problem
// has the reason.
func (g *Gateway) readOrDemand(ctx context.Context, number string, read func(context.Context) (found bool, err error), missing ...tasks.Args) error {
	read = bounded(read)
	found, err := read(ctx)
	if found || err != nil {
		return err
	}
	c := callerOf(ctx)
	if c.demands.Allow() {
		if _, err := g.Tasks.EnqueueMany(ctx, c.Tenant.String(), missing, tasks.Interactive()); err != nil {
			return err
		}
		if found, err := g.await(ctx, read); found || err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	stated, err := g.Store.Identity(limited, c.Tenant, number)
	if err != nil {
		return err
	}
	cold := fail(codes.Cold, "").withRetryAfter(2 * time.Second)
	cold.Reason = stated.Code.Shown()
	return cold
}

// await repeats the read until it succeeds or Limits.ColdWait is over.
func (g *Gateway) await(ctx context.Context, read func(context.Context) (found bool, err error)) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, g.Limits.ColdWait)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case <-g.drained:
			return false, nil
		case <-tick.C:
		}
		if found, err := read(ctx); found || err != nil && ctx.Err() == nil {
			return found, err
		}
	}
}
