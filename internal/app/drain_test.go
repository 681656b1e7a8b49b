package app

import (
	"errors"
	"testing"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/tasks"
)

// A worker that drains lets its open vendor call end and starts no other, also not for a task that
// already runs and waits for its turn at the vendor.
func TestDrainingWorkerStartsNoVendorCall(t *testing.T) {
	t.Parallel()
	sys := build(t)
	tools := sys.tools(t)
	release := sys.block(t)
	stop := sys.work(t, func(o *WorkerOptions) {
		o.Flow = func(f *flow.Options) { f.Slots = 1 }
	})
	first := sys.demand(t, tools)
	eventually(t, func() error {
		if sys.arrived.Load() == 0 {
			return errors.New("the vendor received no call")
		}
		return nil
	})
	second, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncThrottles{}) // waits longest for its turn
	if err != nil {
		t.Fatal(err)
	}
	sys.ends(t, tools, second.ID, tasks.StateRunning)
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	eventually(t, func() error {
		s, err := tools.Tasks.Status(t.Context(), second.ID)
		if err == nil && (s.State != tasks.StateWaiting || s.Code != codes.Draining || s.Attempt != 0) {
			err = errors.New("it is still " + string(s.State) + " " + string(s.Code))
		}
		return err
	})
	release()
	<-stopped
	sys.ends(t, tools, first.ID, tasks.StateDone)
	if n := sys.arrived.Load(); n != 1 {
		t.Errorf("the vendor received %d calls", n)
	}
}
