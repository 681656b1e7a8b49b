package recovery

import (
	"strings"
	"sync"
	"time"
)

// sink is where the tasks of one side have their effects, in a process that no fault touches. It
// applies effects as a store with fencing does: it keeps the greatest token that has begun a task
// or changed it, and refuses an effect with a smaller one. It answers a run that begins whether the
// task's effect was applied already; such a run has none. It counts each effect that it applies, so
// that a task is doubled if two of its effects were applied: two runs must have had one token, and
// neither may have seen the effect of the other. Plain asynq has no tokens: all of its runs have
// the token 0.
//
// The sink also keeps the history from which the figures are derived.
type sink struct {
	conns sync.WaitGroup

	mu      sync.Mutex
	history history
	states  map[int]*state        // by task
	live    map[int]map[int]*run  // runs whose handler has not ended, by worker and run
	left    map[int]chan struct{} // closed when a worker's connection has ended
	done    int
}

// state is what the sink keeps of a task.
type state struct {
	fence   uint64
	applied int
}

func newSink() *sink {
	return &sink{
		history: history{
			ids: map[int]string{}, leases: map[string][]observation{}, freezes: map[int][]time.Time{}, died: map[int]time.Time{},
			dead: map[string]string{},
		},
		states: map[int]*state{}, live: map[int]map[int]*run{}, left: map[int]chan struct{}{},
	}
}

// take applies one request of a worker.
func (s *sink) take(worker int, r request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch r.Do {
	case doBegin:
		return s.begin(worker, r, now)
	case doEffect:
		return s.effect(worker, r)
	case doEnd:
		if run := s.live[worker][r.Run]; run != nil {
			run.ended = now
			delete(s.live[worker], r.Run)
		}
	case doBury:
		s.history.dead[r.ID] = r.Code
	}
	return true
}

func (s *sink) begin(worker int, r request, now time.Time) bool {
	st := s.states[r.Task]
	if st == nil {
		st = &state{}
		s.states[r.Task] = st
	}
	st.fence = max(st.fence, r.Token)
	began := &run{task: r.Task, id: r.ID, worker: worker, token: r.Token, lane: r.Lane, begun: now}
	if st.applied > 0 {
		began.result = resultSkipped
	}
	s.history.runs = append(s.history.runs, began)
	if s.live[worker] == nil {
		s.live[worker] = map[int]*run{}
	}
	s.live[worker][r.Run] = began
	return st.applied > 0
}

func (s *sink) effect(worker int, r request) bool {
	run, st := s.live[worker][r.Run], s.states[r.Task]
	if run == nil || st == nil {
		return false
	}
	if r.Token < st.fence {
		run.result = resultRefused
		return false
	}
	run.result = resultApplied
	if st.applied++; st.applied == 1 {
		s.done++
	}
	return true
}

func (s *sink) gone(worker int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.leaving(worker))
}

// disconnected returns a channel that is closed when all that a worker sent has been read.
func (s *sink) disconnected(worker int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving(worker)
}

// leaving returns the channel of a worker, which has to be made first. The caller holds mu.
func (s *sink) leaving(worker int) chan struct{} {
	if s.left[worker] == nil {
		s.left[worker] = make(chan struct{})
	}
	return s.left[worker]
}

// running returns the runs of a worker whose handlers have not ended.
func (s *sink) running(worker int) []*run {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*run, 0, len(s.live[worker]))
	for _, r := range s.live[worker] {
		out = append(out, r)
	}
	return out
}

// quarantined returns the IDs of tasks that run in quarantine, with their workers.
func (s *sink) quarantined() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]int{}
	for worker, runs := range s.live {
		for _, r := range runs {
			if strings.HasSuffix(r.lane, quarantine) {
				out[r.id] = worker
			}
		}
	}
	return out
}

// record changes the history.
func (s *sink) record(change func(*history)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.history)
}

// complete reports whether every task has had its effect, or is a dead letter if it is poison, and
// every task that a kill interrupted has begun again.
func (s *sink) complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.history.demanded {
		_, dead := s.history.dead[s.history.ids[c.Number]]
		if st := s.states[c.Number]; c.Poison && !dead || !c.Poison && (st == nil || st.applied == 0) {
			return false
		}
	}
	return len(s.history.restarts(time.Now()).missing) == 0
}

// counts returns how many tasks have had their effect, and how many were demanded.
func (s *sink) counts() (done, demanded int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done, len(s.history.demanded)
}
