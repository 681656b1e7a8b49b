package vendorlog

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

var origin = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// log returns a log of calls that arrive at the given milliseconds and take 10 ms each; those in
// refused are refused.
func log(refused []int, arrivals ...int) Timeline {
	var t Timeline
	for i, ms := range arrivals {
		c := tebratest.Call{
			Seq: i + 1, Arrived: origin.Add(time.Duration(ms) * time.Millisecond), Took: 10 * time.Millisecond, Outcome: tebratest.OutcomeOK,
		}
		if slices.Contains(refused, ms) {
			c.Outcome = tebratest.OutcomeThrottled
		}
		t = append(t, c)
	}
	return t
}

func TestEarlyCallsAreComputed(t *testing.T) {
	t.Parallel()
	limit := Steady(100 * time.Millisecond)
	for name, tt := range map[string]struct {
		log  Timeline
		want int
		err  error
	}{
		"none":                              {log(nil, 0, 101, 202), 0, nil},
		"exactly one interval":              {log([]int{100}, 0, 100), 1, nil},
		"a refused call restarts nothing":   {log([]int{50}, 0, 50, 101), 1, nil},
		"two in a row":                      {log([]int{10, 20}, 0, 10, 20), 2, nil},
		"an early call that was served":     {log(nil, 0, 50), 0, ErrLog},
		"a call in time that was throttled": {log([]int{200}, 0, 200), 0, ErrLog},
	} {
		early, err := tt.log.Early(limit)
		if len(early) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %d early calls, %v", name, len(early), err)
		}
	}
}

// While the limit is being changed, either may apply.
func TestEarlyCallsDuringChange(t *testing.T) {
	t.Parallel()
	limit := func(at time.Time) time.Duration {
		switch {
		case !at.After(origin):
			return 100 * time.Millisecond
		case at.Before(origin.Add(time.Second)):
			return 0
		}
		return 200 * time.Millisecond
	}
	calls := log([]int{350, 1450}, -150, 0, 101, 203, 350, 1300, 1450, 1600)
	if early, err := calls.Early(limit); err != nil || len(early) != 2 {
		t.Errorf("%d early calls, %v", len(early), err)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var of []time.Duration
	for i := range 100 {
		of = append(of, time.Duration(100-i))
	}
	if got := Percentile(of, 95); got != 95 {
		t.Errorf("p95 of 1 to 100 is %d", got)
	}
	if got := Percentile(of[:1], 95); got != 100 {
		t.Errorf("p95 of one is %d", got)
	}
}

// The first call for patient 1 was refused, that for patient 3 is not in the log.
func TestServingCall(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return origin.Add(time.Duration(ms) * time.Millisecond) }
	sent := []process.Asked{{At: at(-1), Patient: "1"}, {At: at(199), Patient: "2"}, {At: at(299), Patient: "1"}, {At: at(999), Patient: "3"}}
	calls := log([]int{0}, 0, 200, 300)
	for patient, want := range map[string]time.Time{"1": at(300), "2": at(200), "3": {}, "4": {}} {
		got, ok := calls.Serving(sent, func(a process.Asked) bool { return a.Patient == patient })
		if !got.Arrived.Equal(want) || ok == want.IsZero() {
			t.Errorf("patient %s arrived at %v, %t", patient, got.Arrived, ok)
		}
	}
}
