package flow

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"

	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
)

func TestMain(m *testing.M) {
	if code, ran := process.RunRole(context.Background(), process.VendorRole, process.WorkerRole, PeerRole); ran {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

var origin = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// log returns a log of calls that arrive at the given milliseconds and take 10 ms each; those in
// refused are refused.
func log(refused []int, arrivals ...int) timeline {
	var t timeline
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
	limit := steady(100 * time.Millisecond)
	for name, tt := range map[string]struct {
		log  timeline
		want int
		err  error
	}{
		"none":                              {log(nil, 0, 101, 202), 0, nil},
		"exactly one interval":              {log([]int{100}, 0, 100), 1, nil},
		"a refused call restarts nothing":   {log([]int{50}, 0, 50, 101), 1, nil},
		"two in a row":                      {log([]int{10, 20}, 0, 10, 20), 2, nil},
		"an early call that was served":     {log(nil, 0, 50), 0, errLog},
		"a call in time that was throttled": {log([]int{200}, 0, 200), 0, errLog},
	} {
		early, err := tt.log.early(limit)
		if len(early) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %d early calls, %v", name, len(early), err)
		}
	}
}

func TestBacklogFigures(t *testing.T) {
	t.Parallel()
	b := backlog{account: process.Account{Interval: 90 * time.Millisecond, Margin: 10 * time.Millisecond}, began: origin, calls: 4}
	near := func(got, want float64) bool { return got > want-1e-6 && got < want+1e-6 }
	whole := log([]int{130}, 100, 130, 220, 330, 390)
	if got, err := b.drain(whole, origin.Add(time.Hour)); err != nil || !near(got, 1) { // the last response ends at 400
		t.Errorf("drain %v, %v", got, err)
	}
	if allotted, waited := b.used(whole, origin.Add(time.Hour)); allotted != 420*time.Millisecond || waited != 390*time.Millisecond {
		t.Errorf("%v allotted in %v", allotted, waited)
	}
	// Two of four calls: the time so far counts, for the calls so far.
	half := log(nil, 100, 220)
	if got, err := b.drain(half, origin.Add(time.Second)); err != nil || !near(got, 5) {
		t.Errorf("drain of half a backlog %v, %v", got, err)
	}
	if allotted, waited := b.used(half, origin.Add(time.Second)); allotted != 210*time.Millisecond || waited != time.Second {
		t.Errorf("half a backlog: %v allotted in %v", allotted, waited)
	}
	if _, err := b.drain(log([]int{5}, 0, 5)[1:], origin.Add(time.Second)); err == nil {
		t.Error("a backlog of which nothing was served has a figure")
	}
}

// smokeRows runs parts of the bench at their smallest.
func smokeRows(t *testing.T, selected ...string) map[string]report.Row {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
	rows, err := measure(t.Context(), smoke, selected)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]report.Row{}
	for _, r := range rows {
		byName[r.Name] = r
	}
	return byName
}

func TestDrain(t *testing.T) {
	t.Parallel()
	rows := smokeRows(t, "drain")
	for name, atLeast := range map[string]float64{
		"drain": 1, "refusals-per-1000": 0, "budget-used": 0.01, "pickups-per-call": 1,
		"drain-beside-backoff": 1, "refusals-per-1000-beside-bucket": 0, "pickups-per-call-beside-backoff": 1,
	} {
		if r, ok := rows[name]; !ok || r.Ours < atLeast {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := rows["refusals-per-1000-beside-backoff"]; r.Theirs == nil || *r.Theirs == 0 {
		t.Errorf("the vendor refused no call of a peer that keeps no limit: %+v", r)
	}
}

func TestUnknownPart(t *testing.T) {
	t.Parallel()
	if _, err := measure(t.Context(), smoke, []string{"drain", "x"}); err == nil {
		t.Error("accepted")
	}
}
