package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

//go:embed lua/start.lua
var startSource string

//go:embed lua/requeue.lua
var requeueSource string

//go:embed lua/finish.lua
var finishSource string

var (
	startScript   = redis.NewScript(startSource)
	requeueScript = redis.NewScript(requeueSource)
	finishScript  = redis.NewScript(finishSource)
)

// outcomeLife is how long an outcome is kept.
const outcomeLife = time.Hour

// Outcome is the final result of a task.
type Outcome struct {
	// State is "done" or "dead".
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

// Start is called before user code runs; later demands belong to the next generation. A second call
// after a crash changes nothing.
func (r *Runs) Start(ctx context.Context, id ID) error {
	if id.former {
		// A producer of an earlier release then creates another generation for its next demand.
		if err := r.rdb.Del(ctx, id.generationKey()).Err(); err != nil {
			return fmt.Errorf("start task: %w", redisconn.Clean(err))
		}
		return nil
	}
	err := startScript.Run(ctx, r.rdb, []string{id.generationKey()},
		strconv.FormatUint(id.Generation, 10), int64(generationLife/time.Second)).Err()
	if err != nil {
		return fmt.Errorf("start task: %w", redisconn.Clean(err))
	}
	return nil
}

// Requeue is called when a run ends and its task is to wait until at, so that demands join it
// again. It reports true if a newer task waits that does the same work no later: the caller must
// then drop the run's task. Without an earlier Start it changes nothing.
func (r *Runs) Requeue(ctx context.Context, id ID, at time.Time) (superseded bool, err error) {
	life := generationLife + max(0, time.Until(at))
	result, err := requeueScript.Run(ctx, r.rdb,
		[]string{id.generationKey(), asynqKey(id.Lane, suffixSchedule), asynqKey(id.Lane, suffixRetry)},
		asynqTaskPrefix(id.Lane), id.prefix(), strconv.FormatUint(id.Generation, 10),
		strconv.FormatUint(id.Generation+1, 10), ceilSecond(at).Unix(), int64(life/time.Second), id.suffix()).Text()
	if err != nil {
		return false, fmt.Errorf("requeue task: %w", redisconn.Clean(err))
	}
	return result == "superseded", nil
}

// Finish keeps the outcome for outcomeLife under a separate key: asynq deletes a task that is done,
// and asynq's retention would block the ID.
func (r *Runs) Finish(ctx context.Context, id ID, o Outcome) error {
	data, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("keep outcome: %w", err)
	}
	if err := finishScript.Run(ctx, r.rdb, []string{id.outcomeKey()}, data, int64(outcomeLife/time.Second)).Err(); err != nil {
		return fmt.Errorf("keep outcome: %w", redisconn.Clean(err))
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
		return Outcome{}, fmt.Errorf("read outcome: %w", redisconn.Clean(err))
	}
	var o Outcome
	if err := json.Unmarshal(data, &o); err != nil {
		return Outcome{}, errors.New("read outcome: malformed")
	}
	return o, nil
}
