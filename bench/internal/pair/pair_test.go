package pair

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestPairsAlternate(t *testing.T) {
	t.Parallel()
	var order []string
	side := func(name string, figure float64) Figure {
		return func(context.Context) (float64, error) {
			order = append(order, name)
			return figure, nil
		}
	}
	s, err := Alternate(t.Context(), 3, side("a", 1), side("b", 2))
	if err != nil || strings.Join(order, "") != "abbaab" || !slices.Equal(s.Ours, []float64{1, 1, 1}) || !slices.Equal(s.Theirs, []float64{2, 2, 2}) {
		t.Errorf("%v: %v, %v", order, s, err)
	}
	failing := func(context.Context) (float64, error) { return 0, errors.New("x") }
	if _, err := Alternate(t.Context(), 1, side("a", 1), failing); err == nil || !strings.Contains(err.Error(), "peer") {
		t.Errorf("a failing peer: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Alone(ctx, 1, side("a", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// The machine was half as fast during the last pair. The ratio of the medians would be 2.
func TestRatioIsOfPairs(t *testing.T) {
	t.Parallel()
	s := Samples{Ours: []float64{30, 20, 10}, Theirs: []float64{20, 10, 10}}
	if got := s.Ratio(); got != 1.5 {
		t.Errorf("ratio %v, want 1.5", got)
	}
	for _, tt := range []struct {
		figures []float64
		want    float64
	}{{nil, 0}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := Median(tt.figures); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.figures, got, tt.want)
		}
	}
}
