package queue

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// tempo is the timing of leases.
type tempo struct {
	// lease is how long a lease lasts after its renewal, by Redis' clock.
	lease time.Duration
	// renew is the interval of renewals: three may fail.
	renew time.Duration
	// lapse is how often a process checks its leases by its own monotonic clock.
	lapse time.Duration
	// reap is how often a worker looks for leases that have ended.
	reap time.Duration
	// thaw is how long a task waits after a crash in quarantine, so that a worker that was only
	// frozen can take the crash back.
	thaw time.Duration
	// patience is how long a worker with a turn waits for its handlers before it returns the turn,
	// and rest how long it then takes none.
	patience, rest time.Duration
}

var defaultTempo = tempo{
	lease: 12 * time.Second, renew: 3 * time.Second, lapse: 500 * time.Millisecond, reap: time.Second, thaw: 30 * time.Second,
	patience: 30 * time.Second, rest: 5 * time.Minute,
}

// seconds is a duration as an argument of a script.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

const (
	// idleLife is how long a run without a handler keeps its lease. asynq's own lease ends within
	// 30 s, and after that it neither starts nor acknowledges a task.
	idleLife = 35 * time.Second
	// ackLife is how long after its handler asynq may still acknowledge a run: two of its leases,
	// because it repeats an ack that failed.
	ackLife = 70 * time.Second
	// maxOwed bounds the runs whose crashes are still to be taken back.
	maxOwed = 256
)

// ErrLeaseLost is the cause of a handler's canceled context after its run has lost the task, and
// the error of Held. The task runs again, perhaps already elsewhere.
var ErrLeaseLost error = codes.LeaseExpired

// run is a task that this process has popped and whose end asynq has not acknowledged.
type run struct {
	id      string
	lane    string // it was popped from, which may be a quarantine lane
	token   string // a fencing token: each run of a task has a greater one than those before
	crashes int    // of the task

	// The following fields belong to leases.mu.

	renewed time.Time // when the last renewal was sent
	touched time.Time // when it was popped, or its handler ended
	working bool      // its handler runs
	cancel  context.CancelCauseFunc
	lost    bool
	latest  time.Time // for which the task was demanded last, by Redis' clock; zero if that is not known
	replay  bool      // an operator has replayed the task
}

// leases are the runs of one process.
type leases struct {
	life time.Duration

	mu      sync.Mutex
	runs    map[string]*run // by task ID
	former  map[string]*run // by task ID: runs that have lost their tasks, and that asynq has yet to acknowledge
	popping int             // pops whose replies have not arrived
	alone   string          // the quarantine lane whose turn the process has, if any
	since   time.Time       // when it took the turn
	resting time.Time       // until when it takes none
	owed    []*run          // lost runs whose marks are still to be removed
}

func newLeases(life time.Duration) *leases {
	return &leases{life: life, runs: map[string]*run{}, former: map[string]*run{}}
}

// add registers a popped task, whose lease began no earlier than sent. It reports false if an
// earlier run of the task has not ended in this process: asynq's acks name only the task, so the
// end of that run would be taken for the end of this one.
func (l *leases) add(r *run, sent time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if before := l.runs[r.id]; before != nil {
		l.lose(before) // its lease had run out
	}
	if before := l.former[r.id]; before != nil && (before.working || now.Sub(before.touched) < ackLife) {
		return false
	}
	delete(l.former, r.id)
	r.renewed, r.touched = sent, now
	l.runs[r.id] = r
	return true
}

// acked returns the run that an ack of asynq ends, or nil if that run has lost its task.
func (l *leases) acked(id string) *run {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.former[id] != nil {
		delete(l.former, id)
		return nil
	}
	return l.runs[id]
}

// isWorking reports whether the handler of a run has not ended.
func (l *leases) isWorking(r *run) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return r.working
}

// end forgets a run whose end was acknowledged.
func (l *leases) end(r *run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.lost = true // a handler that still runs has no more right to the task
	if l.runs[r.id] == r {
		delete(l.runs, r.id)
	}
	if l.former[r.id] == r {
		delete(l.former, r.id)
	}
}

type runKey struct{}

// begin returns the context of a run's handler, and the function to call when the handler has
// ended. It reports false if the process has lost the task.
func (l *leases) begin(ctx context.Context, id string) (context.Context, context.CancelCauseFunc, func(), bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.runs[id]
	if r == nil || r.lost || r.working {
		cancel(ErrLeaseLost)
		return nil, nil, nil, false
	}
	r.working, r.cancel = true, cancel
	ended := func() {
		cancel(nil)
		l.mu.Lock()
		defer l.mu.Unlock()
		r.working, r.cancel, r.touched = false, nil, time.Now()
	}
	return context.WithValue(ctx, runKey{}, held{l, r}), cancel, ended, true
}

