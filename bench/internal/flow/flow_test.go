package flow

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/peer"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog/vendorlogtest"
)

func TestMain(m *testing.M) {
	if code, ran := process.RunRole(context.Background(), process.VendorRole, process.WorkerRole, peer.Role); ran {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestBacklogFigures(t *testing.T) {
	t.Parallel()
	b := backlog{account: process.Account{Interval: 90 * time.Millisecond, Margin: 10 * time.Millisecond}, began: vendorlogtest.Origin, calls: 4, patients: 4}
	near := func(got, want float64) bool { return got > want-1e-6 && got < want+1e-6 }
	whole := vendorlogtest.Log([]int{130}, 100, 130, 220, 330, 390)
	if got, err := b.drain(whole, vendorlogtest.Origin.Add(time.Hour)); err != nil || !near(got, 1) { // the last response ends at 400
		t.Errorf("drain %v, %v", got, err)
	}
	if allotted, waited := b.used(whole, vendorlogtest.Origin.Add(time.Hour)); allotted != 420*time.Millisecond || waited != 390*time.Millisecond {
		t.Errorf("%v allotted in %v", allotted, waited)
	}
	twice := b
	twice.patients = twice.distinct([]process.Asked{{Patient: "1"}, {Patient: "1"}, {Patient: "2"}, {Patient: "3"}})
	if got, err := twice.drain(whole, vendorlogtest.Origin.Add(time.Second)); err != nil || !near(got, 10./3) {
		t.Errorf("drain without one of four patients %v, %v", got, err)
	}
	// Two of four calls: the time so far counts, for the calls so far.
	half := vendorlogtest.Log(nil, 100, 220)
	if got, err := b.drain(half, vendorlogtest.Origin.Add(time.Second)); err != nil || !near(got, 5) {
		t.Errorf("drain of half a backlog %v, %v", got, err)
	}
	if allotted, waited := b.used(half, vendorlogtest.Origin.Add(time.Second)); allotted != 210*time.Millisecond || waited != time.Second {
		t.Errorf("half a backlog: %v allotted in %v", allotted, waited)
	}
	if _, err := b.drain(vendorlogtest.Log([]int{5}, 0, 5)[1:], vendorlogtest.Origin.Add(time.Second)); err == nil {
		t.Error("a backlog of which nothing was served has a figure")
	}
}

// Every part has figures that only real calls give.
func TestParts(t *testing.T) {
	t.Parallel()
	selected := allParts.Names()
	if !process.CanSkew {
		selected = slices.DeleteFunc(selected, func(name string) bool { return name == "skew" })
	}
	rows, err := allParts.Measure(t.Context(), smoke, selected, smoke.atOnce)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]report.Row{}
	for _, r := range rows {
		got[r.Name] = r
	}
	for name, least := range map[string]float64{
		"drain": 1, "refusals-per-1000": 0, "budget-used": 0.01, "pickups-per-call": 1,
		"drain-beside-backoff": 1, "refusals-per-1000-beside-bucket": 0, "pickups-per-call-beside-backoff": 1,
		"drain-unknown": 1, "raised-intervals": 1, "halved-late-refusals": 0, "halved-late-refusals-cases": 0,
		"hog-quiet-p95": 0.01, "hog-jain": 0.01, "hog-quiet-p95-slow": 0.01, "hog-jain-slow": 0.01,
		"interactive-p95-intervals": 0.01, "backfill-budget-used": 0, // a loaded machine may serve nothing in time

		"failover-violations": 0, "failover-violations-cases": 1, "skew-violations": 0, "skew-violations-cases": 1, "stopped-violations": 0, "stopped-violations-cases": 1,
	} {
		if !process.CanSkew && strings.HasPrefix(name, "skew") {
			continue
		}
		if r, ok := got[name]; !ok || r.Ours < least {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := got["refusals-per-1000-beside-backoff"]; r.Theirs == nil || *r.Theirs == 0 {
		t.Errorf("the vendor refused no call of a peer that keeps no limit: %+v", r)
	}
}

func TestRecovered(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return vendorlogtest.Origin.Add(time.Duration(ms) * time.Millisecond) }
	calls := vendorlogtest.Log(nil, 0, 200, 400, 600, 700, 800, 900)
	if got := recovered(calls, 2, at(-100), at(1000), 100*time.Millisecond); got != 7 {
		t.Errorf("at the new pace after %v intervals, want 7", got)
	}
	if got := recovered(calls, 5, at(-100), at(1000), 100*time.Millisecond); got != 11 {
		t.Errorf("never at the new pace: %v intervals, want all 11", got)
	}
}

func TestSharing(t *testing.T) {
	t.Parallel()
	// The second can use only one; the others divide what it leaves.
	if got := maxMin(10, []float64{9, 1, 5}); !slices.Equal(got, []float64{4.5, 1, 4.5}) {
		t.Errorf("fair shares %v", got)
	}
	if got := maxMin(10, []float64{1, 2, 3}); !slices.Equal(got, []float64{1, 2, 3}) {
		t.Errorf("fair shares %v when all can be had", got)
	}
	for _, tt := range []struct {
		shares []float64
		want   float64
	}{{[]float64{2, 2}, 1}, {[]float64{3, 0, 0}, 1. / 3}, {[]float64{0, 0}, 0}, {nil, 0}} {
		if got := jain(tt.shares); got != tt.want {
			t.Errorf("Jain's index of %v is %v, want %v", tt.shares, got, tt.want)
		}
	}
	if got := cost(vendorlogtest.Log(nil, 0, 95)); got != 20*time.Millisecond {
		t.Errorf("two calls cost %v", got)
	}
}
