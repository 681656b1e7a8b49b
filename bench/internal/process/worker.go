package process

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
)

// Runs counts the runs of one kind of task by their outcome, such as "done" or "later". Every
// pick-up of a task is one run.
type Runs map[string]int

// Total returns how often a task was picked up.
func (r Runs) Total() (n int) {
	for _, count := range r {
		n += count
	}
	return n
}

// Add adds other counts.
func (r Runs) Add(other Runs) {
	for state, n := range other {
		r[state] += n
	}
}

// workerSettings are the environment of cmd/worker, by how much the worker's clock is off, and how
// often a refused login is tried; 0 is the default.
type workerSettings struct {
	Env        map[string]string
	Skew       time.Duration
	LoginEvery time.Duration
}

// adjust scales flow control.
func (s workerSettings) adjust(o *flow.Options) {
	if s.LoginEvery > 0 {
		o.Breakers.Credential = s.LoginEvery
	}
}

// WorkerRole is a worker as cmd/worker runs it, which also counts its runs. It reports the time of
// its clock when it is ready; its result is a map of Runs by kind.
var WorkerRole = Role{Name: "worker", Run: runWorker}

func runWorker(ctx context.Context, settings []byte, report func(any) error) error {
	var s workerSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return err
	}
	if err := skewClock(s.Skew); err != nil {
		return err
	}
	c, err := config.LoadWorker(func(name string) string { return s.Env[name] })
	if err != nil {
		return err
	}
	var mu sync.Mutex
	counts := map[string]Runs{}
	w, err := app.NewWorker(ctx, app.WorkerOptions{
		Process: app.Process{Version: "bench", Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))},
		Config:  c,
		Flow:    s.adjust,
		Ended: func(_ context.Context, r app.Run) {
			mu.Lock()
			defer mu.Unlock()
			if counts[r.Kind] == nil {
				counts[r.Kind] = Runs{}
			}
			counts[r.Kind][r.Outcome.State]++
		},
	})
	if err != nil {
		return err
	}
	if err := report(time.Now()); err != nil {
		return err
	}
	if err := w.Run(ctx); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return report(counts)
}
