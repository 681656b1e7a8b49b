package recovery

import "time"

// figures are what the history of one side shows. Each count of faults has the number of cases in
// which the fault could have happened.
type figures struct {
	lost, lostCases                int
	dead, deadCases                int
	doubled, doubledCases          int
	unguarded                      int // effects beyond a task's first, if the sink had applied all
	refused                        int // effects that the sink refused
	restarts                       []float64
	touched, touchedCases          int
	drains                         []float64
	drainCases                     int
	crashes                        []float64 // processes that each poison ended
	crashesCases                   int
	neighboursLost, neighbourCases int
	quarantined                    int // runs in quarantine
}

// evaluate derives the figures from a history. Lease is the length of a new lease.
func evaluate(h *history, lease time.Duration, end time.Time) figures {
	f := figures{restarts: h.restarts(end).seconds}
	runs := h.byTask()
	disturbed := h.disturbed()
	for _, c := range h.demanded {
		f.addTask(h, c, runs[c.Number], disturbed[c.Number])
		if !c.Poison {
			f.addTakings(h, runs[c.Number], lease)
		}
	}
	for _, d := range h.drains {
		f.drains = append(f.drains, d.took.Seconds())
		if d.running > 0 {
			f.drainCases++
		}
	}
	f.addNeighbours(h, runs)
	return f
}

// addTask adds what became of one task.
func (f *figures) addTask(h *history, c chore, runs []*run, disturbed bool) {
	code, dead := h.dead[h.ids[c.Number]]
	effects, attempted := 0, 0
	for _, r := range runs {
		switch r.result {
		case resultApplied:
			effects++
			attempted++
		case resultRefused:
			f.refused++
			attempted++
		case resultSkipped:
			attempted++
		}
		if r.lane == quarantine {
			f.quarantined++
		}
	}
	if c.Poison {
		f.crashes = append(f.crashes, float64(len(runs)))
		if code == crashedCode {
			f.crashesCases++
		}
		return
	}
	if _, accepted := h.ids[c.Number]; accepted {
		f.lostCases++
		if effects == 0 {
			f.lost++
		}
	}
	if disturbed {
		f.deadCases++
	}
	if dead {
		f.dead++
	}
	if len(runs) > 1 {
		f.doubledCases++
	}
	f.doubled += max(0, effects-1)
	if !c.Fenced {
		f.unguarded += max(0, attempted-1)
	}
}

// addTakings adds the times at which a task was taken although an earlier run had not ended, and
// how many of them were under that run's lease.
func (f *figures) addTakings(h *history, runs []*run, lease time.Duration) {
	for i, later := range runs {
		open, under := false, false
		for _, earlier := range runs[:i] {
			if !earlier.ended.IsZero() && !earlier.ended.After(later.taken()) {
				continue
			}
			open = true
			if h.returned(earlier.worker, later.taken()) {
				continue
			}
			under = under || h.leaseUntil(earlier, lease, later.taken()).After(later.taken())
		}
		if open {
			f.touchedCases++
		}
		if under {
			f.touched++
		}
	}
}

// addNeighbours adds the tasks that ran in a process when a poison ended it, and those of them
// without an effect.
func (f *figures) addNeighbours(h *history, runs map[int][]*run) {
	neighbours := map[int]bool{}
	for _, c := range h.crashes {
		for _, task := range c.neighbours {
			neighbours[task] = true
		}
	}
	f.neighbourCases = len(neighbours)
	for task := range neighbours {
		effect := false
		for _, r := range runs[task] {
			effect = effect || r.result == resultApplied
		}
		if _, dead := h.dead[h.ids[task]]; dead || !effect {
			f.neighboursLost++
		}
	}
}

// disturbed returns the tasks with a run that a fault ended: its process was killed, frozen, or
// asked to stop, or ended by a poison. The code of such a run did not decide its end.
func (h *history) disturbed() map[int]bool {
	out := map[int]bool{}
	for _, r := range h.runs {
		if r.result == resultNone {
			out[r.task] = true
		}
	}
	return out
}
