package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	// reapBatch is the number of tasks that one script returns.
	reapBatch = 100
	// crashLimit is the number of crashes after which a task runs only in quarantine. The next one
	// there is its last.
	crashLimit = 2
	// crashLife is how long a crash counts: a task that waits for days may lose its worker twice.
	crashLife = 24 * time.Hour
)

var (
	reapScript    = newScript("reap")
	confineScript = newScript("confine")
	evictScript   = newScript("evict")
)

// reapKey holds when the last reap of a lane was, and when tasks are returned again.
func reapKey(lane string) string { return tenant.GlobalKey("q2", lane, "reap") }

// reap returns the tasks of dead workers until ctx ends.
func (s *Server) reap(ctx context.Context) {
	every(ctx, s.o.tempo.reap, func() {
		// No lost run of this worker may count as a crash.
		if !s.absolve(ctx) {
			return
		}
		for _, lane := range s.lanes {
			if err := s.reapLane(ctx, lane); err != nil && ctx.Err() == nil {
				s.o.Logger.DebugContext(ctx, "cannot look for ended leases", "lane", lane, "error", err)
			}
		}
	})
}

func (s *Server) reapLane(ctx context.Context, lane string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	limit := crashLimit
	if IsQuarantine(lane) {
		limit = 0
	}
	t := s.o.tempo
	reply, err := reapScript.on(ctx, s.o.Redis, lane, []string{reapKey(lane)},
		reapBatch, seconds(t.lease), limit, seconds(t.thaw), seconds(t.renew), seconds(t.renew+t.reap), seconds(crashLife)).Slice()
	if err != nil {
		return fmt.Errorf("reap: %w", clean(err))
	}
	returned, dropped, crashed, ok := readReaped(reply)
	if !ok {
		return errors.New("reap script returned an unknown reply")
	}
	log := s.o.Logger.With("lane", lane)
	if returned > 0 {
		log.WarnContext(ctx, "leases have ended, and their tasks run again", "tasks", returned)
	}
	if dropped > 0 {
		log.WarnContext(ctx, "leases have ended whose tasks are gone", "tasks", dropped)
	}
	if len(crashed) > 0 {
		log.WarnContext(ctx, "tasks have ended their worker's process again, and move to quarantine", "tasks", len(crashed))
	}
	for _, c := range crashed {
		if err := confine(ctx, s.o.Redis, lane, c); err != nil {
			return err // its short lease ends, and it is found again
		}
	}
	return nil
}

// crashed is a task that is to move to quarantine.
type crashed struct{ id, message, token, crashes, last string }

func readReaped(reply []any) (returned, dropped int64, move []crashed, ok bool) {
	if len(reply) != 3 {
		return 0, 0, nil, false
	}
	returned, ok1 := reply[0].(int64)
	dropped, ok2 := reply[1].(int64)
	rows, ok3 := reply[2].([]any)
	for _, row := range rows {
		var texts []string
		cells, _ := row.([]any)
		for _, cell := range cells {
			text, _ := cell.(string)
			texts = append(texts, text)
		}
		if len(texts) != 5 {
			return 0, 0, nil, false
		}
		move = append(move, crashed{texts[0], texts[1], texts[2], texts[3], texts[4]})
	}
	return returned, dropped, move, ok1 && ok2 && ok3
}

// confine moves a task to quarantine under its own ID. The two lanes may be on different nodes: an
// interruption leaves the task in both, and the next reap finishes the move.
func confine(ctx context.Context, rdb redis.UniversalClient, lane string, c crashed) error {
	quarantine := QuarantineOf(lane)
	message := appendText([]byte(c.message), fieldQueue, quarantine)
	if err := rdb.SAdd(ctx, asynqQueues, quarantine).Err(); err != nil {
		return fmt.Errorf("quarantine task: %w", clean(err))
	}
	if err := confineScript.on(ctx, rdb, quarantine, nil, c.id, message, c.token, c.crashes, c.last).Err(); err != nil {
		return fmt.Errorf("quarantine task: %w", clean(err))
	}
	if err := evictScript.on(ctx, rdb, lane, nil, c.id, c.token, seconds(holdLife)).Err(); err != nil {
		return fmt.Errorf("quarantine task: %w", clean(err))
	}
	return nil
}
