package report

import (
	"testing"

	"github.com/workflow-bolt/rounds/bench/internal/pair"
)

func TestRowPasses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		better       Better
		ours, theirs []float64
		floor        *float64
		want         bool
	}{
		"no floor":               {Higher, []float64{1}, nil, nil, true},
		"faster than the floor":  {Higher, []float64{6}, []float64{10}, new(0.5), true},
		"slower than the floor":  {Higher, []float64{4}, []float64{10}, new(0.5), false},
		"less wait than a peer":  {Lower, []float64{5}, []float64{10}, new(2.0), true},
		"more wait than allowed": {Lower, []float64{6}, []float64{10}, new(2.0), false},
		"under the limit":        {Lower, []float64{8}, nil, new(8.0), true},
		"over the limit":         {Lower, []float64{8.1}, nil, new(8.0), false},
		"enough without a peer":  {Higher, []float64{8}, nil, new(8.0), true},
		"little without a peer":  {Higher, []float64{7.9}, nil, new(8.0), false},
		"one bad sample":         {Higher, []float64{6, 1, 6}, []float64{10, 10, 10}, new(0.5), true},
	} {
		r := Row{Better: tt.better, Floor: tt.floor, Samples: pair.Samples{Ours: tt.ours, Theirs: tt.theirs}}.Complete()
		if got := r.Pass(); got != tt.want {
			t.Errorf("%s: passes: %t", name, got)
		}
	}
}
