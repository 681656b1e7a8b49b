// Package parts runs the parts of a bench and reports their progress.
package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/report"
)

// Part is a share of a bench that can be selected. S are the sizes of a run.
type Part[S any] struct {
	Name, About string
	// Beside lets it run beside the parts that do not: it mostly waits.
	Beside bool
	Run    func(context.Context, S) ([]report.Row, error)
}

// List is the parts of a bench, in the order of their rows.
type List[S any] []Part[S]

// Names returns the names of the parts.
func (l List[S]) Names() []string {
	names := make([]string, len(l))
	for i, p := range l {
		names[i] = p.Name
	}
	return names
}

// Measure runs the selected parts: all at once, or one after another those that do not run beside
// others. The failure of one ends all.
func (l List[S]) Measure(ctx context.Context, s S, selected []string, atOnce bool) ([]report.Row, error) {
	for _, name := range selected {
		if !slices.Contains(l.Names(), name) {
			return nil, fmt.Errorf("unknown part %q; the parts are %s", name, strings.Join(l.Names(), ", "))
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, errs := make([][]report.Row, len(l)), make([]error, len(l))
	var beside sync.WaitGroup
	var after []func()
	for i, p := range l {
		if !slices.Contains(selected, p.Name) {
			continue
		}
		run := func() {
			if rows[i], errs[i] = p.measure(ctx, s); errs[i] != nil {
				cancel()
			}
		}
		if atOnce || p.Beside {
			beside.Go(run)
		} else {
			after = append(after, run)
		}
	}
	for _, run := range after {
		run()
	}
	beside.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return slices.Concat(rows...), nil
}

func (p Part[S]) measure(ctx context.Context, s S) ([]report.Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	Progress("part %s: %s", p.Name, p.About)
	rows, err := p.Run(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("part %s: %w", p.Name, err)
	}
	for _, r := range rows {
		if r.Theirs == nil {
			Progress("  %s: %.4g %s", r.Name, r.Ours, r.Unit)
		} else {
			Progress("  %s: %.4g %s, the peer's %.4g", r.Name, r.Ours, r.Unit, *r.Theirs)
		}
	}
	return rows, nil
}

// Progress reports to stderr: a run takes minutes.
func Progress(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}

// AtOnce calls do for every element at once and returns the results in order.
func AtOnce[T, R any](of []T, do func(T) (R, error)) ([]R, error) {
	results, errs := make([]R, len(of)), make([]error, len(of))
	var wg sync.WaitGroup
	for i, v := range of {
		wg.Go(func() { results[i], errs[i] = do(v) })
	}
	wg.Wait()
	return results, errors.Join(errs...)
}
