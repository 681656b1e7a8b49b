package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// The bounds of a lane's archive. asynq trims it while it archives a task, in a script that fails
// halfway, and then leaves the lane damaged, when about 8,000 tasks exceed asynq's own bounds at
// once: those are 10,000 tasks and 90 days.
const (
	archiveKeep = 2000
	archiveLife = 30 * 24 * time.Hour
	archivePage = 200
	// archivePages bounds one pass, archiveEvery is the least time between two of the fleet.
	archivePages = 200
	archiveEvery = 10 * time.Second
)

// Archive removes dead tasks from asynq's archive: those whose dead letters are resolved, old ones,
// and the oldest while there are more than archiveKeep. The ledger is their record, so none leaves
// the archive before it has a dead letter. All fields are required.
type Archive struct {
	Redis redis.UniversalClient
	// Recorded reports which of the tasks have a dead letter (ok) and whether it is open.
	Recorded func(ctx context.Context, ids []string) (open map[string]bool, err error)
	// Record stores the dead letter of a task that has none, such as one that an operator archived.
	Record func(ctx context.Context, t ArchivedTask) error
	Logger *slog.Logger
}

// ArchivedTask is a dead task as asynq's archive holds it.
type ArchivedTask struct {
	Dead

	// Lane is its lane.
	Lane string
	// Code is why it died.
	Code codes.Code
	// Attempts counts its attempts that failed.
	Attempts int
	// DiedAt is when it was archived, to the second.
	DiedAt time.Time
}

// Run trims all lanes every few seconds until ctx ends. Of all processes that do so one at a time
// works on a lane. A failure is logged, and the next pass continues.
func (a *Archive) Run(ctx context.Context) error {
	for failed := false; ; {
		if pause(ctx, archiveEvery/2+rand.N(archiveEvery)) != nil {
			return nil //nolint:nilerr // it was asked to end
		}
		err := a.Trim(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			a.Logger.WarnContext(ctx, "archive not trimmed", "error", err)
		}
		failed = err != nil
	}
}

// Trim makes one pass over the lanes that no other process has worked on within the last seconds.
func (a *Archive) Trim(ctx context.Context) error {
	lanes, err := FindLanes(ctx, a.Redis)
	if err != nil {
		return err
	}
	var errs []error
	for _, lane := range lanes {
		errs = append(errs, a.trimLane(ctx, lane))
	}
	return errors.Join(errs...)
}

func (a *Archive) trimLane(ctx context.Context, lane string) error {
	size, err := a.Redis.ZCard(ctx, asynqKey(lane, suffixArchived)).Result()
	if err != nil || size == 0 {
		return clean(err)
	}
	turn := tenant.GlobalKey("q2", lane, "trim")
	err = a.Redis.Do(ctx, "SET", turn, "1", "NX", "PX", archiveEvery.Milliseconds()).Err()
	if errors.Is(err, redis.Nil) {
		return nil // another process works on the lane
	}
	for kept, n := int64(0), 0; err == nil && n < archivePages; n++ {
		var read, removed int
		read, removed, err = a.trimPage(ctx, lane, kept, max(0, size-archiveKeep-kept))
		size -= int64(removed)
		kept += int64(read - removed)
		if read < archivePage {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("trim archive of %s: %w", lane, clean(err))
	}
	return nil
}

// trimPage reads one page, the oldest first, and removes what may leave. The first surplus of it
// are too many.
func (a *Archive) trimPage(ctx context.Context, lane string, from, surplus int64) (read, removed int, err error) {
	entries, err := a.Redis.ZRangeWithScores(ctx, asynqKey(lane, suffixArchived), from, from+archivePage-1).Result()
	if err != nil || len(entries) == 0 {
		return 0, 0, err
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i], _ = e.Member.(string)
	}
	open, err := a.Recorded(ctx, ids)
	if err != nil {
		return 0, 0, err
	}
	var leave []Task
	oldest := float64(time.Now().Add(-archiveLife).Unix())
	for i, id := range ids {
		isOpen, recorded := open[id]
		excess := int64(i) < surplus || entries[i].Score < oldest
		if recorded && isOpen && !excess || !recorded && !excess {
			continue
		}
		if !recorded {
			if err := a.record(ctx, lane, id, entries[i].Score); err != nil {
				return 0, 0, err
			}
		}
		leave = append(leave, Task{raw: id})
	}
	removed, err = Remove(ctx, a.Redis, lane, StateArchived, leave)
	return len(entries), removed, err
}

// record stores the dead letter of a task that is about to leave the archive. Of a task whose
// record is gone or damaged only the ID is left.
func (a *Archive) record(ctx context.Context, lane, id string, score float64) error {
	t := ArchivedTask{Dead: Dead{ID: id}, Lane: lane, Code: codes.Archived, DiedAt: time.Unix(int64(score), 0).UTC()}
	info, err := inspector(ctx, a.Redis).GetTaskInfo(lane, id)
	switch {
	case err == nil:
		t.Kind, t.Payload, t.Headers = info.Type, info.Payload, info.Headers
		t.Code, t.Attempts = cmp.Or(CodeOf(info.LastErr), t.Code), info.Retried
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
	default:
		if err := a.Redis.Ping(ctx).Err(); err != nil {
			return err
		}
	}
	return a.Record(ctx, t)
}
