package recovery

import (
	"cmp"
	"slices"
	"time"
)

// result is what became of a run's effect.
type result int

const (
	resultNone result = iota // the run was interrupted, or had lost its task
	resultApplied
	resultRefused // its token was too small
	resultSkipped // the effect had been applied before the run began
)

// run is one run of a task, as the sink saw it.
type run struct {
	task   int
	id     string
	worker int
	token  uint64
	lane   string
	begun  time.Time
	ended  time.Time // zero if its handler did not return
	result result
}

// taken returns when the task was taken from its lane. A token is at least the time of the pop by
// Redis' clock.
func (r *run) taken() time.Time {
	if t := time.UnixMicro(int64(r.token)); r.token > 0 && t.Before(r.begun) {
		return t
	}
	return r.begun
}

// observation is the end of a task's lease, as Redis replied at a time.
type observation struct {
	at    time.Time
	until time.Time
}

// kill is one kill -9.
type kill struct {
	at          time.Time
	worker      int
	interrupted []int // tasks
}

// drain is one SIGTERM.
type drain struct {
	worker  int
	running int // handlers at that time
	took    time.Duration
}

// crash is the end of a process that a task caused.
type crash struct {
	poison     int
	neighbours []int // the other tasks that ran in the process
}

// history is what happened on one side.
type history struct {
	demanded []chore        // the first has the number 1
	ids      map[int]string // of tasks, by number
	runs     []*run
	leases   map[string][]observation // by task ID, when they changed
	kills    []kill
	freezes  map[int][]time.Time // when a worker was frozen, by worker
	drains   []drain
	crashes  []crash
	died     map[int]time.Time // by worker
	dead     map[string]string // codes of dead letters, by task ID
}

// observe keeps the end of a task's lease.
func (h *history) observe(id string, o observation) {
	all := h.leases[id]
	if len(all) == 0 || !all[len(all)-1].until.Equal(o.until) {
		h.leases[id] = append(all, o)
	}
}

// byTask returns the runs of each task in the order in which they began.
func (h *history) byTask() map[int][]*run {
	out := map[int][]*run{}
	for _, r := range h.runs {
		out[r.task] = append(out[r.task], r)
	}
	for _, runs := range out {
		slices.SortFunc(runs, func(a, b *run) int { return a.begun.Compare(b.begun) })
	}
	return out
}

// restarts are the times from a kill to the next run of each task that it interrupted.
type restarts struct {
	seconds []float64
	missing []int // tasks that have not run again: their time lasts until the end
}

func (h *history) restarts(end time.Time) restarts {
	var out restarts
	runs := h.byTask()
	for _, k := range h.kills {
		for _, task := range k.interrupted {
			i := slices.IndexFunc(runs[task], func(r *run) bool { return r.begun.After(k.at) && r.worker != k.worker })
			at := end
			if i >= 0 {
				at = runs[task][i].begun
			} else {
				out.missing = append(out.missing, task)
			}
			out.seconds = append(out.seconds, at.Sub(k.at).Seconds())
		}
	}
	return out
}

// stopped returns when the worker of a run died or was frozen first after the run began, and before
// the limit. Until then it could renew the lease.
func (h *history) stopped(r *run, limit time.Time) time.Time {
	if died, ok := h.died[r.worker]; ok && died.Before(limit) {
		limit = died
	}
	for _, frozen := range h.freezes[r.worker] {
		if frozen.After(r.begun) && frozen.Before(limit) {
			limit = frozen
		}
	}
	return limit
}

// returned reports whether a worker that was asked to stop had ended by itself at a time. It gives
// its tasks back.
func (h *history) returned(worker int, by time.Time) bool {
	return h.died[worker].Before(by) && slices.ContainsFunc(h.drains, func(d drain) bool { return d.worker == worker && d.took < stopLimit })
}

// leaseUntil returns the end of a run's lease, if it was observed before the limit. A lease
// lasts for its length at least.
func (h *history) leaseUntil(r *run, length time.Duration, limit time.Time) time.Time {
	limit = h.stopped(r, limit)
	until := r.taken().Add(length)
	for _, o := range h.leases[r.id] {
		if o.at.After(r.taken()) && o.at.Before(limit) && o.until.After(until) {
			until = o.until
		}
	}
	return until
}

// percentile returns the smallest figure that at least p of 100 figures do not exceed, or 0 if
// there are none.
func percentile(figures []float64, p int) float64 {
	if len(figures) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(figures), cmp.Compare[float64])
	return sorted[(len(sorted)*p+99)/100-1]
}
