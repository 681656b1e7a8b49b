package vendorlog_test

import (
	"errors"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog/vendorlogtest"
)

func TestEarlyCallsAreComputed(t *testing.T) {
	t.Parallel()
	limit := vendorlog.Steady(100 * time.Millisecond)
	for name, tt := range map[string]struct {
		log  vendorlog.Timeline
		want int
		err  error
	}{
		"none":                              {vendorlogtest.Log(nil, 0, 101, 202), 0, nil},
		"exactly one interval":              {vendorlogtest.Log([]int{100}, 0, 100), 1, nil},
		"a refused call restarts nothing":   {vendorlogtest.Log([]int{50}, 0, 50, 101), 1, nil},
		"two in a row":                      {vendorlogtest.Log([]int{10, 20}, 0, 10, 20), 2, nil},
		"an early call that was served":     {vendorlogtest.Log(nil, 0, 50), 0, vendorlog.ErrLog},
		"a call in time that was throttled": {vendorlogtest.Log([]int{200}, 0, 200), 0, vendorlog.ErrLog},
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
		case !at.After(vendorlogtest.Origin):
			return 100 * time.Millisecond
		case at.Before(vendorlogtest.Origin.Add(time.Second)):
			return 0
		}
		return 200 * time.Millisecond
	}
	calls := vendorlogtest.Log([]int{350, 1450}, -150, 0, 101, 203, 350, 1300, 1450, 1600)
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
	if got := vendorlog.Percentile(of, 95); got != 95 {
		t.Errorf("p95 of 1 to 100 is %d", got)
	}
	if got := vendorlog.Percentile(of[:1], 95); got != 100 {
		t.Errorf("p95 of one is %d", got)
	}
}

// The first call for patient 1 was refused, that for patient 3 is not in the log.
func TestServingCall(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return vendorlogtest.Origin.Add(time.Duration(ms) * time.Millisecond) }
	sent := []process.Asked{{At: at(-1), Patient: "1"}, {At: at(199), Patient: "2"}, {At: at(299), Patient: "1"}, {At: at(999), Patient: "3"}}
	calls := vendorlogtest.Log([]int{0}, 0, 200, 300)
	for patient, want := range map[string]time.Time{"1": at(300), "2": at(200), "3": {}, "4": {}} {
		got, ok := calls.Serving(sent, func(a process.Asked) bool { return a.Patient == patient })
		if !got.Arrived.Equal(want) || ok == want.IsZero() {
			t.Errorf("patient %s arrived at %v, %t", patient, got.Arrived, ok)
		}
	}
}
