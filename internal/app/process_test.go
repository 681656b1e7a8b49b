package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/plan"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/tasks"
)

// fast returns a calendar on which two minutes take a fifth of a second, so that the next tick
// comes soon.
func fast() plan.Clock { return plan.NewClock(time.Now(), 600) }

func (sys *system) schedule(t *testing.T, clock plan.Clock) (stop func()) {
	t.Helper()
	s, err := NewScheduler(t.Context(), SchedulerOptions{Process: Process{Clock: clock}, Config: config.Scheduler{Base: sys.settings}, Every: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return run(t, s.Run)
}

// The loss of both Redis servers loses no data: the next tick enqueues the syncs again.
func TestBoardsRefillAfterBothRedisAreEmptied(t *testing.T) {
	t.Parallel()
	clock := fast()
	sys := build(t, func(c *tebratest.Config) { c.Now = clock.Now })
	tools := sys.tools(t)
	sys.work(t, func(o *WorkerOptions) { o.Clock = clock })
	sys.schedule(t, clock)
	filled := func() time.Time {
		t.Helper()
		var asOf time.Time
		for _, p := range sys.settings.Tenants[0].Practices {
			eventually(t, func() error {
				r, err := tools.Store.Board(t.Context(), clinicA, p.ID, civil.DateOf(clock.Now().In(sys.clinic().Location())))
				if err == nil && len(r.Board.Rows) == 0 {
					err = errors.New("no visits")
				}
				asOf = r.AsOf
				return err
			})
		}
		return asOf
	}
	before := filled()
	if err := errors.Join(tools.Cache.FlushDB(t.Context()).Err(), tools.Queue.FlushDB(t.Context()).Err()); err != nil {
		t.Fatal(err)
	}
	if _, err := tools.Store.Board(t.Context(), clinicA, "1", civil.DateOf(clock.Now().In(sys.clinic().Location()))); !errors.Is(err, practice.ErrCold) {
		t.Logf("the board was refilled before it could be read as empty: %v", err)
	}
	if after := filled(); !after.After(before) {
		t.Errorf("the board is as of %v, before the flush it was %v", after, before)
	}
}

// counter counts the successful runs of a kind.
func counter(kind string) (count *atomic.Int64, ended func(*WorkerOptions)) {
	count = &atomic.Int64{}
	return count, func(o *WorkerOptions) {
		o.Ended = func(_ context.Context, r Run) {
			if r.Kind == kind && r.Outcome.State == tasks.OutcomeDone {
				count.Add(1)
			}
		}
	}
}

// A demand during a run causes exactly one more run. A thousand demands while a task waits cause
// one run.
func TestDemandsDuringRunCauseOneMore(t *testing.T) {
	t.Parallel()
	sys := build(t, func(c *tebratest.Config) { c.Throttles.Off = true })
	tools := sys.tools(t)
	release := sys.block(t)
	runs, ended := counter("schedule.sync")
	sys.work(t, ended)
	first := sys.demand(t, tools)
	eventually(t, func() error {
		if sys.arrived.Load() == 0 {
			return errors.New("the vendor received no call")
		}
		return nil
	})
	second := sys.demand(t, tools)
	if second.Joined || second.ID == first.ID {
		t.Fatalf("a demand during the run joined it: %+v", second)
	}
	tomorrow := tasks.DateOf(sys.today().AddDate(0, 0, 1))
	args := tasks.SyncSchedule{Practice: "1", From: tomorrow, To: tomorrow}
	var waits tasks.Receipt
	later := tasks.At(time.Now().Add(time.Hour)) // one time for all: a later demand has a run of its own
	for i := range 1000 {
		opts := []tasks.Option{later}
		if i == 999 {
			opts = nil // due now, which moves the waiting task forward
		}
		r, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), args, opts...)
		if err != nil || r.Joined != (i > 0) || i > 0 && r.ID != waits.ID {
			t.Fatalf("demand %d: %+v, %v", i, r, err)
		}
		waits = r
	}
	release()
	for _, r := range []tasks.Receipt{first, second, waits} {
		sys.ends(t, tools, r.ID, tasks.StateDone)
	}
	eventually(t, func() error {
		lanes, err := queue.Stats(t.Context(), tools.Queue)
		busy := slices.ContainsFunc(lanes, func(l queue.LaneStats) bool { return l.Pending+l.Active > 0 })
		if err == nil && (busy || runs.Load() < 3) {
			err = errors.New("work is left")
		}
		return err
	})
	if n := runs.Load(); n != 3 {
		t.Errorf("%d runs for 3 tasks", n)
	}
}

