package queue

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// These tests run workers as processes of their own, which they freeze and kill.

// workers are the worker processes of one test.
type workers struct {
	t     *testing.T
	url   string
	haste string
	rdb   *redis.Client
	mu    sync.Mutex
	log   strings.Builder
}

func newWorkers(t *testing.T, haste string) *workers {
	t.Helper()
	url := redistest.URL(t)
	o, err := redis.ParseURL(url)
	must(t, err)
	w := &workers{t: t, url: url, haste: haste, rdb: redis.NewClient(o)}
	t.Cleanup(func() {
		_ = w.rdb.Close()
		if t.Failed() {
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Log(w.log.String())
		}
	})
	return w
}

// Write collects what the workers log.
func (w *workers) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

// start starts a worker, which is killed at the end of the test.
func (w *workers) start() *exec.Cmd {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), workerVariable+"="+w.url, hasteVariable+"="+w.haste)
	cmd.Stderr = w
	must(w.t, cmd.Start())
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// event is a line that a worker wrote.
type event struct {
	what, kind, lane string
	pid              int
	token            uint64
}

// await waits until the workers have written n events, and returns all.
func (w *workers) await(within time.Duration, what string, ok func([]event) bool) []event {
	w.t.Helper()
	var out []event
	deadline := time.Now().Add(within)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		out = nil
		for _, line := range w.rdb.LRange(w.t.Context(), eventsKey, 0, -1).Val() {
			var e event
			_, err := fmt.Sscan(line, &e.what, &e.kind, &e.pid, &e.lane, &e.token)
			must(w.t, err)
			out = append(out, e)
		}
		if ok(out) {
			return out
		}
		<-tick.C
	}
	w.t.Fatalf("not within %v: %s; events %+v", within, what, out)
	return nil
}

func count(n int) func([]event) bool { return func(e []event) bool { return len(e) >= n } }

func (w *workers) demand(kind, char string) ID {
	w.t.Helper()
	d := demand(Sync, char)
	d.Kind = kind
	return parse(w.t, enqueue(w.t, NewProducer(w.rdb), d).ID)
}

func (w *workers) leaseOf(id ID) float64 {
	return w.rdb.ZScore(w.t.Context(), asynqKey(Sync, suffixLease), id.String()).Val()
}

// TestKilledWorkersTaskRunsAgainWithin15s kills a worker. Its task runs again within 15 s, in
// another worker, not before the lease has ended, and without a crash on its account beyond one.
func TestKilledWorkersTaskRunsAgainWithin15s(t *testing.T) {
	t.Parallel()
	w := newWorkers(t, "")
	first := w.start()
	id := w.demand(kindSlow, "a")
	w.await(10*time.Second, "the first run", count(1))
	w.start()
	must(t, first.Process.Kill())
	_ = first.Wait()
	killed, lease := time.Now(), w.leaseOf(id)
	events := w.await(15*time.Second, "the second run", count(2))
	t.Logf("ran again after %v", time.Since(killed))
	now := w.rdb.Time(t.Context()).Val()
	if events[1].pid == first.Process.Pid || events[1].token <= events[0].token {
		t.Errorf("%+v", events)
	}
	if early := lease - float64(now.UnixMilli())/1000; early > 0 {
		t.Errorf("taken %v s before its lease ended", early)
	}
	if n := w.rdb.HGet(t.Context(), asynqTaskPrefix(Sync)+id.String(), "crashes").Val(); n != "1" {
		t.Errorf("%q crashes", n)
	}
	must(t, w.rdb.Set(t.Context(), goKey, 1, 0).Err())
	w.await(10*time.Second, "its end", func(e []event) bool { return e[len(e)-1].what == "end" })
	eventually(t, "the task is gone", func() bool { return w.rdb.Exists(t.Context(), asynqTaskPrefix(Sync)+id.String()).Val() == 0 })
}

