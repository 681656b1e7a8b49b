package recovery

import (
	"testing"
	"time"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// at returns a time in seconds after the start.
func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

// token returns the token of a run whose task was taken at a time.
func token(seconds float64) uint64 { return uint64(at(seconds).UnixMicro()) }

// orderly is a history in which nothing went wrong: task 1 ran once; task 2 was interrupted by a
// kill and ran again; task 3 was in a frozen worker and ran again; task 4 is a poison beside task
// 5, which ran again.
func orderly() *history {
	return &history{
		demanded: []chore{{Number: 1}, {Number: 2}, {Number: 3}, {Number: 4, Poison: true}, {Number: 5}},
		ids:      map[int]string{1: "a", 2: "b", 3: "c", 4: "d", 5: "e"},
		dead:     map[string]string{"d": crashedCode},
		died:     map[int]time.Time{1: at(10), 4: at(5)},
		freezes:  map[int][]time.Time{3: {at(2)}},
		kills:    []kill{{at: at(10), worker: 1, interrupted: []int{2}}},
		drains:   []drain{{worker: 5, running: 1, took: 7 * time.Second}},
		crashes:  []crash{{poison: 4, neighbours: []int{5}}},
		leases: map[string][]observation{
			"b": {{at(9.1), at(21.1)}},
			"c": {{at(1.1), at(13)}},
		},
		runs: []*run{
			{task: 1, id: "a", worker: 1, token: token(1), begun: at(1), ended: at(2), result: resultApplied},
			{task: 2, id: "b", worker: 1, token: token(9), begun: at(9)},
			{task: 2, id: "b", worker: 2, token: token(22), begun: at(22), ended: at(23), result: resultApplied},
			{task: 3, id: "c", worker: 3, token: token(1), begun: at(1), ended: at(20)},
			{task: 3, id: "c", worker: 2, token: token(14), begun: at(14), ended: at(15), result: resultApplied},
			{task: 4, id: "d", worker: 4, token: token(5), begun: at(5)},
			{task: 5, id: "e", worker: 4, token: token(4), begun: at(4)},
			{task: 5, id: "e", worker: 2, token: token(17), begun: at(17), ended: at(19), result: resultApplied},
		},
	}
}

// zeros are the figures that are to be 0.
func zeros(f figures) [5]int {
	return [5]int{f.lost, f.dead, f.doubled, f.touched, f.neighboursLost}
}

func TestFiguresOfAnOrderlyHistory(t *testing.T) {
	t.Parallel()
	f := evaluate(orderly(), ourLease, at(60))
	if zeros(f) != [5]int{} {
		t.Errorf("%+v", f)
	}
	if f.lostCases != 4 || f.deadCases != 3 || f.doubledCases != 3 || f.touchedCases != 3 || f.neighbourCases != 1 || f.crashesCases != 1 || f.drainCases != 1 {
		t.Errorf("cases: %+v", f)
	}
	if len(f.restarts) != 1 || f.restarts[0] != 12 || len(f.drains) != 1 || f.drains[0] != 7 || len(f.crashes) != 1 || f.crashes[0] != 1 {
		t.Errorf("%+v", f)
	}
}

// Each fault in the history shows in its figure.
func TestFiguresShowFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(h *history)
		want  [5]int
	}{
		"a task never ran":            {func(h *history) { h.runs = h.runs[1:] }, [5]int{lostAt: 1}},
		"a task was not accepted":     {func(h *history) { h.runs = h.runs[1:]; delete(h.ids, 1) }, [5]int{}},
		"an interrupted task is gone": {func(h *history) { h.runs[2].result = resultNone }, [5]int{lostAt: 1}},
		"a task died":                 {func(h *history) { h.dead["b"] = crashedCode }, [5]int{deadAt: 1}},
		"a neighbour died":            {func(h *history) { h.dead["e"] = crashedCode }, [5]int{deadAt: 1, neighboursAt: 1}},
		"a neighbour is gone":         {func(h *history) { h.runs = h.runs[:7] }, [5]int{lostAt: 1, neighboursAt: 1}},
		"a frozen run also had its effect": {
			func(h *history) { h.runs[3].result = resultApplied }, [5]int{doubledAt: 1},
		},
		"taken before the lease that was observed": {
			func(h *history) { h.runs[2].token, h.runs[2].begun = token(21), at(21) }, [5]int{touchedAt: 1},
		},
		"taken before the lease that the pop gave": {
			func(h *history) { h.leases, h.runs[4].token, h.runs[4].begun = nil, token(12.9), at(12.9) }, [5]int{touchedAt: 1},
		},
		"begun later than it was taken": {
			func(h *history) { h.runs[2].token = token(21) }, [5]int{touchedAt: 1},
		},
		"taken from a run that still renews": {
			func(h *history) {
				h.freezes = nil
				h.leases["c"] = append(h.leases["c"], observation{at(13.5), at(25)})
			}, [5]int{touchedAt: 1},
		},
		"returned by a worker that has stopped": {
			func(h *history) {
				h.drains[0].worker = 1
				h.runs[2].token, h.runs[2].begun = token(13), at(13)
			}, [5]int{},
		},
		"a lease that nothing but the reaper can have set": {
			func(h *history) { h.leases["b"] = append(h.leases["b"], observation{at(21.5), at(34)}) }, [5]int{},
		},
	} {
		h := orderly()
		tt.spoil(h)
		if got := zeros(evaluate(h, ourLease, at(60))); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Places in zeros.
const (
	lostAt = iota
	deadAt
	doubledAt
	touchedAt
	neighboursAt
)

// A poison that is not a dead letter, and one that died of something else, are no cases.
func TestPoisonMustDie(t *testing.T) {
	t.Parallel()
	for _, dead := range []map[string]string{nil, {"d": "exhausted"}} {
		h := orderly()
		h.dead = dead
		if f := evaluate(h, ourLease, at(60)); f.crashesCases != 0 || zeros(f) != [5]int{} {
			t.Errorf("%v: %+v", dead, f)
		}
	}
}

func TestRestarts(t *testing.T) {
	t.Parallel()
	h := orderly()
	h.runs[2].begun = at(70)
	if got := evaluate(h, ourLease, at(80)).restarts; len(got) != 1 || got[0] != 60 {
		t.Errorf("%v", got)
	}
	h.runs = append(h.runs[:2], h.runs[3:]...)
	if got := h.restarts(at(80)); len(got.missing) != 1 || got.seconds[0] != 70 {
		t.Errorf("a task that has not run again: %+v", got)
	}
	// What the killed worker had sent is read after the kill.
	h.runs[1].begun = at(10.02)
	if got := h.restarts(at(80)); len(got.missing) != 1 {
		t.Errorf("the interrupted run counts as the next one: %+v", got)
	}
}

// An empty history reaches no floor.
func TestRowsNeedCases(t *testing.T) {
	t.Parallel()
	short := map[string]bool{}
	for _, r := range rows(full, evaluate(&history{}, ourLease, at(0)), nil) {
		short[r.Name] = !r.Pass()
	}
	for _, name := range []string{
		"lost", "dead", "double-effects", "restart-p95-seconds", "live-touched", "drain-p99-seconds", "poison-crashes", "poison-neighbours-lost",
	} {
		if !short[name+"-cases"] {
			t.Errorf("%s passes without a case", name)
		}
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	figures := []float64{5, 1, 4, 2, 3}
	for p, want := range map[int]float64{1: 1, 20: 1, 21: 2, 95: 5, 100: 5} {
		if got := percentile(figures, p); got != want {
			t.Errorf("p%d is %v, want %v", p, got, want)
		}
	}
	if percentile(nil, 95) != 0 {
		t.Error("a percentile of nothing")
	}
}
