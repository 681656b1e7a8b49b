package peer

import (
	"fmt"
	"math"

	"github.com/workflow-bolt/rounds/bench/internal/pair"
	"github.com/workflow-bolt/rounds/bench/internal/report"
)

// Beside is a row that compares our figure with that of a number of the peer's workers. It has no
// floor.
func Beside(mode string, workers int, name, unit string, better report.Better, ours, theirs float64, note string) report.Row {
	r := report.Row{
		Name: name + "-beside-" + mode, Unit: unit, Better: better, Samples: pair.Samples{Ours: []float64{ours}, Theirs: []float64{theirs}},
		Peer: "asynq with " + mode, PeerVersion: Version(),
		PeerConfig: fmt.Sprintf("%d processes with %d slots each; %s", workers, Slots, Configs[mode]), Note: "the peer's: " + note,
	}.Complete()
	if math.IsInf(*r.Ratio, 0) || math.IsNaN(*r.Ratio) { // one figure is 0
		r.Ratio = nil
	}
	return r
}
