package parts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/bench/internal/report"
)

func named(name string) []report.Row { return []report.Row{{Name: name}} }

func names(rows []report.Row) string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Name)
	}
	return strings.Join(all, " ")
}

// A part beside others runs while they do, and its rows keep their place.
func TestPartsBesideOthers(t *testing.T) {
	t.Parallel()
	begun, order := make(chan struct{}), []string{}
	list := List[int]{
		{Name: "a", Run: func(context.Context, int) ([]report.Row, error) {
			<-begun
			order = append(order, "a")
			return named("a"), nil
		}},
		{Name: "beside", Beside: true, Run: func(context.Context, int) ([]report.Row, error) { close(begun); return named("beside"), nil }},
		{Name: "b", Run: func(context.Context, int) ([]report.Row, error) { order = append(order, "b"); return named("b"), nil }},
		{Name: "c", Run: func(context.Context, int) ([]report.Row, error) { return nil, errors.New("x") }},
	}
	rows, err := list.Measure(t.Context(), 0, []string{"beside", "b", "a"}, false)
	if err != nil || names(rows) != "a beside b" || !slices.Equal(order, []string{"a", "b"}) {
		t.Errorf("%s in order %v: %v", names(rows), order, err)
	}
	if _, err := list.Measure(t.Context(), 0, []string{"d"}, false); err == nil {
		t.Error("an unknown part was accepted")
	}
}

// The failure of a part ends the others.
func TestFailedPart(t *testing.T) {
	t.Parallel()
	list := List[int]{
		{Name: "waits", Beside: true, Run: func(ctx context.Context, _ int) ([]report.Row, error) { <-ctx.Done(); return nil, ctx.Err() }},
		{Name: "fails", Run: func(context.Context, int) ([]report.Row, error) { return nil, errors.New("x") }},
		{Name: "next", Run: func(context.Context, int) ([]report.Row, error) { t.Error("ran"); return nil, nil }},
	}
	if _, err := list.Measure(t.Context(), 0, list.Names(), false); err == nil || !strings.Contains(err.Error(), "part fails: x") {
		t.Errorf("error %v", err)
	}
}
