package queue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	// holdEvery is how often the digests of tasks in quarantine are marked as running.
	holdEvery = 20 * time.Second
	// holdLife is how long such a mark lasts.
	holdLife = 90 * time.Second
	// holdBatch bounds the tasks of each state that are marked.
	holdBatch = 200
)

var (
	turnScript  = newScript("turn")
	yieldScript = newScript("yield")
	holdScript  = newScript("hold")
)

// turnKey holds the worker that may run a task of a quarantine lane.
func turnKey(lane string) string { return tenant.GlobalKey("q2", lane, "turn") }

// enter reports whether the process may take a task, and counts a pop. It may not while it has the
// turn to run a task of a quarantine lane.
func (l *leases) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.alone != "" {
		return false
	}
	l.popping++
	return true
}

func (l *leases) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.popping--
}

// turn returns the quarantine lane whose turn the process has.
func (l *leases) turn() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.alone
}

func (l *leases) setTurn(lane string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alone, l.since = lane, time.Now()
}

// turnSince also returns when the process took the turn.
func (l *leases) turnSince() (lane string, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.alone, l.since
}

// loseTurn ends the turn that the process took at a time, unless it has taken another since.
func (l *leases) loseTurn(since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.Equal(since) {
		l.alone = ""
	}
}

// rests reports whether the process takes no turn for now.
func (l *leases) rests() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.resting)
}

// giveUp reports whether the process has waited for its handlers for too long, and lets it rest.
func (l *leases) giveUp(patience, rest time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.since) < patience {
		return false
	}
	l.resting = time.Now().Add(rest)
	return true
}

// idle reports whether the process runs nothing. A handler that asynq has given up after its
// timeout does not count, because it may never end.
func (l *leases) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.former {
		if r.working {
			return false
		}
	}
	return l.popping == 0 && len(l.runs) == 0
}

// popAlone takes a task of a quarantine lane. First the worker takes its turn, of which the fleet
// has one. While it has the turn it takes no other task; once its handlers have ended, it takes the
// one task, and after that it returns the turn. If they do not end soon, it returns the turn and
// takes none for some minutes.
func (l *retryingClient) popAlone(ctx context.Context, lane string) *redis.Cmd {
	l.solo.Lock()
	defer l.solo.Unlock()
	switch l.leases.turn() {
	case lane:
	case "":
		if l.leases.rests() {
			return none(ctx)
		}
		got, err := l.takeTurn(ctx, lane)
		if err != nil {
			cmd := redis.NewCmd(ctx)
			cmd.SetErr(err)
			return cmd
		}
		if !got {
			return none(ctx)
		}
		l.leases.setTurn(lane)
	default:
		return none(ctx)
	}
	if !l.leases.idle() {
		if l.leases.giveUp(l.tempo.patience, l.tempo.rest) {
			l.log.WarnContext(ctx, "a task in quarantine waits, because handlers of this worker do not end", "lane", lane)
			l.returnTurn(ctx, lane)
		}
		return none(ctx)
	}
	cmd := l.take(ctx, lane, []string{asynqKey(lane, suffixPaused), turnKey(lane)}, l.name)
	if cmd.Err() != nil {
		l.yieldTurn(ctx, lane)
	}
	return cmd
}

func (l *retryingClient) takeTurn(ctx context.Context, lane string) (bool, error) {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return askTurn(ctx, l.UniversalClient, lane, l.name, l.leases.life, "take")
}

func askTurn(ctx context.Context, rdb redis.UniversalClient, lane, name string, life time.Duration, mode string) (bool, error) {
	n, err := turnScript.on(ctx, rdb, lane, []string{turnKey(lane), asynqKey(lane, suffixPaused)}, name, life.Milliseconds(), mode).Int()
	return n == 1, err
}

// yieldTurn returns the turn of a lane if nothing runs for which the worker needs it.
func (l *retryingClient) yieldTurn(ctx context.Context, lane string) {
	if l.leases.turn() == lane && l.leases.count() == 0 {
		l.returnTurn(ctx, lane)
	}
}

func (l *retryingClient) returnTurn(ctx context.Context, lane string) {
	l.leases.setTurn("")
	ctx, cancel := l.bound(context.WithoutCancel(ctx))
	defer cancel()
	_ = yieldScript.on(ctx, l.UniversalClient, lane, []string{turnKey(lane)}, l.name).Err() // otherwise it ends by itself
}

// renewTurn renews the worker's turn. A worker that has lost it takes other tasks again.
func (s *Server) renewTurn(ctx context.Context) {
	lane, since := s.leases.turnSince()
	if lane == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	if ok, err := askTurn(ctx, s.o.Redis, lane, s.name, s.leases.life, "renew"); err == nil && !ok {
		s.leases.loseTurn(since)
	}
}

// hold marks the digests of tasks in quarantine as running until ctx ends, so that equal tasks wait
// in their lanes. The mark ends by itself if an operator removes the task.
func (s *Server) hold(ctx context.Context) {
	every(ctx, holdEvery, func() {
		for _, lane := range s.lanes {
			if IsQuarantine(lane) {
				s.holdLane(ctx, lane)
			}
		}
	})
}

func (s *Server) holdLane(ctx context.Context, lane string) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	pipe := s.o.Redis.Pipeline()
	lists := []*redis.StringSliceCmd{pipe.LRange(ctx, asynqKey(lane, suffixPending), -holdBatch, -1)}
	for _, set := range []string{suffixLease, suffixSchedule, suffixRetry} {
		lists = append(lists, pipe.ZRange(ctx, asynqKey(lane, set), 0, holdBatch))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return
	}
	homes := map[string][]any{}
	for _, list := range lists {
		for _, raw := range list.Val() {
			if id, err := ParseID(raw); err == nil {
				homes[id.Lane] = append(homes[id.Lane], raw)
			}
		}
	}
	for home, ids := range homes {
		_ = holdScript.on(ctx, s.o.Redis, home, nil, append([]any{seconds(holdLife)}, ids...)...).Err()
	}
}

// unhold ends the mark of a task that ended in quarantine, and starts the equal task that waits.
func (l *retryingClient) unhold(ctx context.Context, raw string) {
	id, err := ParseID(raw)
	if err != nil {
		return
	}
	ctx, cancel := l.bound(context.WithoutCancel(ctx))
	defer cancel()
	_ = holdScript.on(ctx, l.UniversalClient, id.Lane, nil, 0, raw).Err() // otherwise it ends by itself
}
