package recovery

import (
	"fmt"
	"runtime/debug"

	"github.com/workflow-bolt/rounds/internal/codes"

	"github.com/workflow-bolt/rounds/bench/internal/pair"
	"github.com/workflow-bolt/rounds/bench/internal/report"
)

// crashedCode is the code of a dead letter whose task ended its worker's process.
var crashedCode = string(codes.Crashed)

// table makes rows of the figures of both sides.
type table struct {
	ours   figures
	theirs *figures // nil without the peer
	rows   []report.Row
}

// rows returns the rows of the bench. Each row with a floor has one with its cases.
func rows(p plan, ours figures, theirs *figures) []report.Row {
	t := table{ours: ours, theirs: theirs}
	t.bounded("lost", 0, count(func(f figures) int { return f.lost }), p.tasks, func(f figures) int { return f.lostCases },
		"tasks other than poisons without an effect when the bench ended; cases: tasks that were accepted")
	t.bounded("dead", 0, count(func(f figures) int { return f.dead }), p.kills, func(f figures) int { return f.deadCases },
		"dead letters other than poisons; cases: tasks with a run that a fault interrupted")
	t.bounded("double-effects", 0, count(func(f figures) int { return f.doubled }), p.kills, func(f figures) int { return f.doubledCases },
		"effects beyond a task's first that were applied by the sink, which refuses a fencing token smaller than one that it has seen; "+
			"cases: tasks that ran more than once")
	t.free("effects-without-guard", func(f figures) int { return f.unguarded },
		"effects beyond a task's first that a sink without any guard would have applied, of the half of the tasks that call tasks.Held before; "+
			"a task has one if its worker is killed between its effect and its end")
	t.free("effects-fenced", func(f figures) int { return f.refused }, "effects that the sink refused for their tokens")
	t.bounded("restart-p95-seconds", 15, percentileOf("s", 95, func(f figures) []float64 { return f.restarts }),
		2*p.kills, func(f figures) int { return len(f.restarts) },
		"from kill -9 to the next run of each task that ran in the process, those in quarantine included; cases: such tasks")
	t.bounded("live-touched", 0, count(func(f figures) int { return f.touched }), p.kills, func(f figures) int { return f.touchedCases },
		"runs that began while an earlier run of the task had not ended and had a current lease, according to the leases in Redis, which are read "+
			"every 100 ms; cases: runs that began while an earlier one had not ended")
	t.bounded("drain-p99-seconds", 8.5, percentileOf("s", 99, func(f figures) []float64 { return f.drains }),
		p.stops, func(f figures) int { return f.drainCases },
		"from SIGTERM to the end of the process, which has just begun a task that takes 10 s; cases: processes that ran a task")
	if p.poisons > 0 {
		t.bounded("poison-crashes", 3, percentileOf("count", 100, func(f figures) []float64 { return f.crashes }),
			p.poisons, func(f figures) int { return f.crashesCases },
			"most runs of one poison, each of which ends its worker's process; cases: poisons that are dead letters because of that")
		t.bounded("poison-neighbours-lost", 0, count(func(f figures) int { return f.neighboursLost }),
			p.poisons, func(f figures) int { return f.neighbourCases },
			"tasks without an effect, or dead, that ran in a process when a poison ended it; cases: tasks that did")
	}
	t.free("quarantined", func(f figures) int { return f.quarantined }, "runs in quarantine")
	return t.rows
}

// quantity is a figure with its samples.
type quantity struct {
	unit    string
	of      func(figures) float64
	samples func(figures) []float64
}

func count(of func(figures) int) quantity {
	return quantity{
		"count", func(f figures) float64 { return float64(of(f)) },
		func(f figures) []float64 { return []float64{float64(of(f))} },
	}
}

func percentileOf(unit string, p int, of func(figures) []float64) quantity {
	return quantity{unit, func(f figures) float64 { return percentile(of(f), p) }, of}
}

// bounded adds a row whose figure has a limit, and the row of its cases, of which there must be
// enough.
func (t *table) bounded(name string, limit float64, q quantity, enough int, cases func(figures) int, note string) {
	floor := float64(enough)
	t.add(name, report.Lower, &limit, q, note)
	t.add(name+"-cases", report.Higher, &floor, count(cases), "cases in which "+name+" could have been worse")
}

// free adds a row without a floor.
func (t *table) free(name string, of func(figures) int, note string) {
	t.add(name, report.Lower, nil, count(of), note)
}

// add adds a row. There is no ratio, so that the floor bounds ours: both figures may be 0.
func (t *table) add(name string, better report.Better, floor *float64, q quantity, note string) {
	r := report.Row{
		Name: name, Unit: q.unit, Better: better, Floor: floor, Note: note,
		Ours: q.of(t.ours), Samples: pair.Samples{Ours: q.samples(t.ours)},
	}
	if t.theirs != nil {
		theirs := q.of(*t.theirs)
		r.Theirs, r.Samples.Theirs = &theirs, q.samples(*t.theirs)
		r.Peer, r.PeerVersion, r.PeerConfig = "plain asynq", asynqVersion(), peerConfig
	}
	t.rows = append(t.rows, r)
}

var peerConfig = fmt.Sprintf("asynq's server and client with their defaults and as many slots, on a redis-server of its own, at the same time; "+
	"%d tasks, %d kill -9, %d SIGSTOP, %d SIGTERM and %d poison; it is watched for %v, and asynq would continue to run the poison, 26 times in all",
	beside.tasks, beside.kills, beside.freezes, beside.stops, beside.poisons, beside.limit)

func asynqVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/hibiken/asynq" {
				return m.Version
			}
		}
	}
	return ""
}
