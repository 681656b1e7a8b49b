package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
)

var (
	startScript   = newScript("start")
	requeueScript = newScript("requeue")
	finishScript  = newScript("finish")
)

// expired is the state of a task whose work was not needed any more.
const expired = "expired"

// outcomeLife is how long an outcome is kept.
const outcomeLife = time.Hour

// Outcome is the final result of a task.
type Outcome struct {
	// State is "done", "dead", "expired" if its work was not needed any more, or "superseded" if an
	// equal task took over.
	State string `json:"state"`
	// Code is the reason; empty after plain success.
	Code codes.Code `json:"code,omitempty"`
	// Tenant is the tenant's alias.
	Tenant string `json:"tenant"`
	// Kind is the task's kind.
	Kind string `json:"kind"`
	// Attempts counts the attempts, including the last.
	Attempts int `json:"attempts"`
	// FinishedAt is when the last attempt ended.
	FinishedAt time.Time `json:"finished_at"`
}

// Runs keeps the state of running tasks that asynq lacks: whether a demand must cause another run,
// and how a task ended. It is safe for concurrent use.
type Runs struct{ rdb redis.UniversalClient }

// NewRuns returns Runs on rdb, which the caller closes.
func NewRuns(rdb redis.UniversalClient) *Runs { return &Runs{rdb: rdb} }

// Start is called before user code runs: later demands get a task of their own, and if the process
// ends before the run does, that counts as a crash. From then on, LatestDemand returns the last of
// the task's demands. Start fails with ErrLeaseLost if the run has lost its task.
func (r *Runs) Start(ctx context.Context, id ID) error {
	var keys []string
	place := placeOf(ctx, id)
	if id.former && place == id.Lane {
		keys = append(keys, id.formerKey()) // it was removed before the task came into quarantine
	}
	result, err := startScript.on(ctx, r.rdb, place, keys, id.String(), tokenOf(ctx)).StringSlice()
	switch {
	case err != nil:
		return fmt.Errorf("start task: %w", clean(err))
	case len(result) == 1 && result[0] == stale:
		return ErrLeaseLost
	case len(result) != 3:
		return errors.New("start script returned an unknown reply")
	}
	if h, ok := heldBy(ctx); ok {
		h.demanded(result[1], result[2] != "")
	}
	return nil
}

// stale is the reply to a run that has lost its task.
const stale = "stale"

// placeOf returns the lane that the task of a handler's context is in.
func placeOf(ctx context.Context, id ID) string {
	if h, ok := heldBy(ctx); ok {
		return h.run.lane
	}
	return id.Lane
}

// Again describes a run that ended and whose task is to wait.
type Again struct {
	// At is when the task is to run again.
	At time.Time
	// Failures counts its failures, including that of this run.
	Failures int
	// Code is why it waits.
	Code codes.Code
}

// Requeue is called when a run ends and its task is to wait, so that demands join it again. It
// reports true if an equal task waits that would run no later: that one has inherited the failures
// and the wait, and the caller must drop the run's task. It fails with ErrLeaseLost if the run has
// lost its task.
func (r *Runs) Requeue(ctx context.Context, id ID, a Again) (superseded bool, err error) {
	life := generationLife + max(0, time.Until(a.At))
	failures := max(0, a.Failures)
	result, err := requeueScript.on(ctx, r.rdb, placeOf(ctx, id), nil, id.String(), tokenOf(ctx), seconds(max(0, time.Until(a.At))),
		failures, appendInt(nil, fieldRetried, uint64(failures)), reasonFields(a.Code, time.Now()), int64(life/time.Second)).Text()
	switch {
	case err != nil:
		return false, fmt.Errorf("requeue task: %w", clean(err))
	case result == stale:
		return false, ErrLeaseLost
	}
	return result == "superseded", nil
}

// Finish keeps the outcome for outcomeLife under a separate key: asynq deletes a task that is done,
// and asynq's retention would block the ID. It must precede the end of the run in asynq.
func (r *Runs) Finish(ctx context.Context, id ID, o Outcome) error {
	data, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("keep outcome: %w", err)
	}
	undone := ""
	if o.State == expired {
		undone = id.String()
	}
	if err := finishScript.on(ctx, r.rdb, id.Lane, []string{id.outcomeKey()}, data, int64(outcomeLife/time.Second), undone).Err(); err != nil {
		return fmt.Errorf("keep outcome: %w", clean(err))
	}
	return nil
}

// ErrNoOutcome means that the task has not ended, or ended more than an hour ago.
var ErrNoOutcome = errors.New("queue: no outcome")

// Outcome returns the outcome that Finish kept, or ErrNoOutcome.
func (r *Runs) Outcome(ctx context.Context, id ID) (Outcome, error) {
	data, err := r.rdb.Get(ctx, id.outcomeKey()).Bytes()
	if errors.Is(err, redis.Nil) {
		return Outcome{}, ErrNoOutcome
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("read outcome: %w", clean(err))
	}
	var o Outcome
	if err := json.Unmarshal(data, &o); err != nil {
		return Outcome{}, errors.New("read outcome: malformed")
	}
	return o, nil
}