// A dead letter is in the ledger and does not block an equal demand.
func TestDeadLetterBlocksNothing(t *testing.T) {
	t.Parallel()
	sys := build(t)
	tools := sys.tools(t)
	sys.work(t)
	var last string
	for range 2 {
		r, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncPatient{Practice: "99", Patient: "1000001"})
		if err != nil || r.Joined || r.ID == last {
			t.Fatalf("%+v, %v", r, err)
		}
		last = r.ID
		eventually(t, func() error {
			d, err := tools.Ledger.DeadLetter(t.Context(), r.ID)
			if err == nil && (d.Code != "unknown_practice" || d.Tenant != clinicA || d.Kind != "patient.sync") {
				t.Fatalf("%s of %s for %s", d.Code, d.Kind, d.Tenant)
			}
			return err
		})
	}
}

// An answer without appointments leaves the board unchanged: during an outage the vendor sometimes
// returns one as a success.
func TestEmptyAnswerDeletesNothing(t *testing.T) {
	t.Parallel()
	sys := build(t, func(c *tebratest.Config) { c.Throttles.Off = true })
	tools := sys.tools(t)
	sys.work(t)
	sys.demand(t, tools)
	before := sys.board(t, tools, full(6))
	for _, v := range sys.clinic().Appointments(sys.today()) {
		if err := sys.clinic().Delete(v.ID); err != nil {
			t.Fatal(err)
		}
	}
	sys.ends(t, tools, sys.demand(t, tools).ID, tasks.StateDone)
	after := sys.board(t, tools, full(6))
	if !after.AsOf.Equal(before.AsOf) {
		t.Error("an unconfirmed answer changed the age of the board")
	}
}

// Redis is killed during a run while other tasks wait. The worker waits without a busy loop,
// continues when Redis is back, and processes every accepted task.
func TestWorkerSurvivesRedisOutage(t *testing.T) {
	t.Parallel()
	sys := build(t, func(c *tebratest.Config) { c.Throttles.Off = true })
	server := redistest.NewPrivate(t)
	server.Start(t)
	sys.settings.Redis.Queue = secret.Value(server.URL())
	tools := sys.tools(t)
	var log lines
	release := sys.block(t)
	stop := sys.work(t, func(o *WorkerOptions) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	accepted := []tasks.Receipt{sys.demand(t, tools)}
	eventually(t, func() error {
		if sys.arrived.Load() == 0 {
			return errors.New("the vendor received no call")
		}
		return nil
	})
	for i := range 5 { // more than flow control admits for one account at once
		d := tasks.DateOf(sys.today().AddDate(0, 0, i+1))
		r, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncSchedule{Practice: "1", From: d, To: d})
		if err != nil {
			t.Fatal(err)
		}
		accepted = append(accepted, r)
	}
	server.Kill()
	before, connections := log.count(), countConnections(t, server)
	release() // the run ends while its outcome cannot be recorded
	outage := time.NewTimer(3 * time.Second)
	defer outage.Stop()
	<-outage.C
	if n, lines := connections(), log.count()-before; n == 0 || n > 400 || lines == 0 || lines > 60 {
		t.Errorf("%d connections tried and %d lines written in three seconds without Redis", n, lines)
	}
	server.Start(t)
	for _, r := range accepted {
		sys.ends(t, tools, r.ID, tasks.StateDone)
	}
	sys.board(t, tools, full(6))
	server.Kill() // a worker must stop in time without Redis
	began := time.Now()
	stop()
	if took := time.Since(began); took > grace {
		t.Errorf("stopping took %v", took)
	}
	server.Start(t)
}

// countConnections listens in the place of a stopped server and closes every connection. The
// returned function ends it and returns the number of connections.
func countConnections(t *testing.T, server *redistest.Private) (count func() int) {
	t.Helper()
	path := strings.TrimPrefix(server.URL(), "unix://")
	_ = os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				done <- n
				return
			}
			_ = c.Close()
		}
	}()
	return func() int { _ = l.Close(); return <-done }
}

