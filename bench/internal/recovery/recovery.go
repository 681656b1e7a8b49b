// Package recovery measures what becomes of tasks when their workers are killed, frozen and asked
// to stop, and when a task ends its worker's process. The product's client, router and server run
// as in its worker, in four processes, and plain asynq runs beside them at the same time, on a
// server of its own and with fewer faults. A process that no fault touches counts the effects; see
// sink.
package recovery

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
	"golang.org/x/sync/errgroup"

	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
)

var (
	full = plan{
		tasks: 10_000, kills: 50, freezes: 10, stops: 10, poisons: 5,
		every: 8 * time.Second, frozen: 14 * time.Second, limit: 13 * time.Minute,
	}
	// beside is a tenth of the faults at the same pace. asynq takes up to two minutes to find the
	// tasks of a frozen worker, and then they wait for their back-off.
	beside = plan{
		tasks: 1_000, kills: 5, freezes: 1, stops: 1, poisons: 1,
		every: 8 * time.Second, frozen: 180 * time.Second, limit: 9 * time.Minute,
	}
	// short has no poison: the last crash of one is certain only after a minute and a half.
	short = plan{
		tasks: 400, kills: 4, freezes: 1, stops: 1,
		every: 4 * time.Second, frozen: 14 * time.Second, limit: 2 * time.Minute,
	}
)

// Flags declares the bench's flags and returns its measurement.
func Flags(flags *flag.FlagSet) func(context.Context) ([]report.Row, error) {
	brief := flags.Bool("short", false, "400 tasks and six faults in less than a minute, without poison and without the peer")
	keep := flags.String("keep", "", "write the history of each side and the logs of the workers into this folder")
	return func(ctx context.Context) ([]report.Row, error) {
		b := bench{progress: flags.Output(), keep: *keep}
		if *brief {
			return b.measure(ctx, short, nil)
		}
		return b.measure(ctx, full, &beside)
	}
}

type bench struct {
	progress io.Writer
	keep     string
}

// measure runs both sides at the same time.
func (b bench) measure(ctx context.Context, p plan, peer *plan) (_ []report.Row, err error) {
	dir, err := os.MkdirTemp("", "recovery")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	keys, err := newKeys()
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	var ours, theirs figures
	run := func(s *side, into *figures) {
		g.Go(func() (err error) {
			*into, err = b.run(ctx, s, dir)
			return err
		})
	}
	run(&side{name: "rounds", plan: p, keys: keys, sink: newSink()}, &ours)
	if peer != nil {
		run(&side{name: "asynq", plain: true, plan: *peer, keys: keys, sink: newSink()}, &theirs)
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if peer == nil {
		return rows(p, ours, nil), nil
	}
	return rows(p, ours, &theirs), nil
}

// run runs one side and reports its progress.
func (b bench) run(ctx context.Context, s *side, dir string) (f figures, err error) {
	if b.keep != "" {
		if err := os.MkdirAll(b.keep, 0o750); err != nil {
			return figures{}, err
		}
		log, err := os.Create(filepath.Join(b.keep, s.name+".log"))
		if err != nil {
			return figures{}, err
		}
		defer func() { _ = log.Close() }()
		s.log = log
	}
	reporting, end := context.WithCancel(ctx)
	var reporter sync.WaitGroup
	reporter.Go(func() { b.report(reporting, s) })
	defer reporter.Wait()
	defer end()
	f, err = s.run(ctx, dir)
	if b.keep != "" {
		err = errors.Join(err, s.sink.write(filepath.Join(b.keep, s.name+".jsonl")))
	}
	return f, err
}

func newKeys() ([]byte, error) {
	keys, err := phi.Generate()
	if err != nil {
		return nil, err
	}
	return keys.JSON()
}

// report writes a line every ten seconds.
func (b bench) report(ctx context.Context, s *side) {
	began := time.Now()
	for process.Pause(ctx, 10*time.Second) == nil {
		_, _ = fmt.Fprintf(b.progress, "%s: %3.0f s: %s\n", s.name, time.Since(began).Seconds(), s.sink.progress())
	}
}
