// Package pair runs a measurement and its peer in alternating pairs. The load of a machine changes
// while a bench runs; within a pair, it is mostly the same for both.
package pair

import (
	"context"
	"fmt"
	"runtime"
	"slices"
)

// Figure measures once and returns a figure.
type Figure func(ctx context.Context) (float64, error)

// Samples are the figures of all pairs, in the order in which they were measured.
type Samples struct {
	Ours   []float64 `json:"ours"`
	Theirs []float64 `json:"theirs,omitempty"`
}

// Alternate measures n pairs, first ours and then theirs, and the other way round in every second
// pair. Each measurement begins with a collected heap.
func Alternate(ctx context.Context, n int, ours, theirs Figure) (Samples, error) {
	var s Samples
	for i := range n {
		order := []struct {
			name    string
			measure Figure
			into    *[]float64
		}{{"ours", ours, &s.Ours}, {"peer", theirs, &s.Theirs}}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, side := range order {
			figure, err := once(ctx, side.measure)
			if err != nil {
				return s, fmt.Errorf("pair %d, %s: %w", i+1, side.name, err)
			}
			*side.into = append(*side.into, figure)
		}
	}
	return s, nil
}

// Alone measures n times without a peer.
func Alone(ctx context.Context, n int, ours Figure) (Samples, error) {
	var s Samples
	for i := range n {
		figure, err := once(ctx, ours)
		if err != nil {
			return s, fmt.Errorf("sample %d: %w", i+1, err)
		}
		s.Ours = append(s.Ours, figure)
	}
	return s, nil
}

func once(ctx context.Context, measure Figure) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	runtime.GC()
	return measure(ctx)
}

// Ratio returns the median of the pairs' ratios: how many times larger ours is than theirs. A pair
// shares the load of the machine, so this varies less than the ratio of the medians.
func (s Samples) Ratio() float64 {
	ratios := make([]float64, len(s.Theirs))
	for i, theirs := range s.Theirs {
		ratios[i] = s.Ours[i] / theirs
	}
	return Median(ratios)
}

// Median returns the median of figures, or 0 if there are none.
func Median(figures []float64) float64 {
	if len(figures) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(figures))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
