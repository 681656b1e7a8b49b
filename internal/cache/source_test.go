package cache

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"
)

type loadResult struct {
	Entry
	err error
}

// source is a load under the control of the test: it reports each call and returns what the test
// sends.
type source struct {
	entered chan Grant
	results chan loadResult
	waits   chan struct{}
	tags    []Tag
	found   Entry            // that the calls of start pass on
	accept  func(Entry) bool // of the calls that start makes; may be nil
}

func newSource(tags ...Tag) *source {
	return &source{
		entered: make(chan Grant, 16), results: make(chan loadResult, 16), waits: make(chan struct{}, 64), tags: tags,
	}
}

func (s *source) load(ctx context.Context, g Grant) (Value, error) {
	s.entered <- g
	select {
	case r := <-s.results:
		return Value{Bytes: r.Value, Tags: s.tags, Unstored: r.Value == nil, Result: r.Result}, r.err
	case <-ctx.Done():
		return Value{}, ctx.Err()
	}
}

func (s *source) send(val string) { s.results <- loadResult{Entry: Entry{Value: []byte(val)}} }

func (s *source) fail(err error) { s.results <- loadResult{err: err} }

// waitContext signals when Load begins to wait for another caller's load, which is when wait asks
// for Done.
type waitContext struct {
	context.Context
	waits chan<- struct{}
}

func (c waitContext) Done() <-chan struct{} {
	pc := make([]uintptr, 1)
	frame, _ := runtime.CallersFrames(pc[:runtime.Callers(2, pc)]).Next()
	if strings.HasSuffix(frame.Function, "(*Cache).wait") {
		c.waits <- struct{}{}
	}
	return c.Context.Done()
}

// start calls Load in a goroutine.
func start(ctx context.Context, c *Cache, k Key, s *source) <-chan loadResult {
	out := make(chan loadResult, 1)
	go func() {
		e, err := c.Load(waitContext{ctx, s.waits}, k, s.found, s.accept, s.load)
		out <- loadResult{e, err}
	}()
	return out
}

// got checks the result of a Load.
func (b *fixture) got(ch <-chan loadResult, state State, val string) Entry {
	b.t.Helper()
	r := b.result(ch)
	if r.err != nil || r.State != state || string(r.Value) != val {
		b.t.Fatalf("Load = %v %q, %v, want %v %q", r.State, r.Value, r.err, state, val)
	}
	return r.Entry
}

func (b *fixture) result(ch <-chan loadResult) loadResult {
	b.t.Helper()
	return within(b.t, ch, "a result")
}

// entered waits for the next call of the source.
func (b *fixture) entered(s *source) Grant {
	b.t.Helper()
	return within(b.t, s.entered, "a load")
}

// waiting waits until n callers have begun to wait for another caller's load.
func (b *fixture) waiting(s *source, n int) {
	b.t.Helper()
	for range n {
		within(b.t, s.waits, "a waiting caller")
	}
}

// noMoreLoads checks that the source had no other calls than those that the test received.
func (b *fixture) noMoreLoads(s *source) {
	b.t.Helper()
	if n := len(s.entered); n != 0 {
		b.t.Errorf("%d loads too many", n)
	}
}

// within receives, or fails the test after a time that no healthy run reaches.
func within[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("waited 10 s for %s", what)
		panic("unreachable")
	}
}
