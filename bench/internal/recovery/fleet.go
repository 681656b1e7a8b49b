package recovery

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// workers is the number of worker processes of a side.
const workers = 4

// fleet starts the worker processes of one side and replaces each that ends.
type fleet struct {
	sink     *sink
	settings settings
	log      io.Writer // of the workers

	mu      sync.Mutex
	started int
	all     map[int]*worker // that live
	failed  chan error
	ended   sync.WaitGroup
}

// worker is a process.
type worker struct {
	*process.Process

	n      int
	busy   bool          // a fault has it
	doomed bool          // it was killed, or asked to stop
	gone   chan struct{} // closed when its end has been recorded
}

// start starts the processes and replaces them until ctx ends, which kills them.
func (f *fleet) start(ctx context.Context) {
	f.all, f.failed = map[int]*worker{}, make(chan error, workers)
	for range workers {
		f.ended.Go(func() {
			for ctx.Err() == nil {
				if err := f.run(ctx); err != nil && ctx.Err() == nil {
					f.failed <- err
					return
				}
			}
		})
	}
}

// run starts one process and waits for its end.
func (f *fleet) run(ctx context.Context) (err error) {
	f.mu.Lock()
	f.started++
	w := &worker{n: f.started, gone: make(chan struct{})}
	f.mu.Unlock()
	s := f.settings
	s.Worker = w.n
	if w.Process, err = (process.Program{Log: f.log}).Start(ctx, WorkerRole.Name, s, nil); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = w.Kill() })()
	f.mu.Lock()
	f.all[w.n] = w
	f.mu.Unlock()
	defer f.remove(w)
	return f.bury(ctx, w, w.Wait())
}

// bury records the end of a process, and fails if nothing explains it.
func (f *fleet) bury(ctx context.Context, w *worker, err error) error {
	died := time.Now()
	<-f.sink.disconnected(w.n)
	running := f.sink.running(w.n)
	f.mu.Lock()
	doomed := w.doomed
	f.mu.Unlock()
	poison, neighbours := 0, []int{}
	f.sink.record(func(h *history) {
		h.died[w.n] = died
		for _, r := range running {
			if h.demanded[r.task-1].Poison {
				poison = r.task
			} else {
				neighbours = append(neighbours, r.task)
			}
		}
		if poison > 0 {
			h.crashes = append(h.crashes, crash{poison, neighbours})
		}
	})
	if !doomed && poison == 0 && ctx.Err() == nil {
		return fmt.Errorf("worker %d ended without a fault: %w", w.n, err)
	}
	return nil
}

func (f *fleet) remove(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, w.n)
	close(w.gone)
}

// seize waits for a worker that no other fault has and that suits, and returns one of them at
// random. The caller returns it.
func (f *fleet) seize(ctx context.Context, suits func(*worker) bool) (*worker, error) {
	for {
		if w := f.pick(suits); w != nil {
			return w, nil
		}
		if err := process.Pause(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func (f *fleet) pick(suits func(*worker) bool) *worker {
	f.mu.Lock()
	defer f.mu.Unlock()
	var fit []*worker
	for _, w := range f.all {
		if !w.busy && !w.doomed && suits(w) {
			fit = append(fit, w)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	w := fit[rand.IntN(len(fit))]
	w.busy = true
	return w
}

func (f *fleet) release(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.busy = false
}

// doom marks a worker as one whose end is expected.
func (f *fleet) doom(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.doomed = true
}