// unusedAddress returns an address without a listener.
func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestNewWorkerRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*testing.T, *WorkerOptions)
		is     error
		text   string
	}{
		"queue redis gone": {func(t *testing.T, o *WorkerOptions) {
			t.Helper()
			o.Config.Redis.Queue = secret.Value("redis://" + unusedAddress(t))
		}, lifecycle.ErrDependency, "queue"},
		"cache redis gone": {func(t *testing.T, o *WorkerOptions) {
			t.Helper()
			o.Config.Redis.Cache = secret.Value("redis://" + unusedAddress(t))
		}, lifecycle.ErrDependency, "cache"},
		"ledger gone": {func(t *testing.T, o *WorkerOptions) {
			t.Helper()
			o.Config.LedgerURL = secret.Value("postgres://rounds:hush@" + unusedAddress(t) + "/rounds")
		}, lifecycle.ErrDependency, "ledger"},
		"redis evicts": {func(t *testing.T, o *WorkerOptions) {
			t.Helper()
			server := redistest.NewPrivate(t, "--maxmemory-policy", "allkeys-lru")
			server.Start(t)
			o.Config.Redis.Queue = secret.Value(server.URL())
		}, redisconn.ErrUnsuitable, "noeviction"},
		"no keyset":      {func(_ *testing.T, o *WorkerOptions) { o.Config.Keyset = "not a keyset" }, nil, "ROUNDS_KEYS"},
		"unknown ledger": {func(_ *testing.T, o *WorkerOptions) { o.Config.LedgerURL = "mysql://x" }, nil, "ROUNDS_LEDGER"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := build(t).options()
			c.change(t, &o)
			began := time.Now()
			w, err := NewWorker(t.Context(), o)
			if err == nil {
				_ = w.Close(t.Context())
				t.Fatal("accepted")
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("reported after %v", took)
			}
			if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v", err)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Error("the error holds a password")
			}
		})
	}
}

// statusOf returns the status of a GET request, or 0 without a response.
func statusOf(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// A process is ready while it works, not ready while it drains, and ends in time.
func TestProbesOfDrainingWorker(t *testing.T) {
	t.Parallel()
	sys := build(t)
	tools := sys.tools(t)
	release := sys.block(t)
	addr := unusedAddress(t)
	stop := sys.work(t, func(o *WorkerOptions) { o.Config.Health = addr })
	probe := func(path string, want int) {
		t.Helper()
		eventually(t, func() error {
			if got := statusOf(t, "http://"+addr+path); got != want {
				return fmt.Errorf("%s answers %d, want %d", path, got, want)
			}
			return nil
		})
	}
	probe("/readyz", http.StatusOK)
	first := sys.demand(t, tools)
	eventually(t, func() error {
		if sys.arrived.Load() == 0 {
			return errors.New("the vendor received no call")
		}
		return nil
	})
	began, stopped := time.Now(), make(chan struct{})
	go func() { defer close(stopped); stop() }()
	probe("/readyz", http.StatusServiceUnavailable)
	probe("/livez", http.StatusOK)
	release() // the open call may finish
	<-stopped
	if took := time.Since(began); took > grace {
		t.Errorf("stopping took %v", took)
	}
	if got := statusOf(t, "http://"+addr+"/livez"); got != 0 {
		t.Errorf("a process that has ended answers its probe with %d", got)
	}
	sys.ends(t, tools, first.ID, tasks.StateDone)

	taken, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	sys.settings.Health = addr
	s, err := NewScheduler(t.Context(), SchedulerOptions{Config: config.Scheduler{Base: sys.settings}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "ROUNDS_HEALTH_ADDR") {
		t.Errorf("an address in use: %v", err)
	}
}

// In dev, findings about a Redis are logged. In production the fatal ones keep a process from
// starting.
func TestFindingsAreLoggedOrRefused(t *testing.T) {
	t.Parallel()
	sys := build(t)
	var log lines
	o := sys.options()
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w, err := NewWorker(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, code := range []string{"code=persistence", "code=shared"} {
		if !strings.Contains(string(log.bytes()), code) {
			t.Errorf("the log does not report %s: %s", code, log.bytes())
		}
	}
	o.Config.Mode = config.Production
	if _, err := NewWorker(t.Context(), o); !errors.Is(err, redisconn.ErrUnsuitable) {
		t.Errorf("in production: %v", err)
	}
}

// Repeated starts and stops leave nothing behind (TestMain counts goroutines at the end).
func TestStartAndStop(t *testing.T) {
	t.Parallel()
	sys := build(t)
	for range 5 {
		stop := sys.work(t)
		stopScheduler := sys.schedule(t, plan.Clock{})
		stop()
		stopScheduler()
	}
	w, err := NewWorker(t.Context(), sys.options())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Errorf("closing a worker that never ran: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	w, err = NewWorker(t.Context(), sys.options())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(ended); err != nil { // closes what was opened
		t.Errorf("Run with a context that has ended: %v", err)
	}
}

// The intervals that the vendor reports are the ones that the gate enforces.
func TestVendorIntervalsReachTheGate(t *testing.T) {
	t.Parallel()
	sys := build(t)
	tools := sys.tools(t)
	sys.work(t)
	r, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncThrottles{})
	if err != nil {
		t.Fatal(err)
	}
	sys.ends(t, tools, r.ID, tasks.StateDone)
	micros, err := tools.Queue.HGet(t.Context(), clinicA.Key("f1", "p", "GetPatient"), "interval").Int64()
	if err != nil || time.Duration(micros)*time.Microsecond != 12_500*time.Microsecond { // a twentieth of the documented interval
		t.Errorf("the gate has an interval of %d µs, %v", micros, err)
	}
}
