package tasks

import (
	"context"
	"sync/atomic"
	"testing"
)

// probed is called by probe's methods.
var probed atomic.Pointer[func(where string)]

// probe is the arguments of a kind whose methods report that they run.
type probe struct {
	Text string `json:"text"`
}

func probeAt(where string) {
	if f := probed.Load(); f != nil {
		(*f)(where)
	}
}

func (probe) Kind() string     { return "test.probe" }
func (probe) Options() Options { probeAt("options"); return Options{} }
func (probe) Validate() error  { probeAt("validate"); return nil }

func (p *probe) UnmarshalJSON([]byte) error { probeAt("decode"); return nil }

// TestCodeOfOthersRunsAfterTheMark checks that middleware and the methods of a kind run when the
// run is marked, so that one that ends the process counts as a crash.
func TestCodeOfOthersRunsAfterTheMark(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{Redis: b.rdb, Middleware: []Middleware{func(next Next) Next {
		return func(ctx context.Context, run *Run) error {
			probeAt("middleware")
			return next(ctx, run)
		}
	}}})
	Handle(r, WorkerFunc[probe](func(context.Context, *Job[probe]) error { probeAt("work"); return nil }))
	id := b.enqueue(t, probe{Text: "x"}).ID
	seen := make(chan string, 16)
	report := func(where string) {
		f := b.rdb.HMGet(context.Background(), "asynq:{sync}:t:"+id, "mark", "run").Val()
		if f[0] == nil || f[0] != f[1] {
			where = "unmarked: " + where
		}
		seen <- where
	}
	probed.Store(&report)
	defer probed.Store(nil)
	b.serve(t, r)
	for _, want := range []string{"middleware", "decode", "options", "validate", "work"} {
		if got := receive(t, seen); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	eventually(t, "the task is gone", func() bool { return b.rdb.HLen(t.Context(), "asynq:{sync}:t:"+id).Val() == 0 })
}