// TestFrozenWorkersRunHasNoEffect freezes a worker beyond its lease. When it continues, its run
// knows that it has lost the task, its ack and its renewals are refused, and the crash that was
// counted is taken back.
func TestFrozenWorkersRunHasNoEffect(t *testing.T) {
	t.Parallel()
	w := newWorkers(t, "6")
	first := w.start()
	id := w.demand(kindSlow, "a")
	w.await(10*time.Second, "the first run", count(1))
	must(t, first.Process.Signal(syscall.SIGSTOP))
	second := w.start()
	events := w.await(10*time.Second, "the second run", count(2))
	if events[1].pid != second.Process.Pid || events[1].token <= events[0].token {
		t.Fatalf("%+v", events)
	}
	must(t, first.Process.Signal(syscall.SIGCONT))
	w.await(10*time.Second, "the first run has lost its task", func(e []event) bool {
		return slices.ContainsFunc(e, func(e event) bool { return e.what == "lost" && e.pid == first.Process.Pid })
	})
	key := asynqTaskPrefix(Sync) + id.String()
	eventually(t, "the crash is taken back", func() bool { return w.rdb.HGet(t.Context(), key, "crashes").Val() == "0" })
	// The frozen worker lives on for some renewals and does not disturb the second.
	lease := w.leaseOf(id)
	eventually(t, "the second worker renews", func() bool { return w.leaseOf(id) > lease })
	if run := w.rdb.HGet(t.Context(), key, "run").Val(); run != strconv.FormatUint(events[1].token, 10) || stateOf(t, w.rdb, id) != "active" {
		t.Errorf("run %s, state %s", run, stateOf(t, w.rdb, id))
	}
	must(t, w.rdb.Set(t.Context(), goKey, 1, 0).Err())
	w.await(10*time.Second, "its end", func(e []event) bool {
		return slices.ContainsFunc(e, func(e event) bool { return e.what == "end" && e.pid == second.Process.Pid })
	})
	eventually(t, "the task is gone", func() bool { return w.rdb.Exists(t.Context(), key).Val() == 0 })
}

// TestTaskThatEndsItsProcessDies restarts a worker whenever a task ends it. That task crashes
// twice in its lane and once in quarantine, and then it is reported as crashed. A bystander gets
// through.
func TestTaskThatEndsItsProcessDies(t *testing.T) {
	t.Parallel()
	w := newWorkers(t, "6")
	ctx, cancel := context.WithCancel(t.Context())
	var restarts sync.WaitGroup
	restarts.Go(func() {
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), workerVariable+"="+w.url, hasteVariable+"="+w.haste)
			cmd.Stderr = w
			_ = cmd.Run()
		}
	})
	defer restarts.Wait()
	defer cancel()
	bystander := w.demand(kindSlow, "b")
	w.await(10*time.Second, "the bystander runs", count(1))
	pill := w.demand(kindPill, "a")
	w.await(30*time.Second, "the pill is in quarantine", func([]event) bool {
		return w.rdb.LLen(t.Context(), asynqKey(Quarantine, suffixPending)).Val() > 0
	})
	// A task in quarantine waits until the worker runs nothing else.
	must(t, w.rdb.Set(t.Context(), goKey, 1, 0).Err())
	events := w.await(60*time.Second, "the pill is given up", func(e []event) bool {
		return slices.ContainsFunc(e, func(e event) bool { return e.what == "crashed" && e.kind == kindPill })
	})
	lanes := []string{}
	for _, e := range events {
		if e.what == "start" && e.kind == kindPill {
			lanes = append(lanes, e.lane)
		}
	}
	if !slices.Equal(lanes, []string{Sync, Sync, Quarantine}) {
		t.Errorf("the pill ran in %v", lanes)
	}
	eventually(t, "the pill is archived", func() bool {
		return w.rdb.ZScore(t.Context(), asynqKey(Quarantine, suffixArchived), pill.String()).Err() == nil
	})
	w.await(30*time.Second, "the bystander ends", func(e []event) bool {
		return slices.ContainsFunc(e, func(e event) bool { return e.what == "end" && e.kind == kindSlow })
	})
	eventually(t, "the bystander is gone", func() bool {
		return w.rdb.Exists(t.Context(), asynqTaskPrefix(Sync)+bystander.String(), asynqTaskPrefix(Quarantine)+bystander.String()).Val() == 0
	})
}