// lose ends the right of a run to its task. The caller holds mu.
func (l *leases) lose(r *run) {
	if r.lost {
		return
	}
	r.lost = true
	if l.runs[r.id] == r {
		delete(l.runs, r.id)
		l.former[r.id] = r
	}
	if r.cancel != nil {
		r.cancel(ErrLeaseLost)
	}
	if len(l.owed) < maxOwed {
		l.owed = append(l.owed, r)
	}
}

// lapse loses the runs whose leases were not renewed in time.
func (l *leases) lapse(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.runs {
		if now.Sub(r.renewed) >= l.life {
			l.lose(r)
		}
	}
	maps.DeleteFunc(l.former, func(_ string, r *run) bool { return !r.working && now.Sub(r.touched) >= ackLife })
}

// cancelRun cancels the handler of a task, if it runs in this process.
func (l *leases) cancelRun(id string, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.runs[id]; r != nil && r.cancel != nil {
		r.cancel(cause)
	}
}

// byLane returns the runs whose leases are to be renewed.
func (l *leases) byLane(now time.Time) map[string][]*run {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string][]*run{}
	for _, r := range l.runs {
		if now.Sub(r.renewed) < l.life && (r.working || now.Sub(r.touched) < idleLife) {
			out[r.lane] = append(out[r.lane], r)
		}
	}
	return out
}

// renewed records the result of a renewal that was sent at a time.
func (l *leases) renewed(runs []*run, lost []string, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range runs {
		if slices.Contains(lost, r.id) {
			if l.runs[r.id] == r { // otherwise it ended in the meantime
				l.lose(r)
			}
			continue
		}
		r.renewed = sent
	}
}

// count returns the number of runs.
func (l *leases) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.runs)
}

// all returns every run.
func (l *leases) all() []*run {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.runs))
}

// takeOwed returns the lost runs whose marks are to be removed, and forgets them.
func (l *leases) takeOwed() []*run {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.owed
	l.owed = nil
	return out
}

// owe keeps runs whose marks could not be removed.
func (l *leases) owe(runs []*run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owed = append(l.owed, runs[:min(len(runs), maxOwed-len(l.owed))]...)
}

// held is the value of a handler's context.
type held struct {
	leases *leases
	run    *run
}

func heldBy(ctx context.Context) (held, bool) {
	h, ok := ctx.Value(runKey{}).(held)
	return h, ok
}

// Held returns nil if the run of a handler's context still has its task, and ErrLeaseLost if
// another worker may have it. It costs no round trip. Call it right before an effect that must not
// happen twice. Outside of a Server it returns nil.
func Held(ctx context.Context) error {
	h, ok := heldBy(ctx)
	if !ok {
		return nil
	}
	h.leases.mu.Lock()
	defer h.leases.mu.Unlock()
	if h.run.lost || time.Since(h.run.renewed) >= h.leases.life {
		return ErrLeaseLost
	}
	return nil
}

// demanded records what the start of the run has found.
func (h held) demanded(micros string, replay bool) {
	at, err := strconv.ParseInt(micros, 10, 64)
	h.leases.mu.Lock()
	defer h.leases.mu.Unlock()
	h.run.replay = replay
	if err == nil {
		h.run.latest = time.UnixMicro(at).UTC()
	}
}

// LatestDemand returns the last time for which the task of a handler's context was demanded before
// it started, by Redis' clock, and whether an operator has replayed it since it died. The time is
// zero before Start, outside of a Server, and for a task of an earlier release.
func LatestDemand(ctx context.Context) (at time.Time, replayed bool) {
	h, ok := heldBy(ctx)
	if !ok {
		return time.Time{}, false
	}
	h.leases.mu.Lock()
	defer h.leases.mu.Unlock()
	return h.run.latest, h.run.replay
}

// Token returns the fencing token of a handler's context: each run of a task has a greater one than
// those before. Outside of a Server it returns 0.
func Token(ctx context.Context) uint64 {
	n, _ := strconv.ParseUint(tokenOf(ctx), 10, 64)
	return n
}

func tokenOf(ctx context.Context) string {
	if h, ok := heldBy(ctx); ok {
		return h.run.token
	}
	return ""
}

// Crashed reports whether the task of a handler's context has ended its worker's process too often
// to run again, the last time alone in quarantine.
func Crashed(ctx context.Context) bool {
	h, ok := heldBy(ctx)
	return ok && IsQuarantine(h.run.lane) && h.run.crashes > crashLimit
}
