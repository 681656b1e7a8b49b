// Package outages measures what an outage of each of our own stores costs the tasks and the readers
// that meet it. It runs a gateway and two workers in this process, and real servers behind proxies.
package outages

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/pair"
	"github.com/workflow-bolt/rounds/bench/internal/report"
)

// full is the length of an outage at scale 1.
const full = 10 * time.Minute

type options struct {
	scale                float64
	tasks, invalidations int
	only                 string
}

func (o options) length() time.Duration { return time.Duration(float64(full) * o.scale) }

func (o options) check() error {
	switch {
	case o.scale < 0.005 || o.scale > 1:
		return errors.New("scale is not between 0.005 and 1")
	case o.tasks <= practices || o.tasks > 10_000:
		return fmt.Errorf("tasks are not between %d and 10000", practices+1)
	case o.invalidations < 1 || o.invalidations > o.tasks-practices:
		return errors.New("invalidations are below 1, or more than the patients")
	}
	return nil
}

// Flags declares the bench's flags and returns its measurement.
func Flags(flags *flag.FlagSet) func(context.Context) ([]report.Row, error) {
	var o options
	flags.Float64Var(&o.scale, "scale", 0.05, "length of each outage, as a part of ten minutes")
	flags.IntVar(&o.tasks, "tasks", 1000, "tasks that wait during each outage")
	flags.IntVar(&o.invalidations, "invalidations", 50, "invalidations that wait during each outage")
	flags.StringVar(&o.only, "only", "", "outages to play, such as \"cache frozen\" or \"ledger\"; empty plays all twelve")
	return func(ctx context.Context) ([]report.Row, error) { return measure(ctx, o) }
}

func measure(ctx context.Context, o options) (rows []report.Row, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s, err := newSystem(ctx, o.tasks)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.prepare(ctx, o); err != nil {
		return nil, err
	}
	var names []string
	var results []result
	for i, sc := range s.scenarios() {
		if !strings.HasPrefix(sc.name, o.only) {
			continue
		}
		r, err := s.play(ctx, sc, o, i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sc.name, err)
		}
		_, _ = fmt.Fprintf(os.Stderr, "outages: %s: %d waited, %d attempts used, %d dead, %d of %d called fresh while wrong, resumed within %.1f s, %d pickups\n",
			sc.name, r.waiting, r.used, r.dead, r.stale, r.proven, p95(r.resume), r.pickups)
		names, results = append(names, sc.name), append(results, r)
	}
	if len(results) == 0 {
		return nil, fmt.Errorf("no outage is named %q", o.only)
	}
	return o.rows(names, results), nil
}

func p95(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(samples))
	return s[(len(s)*95+99)/100-1]
}

// rows are the sums of what must not happen at all, and the worst outage of what is bounded. The
// samples are those of the outages, in the order of the note.
func (o options) rows(names []string, results []result) []report.Row {
	scaled := fmt.Sprintf("outages of %v instead of %v (scale %g), in this order: %s", o.length(), full, o.scale, strings.Join(names, ", "))
	row := func(name, unit, note string, better report.Better, floor float64, figure func(result) float64, total func([]float64) float64) report.Row {
		var samples pair.Samples
		for _, r := range results {
			samples.Ours = append(samples.Ours, figure(r))
		}
		return report.Row{Name: name, Unit: unit, Better: better, Ours: total(samples.Ours), Floor: &floor, Samples: samples, Note: note + "; " + scaled}
	}
	zero := func(name, note string, bad, cases func(result) int) []report.Row {
		return []report.Row{
			row(name, "count", note, report.Lower, 0, number(bad), sum),
			row(name+"-cases", "count", "how many could have failed, in the outage with the fewest", report.Higher, 1, number(cases), slices.Min[[]float64]),
		}
	}
	waiting := func(r result) int { return r.waiting }
	return slices.Concat(
		zero("attempts-burnt", "runs that counted as failed attempts; the cases are tasks that had not run when the outage ended",
			func(r result) int { return r.used }, waiting),
		zero("dead", "tasks that became dead letters; the cases are tasks that had not run when the outage ended",
			func(r result) int { return r.dead }, waiting),
		zero("stale-after", "records that a gateway returned wrong and called fresh after the outage; the cases are records that it returned wrong",
			func(r result) int { return r.stale }, func(r result) int { return r.proven }),
		[]report.Row{
			row("resume-p95-seconds", "s", "from the end of the outage to the end of a waiting task's first run that no store ends, of the slowest outage", report.Lower, 5,
				func(r result) float64 { return p95(r.resume) }, slices.Max[[]float64]),
			row("pickups-per-task", "count", "runs of the task with the most, up to the first that no store ends", report.Lower, 5,
				number(func(r result) int { return r.pickups }), slices.Max[[]float64]),
		})
}

func number(count func(result) int) func(result) float64 {
	return func(r result) float64 { return float64(count(r)) }
}

func sum(all []float64) (total float64) {
	for _, n := range all {
		total += n
	}
	return total
}
