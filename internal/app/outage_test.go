package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/tasks"
)

// unthrottled is a system whose cache is a server that the test can stop.
func unthrottled(t *testing.T) (*system, *redistest.Private) {
	t.Helper()
	sys := build(t, func(c *tebratest.Config) { c.Throttles.Off = true })
	server := redistest.NewPrivate(t)
	server.Start(t)
	sys.settings.Redis = config.Redis{Queue: sys.settings.Redis.Queue, Cache: secret.Value(server.URL())}
	return sys, server
}

// fill lets a worker fill the board of today, and stops it.
func (sys *system) fill(t *testing.T, tools *Tools) {
	t.Helper()
	stop := sys.work(t)
	sys.ends(t, tools, sys.demand(t, tools).ID, tasks.StateDone)
	sys.board(t, tools, full(6))
	stop()
}

// runs collects how runs ended.
type runs struct {
	mu   sync.Mutex
	ends []Run
}

func (r *runs) option(o *WorkerOptions) {
	o.Ended = func(_ context.Context, one Run) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ends = append(r.ends, one)
	}
}

// met waits for the end of a run that has met an outage.
func (r *runs) met(t *testing.T, code codes.Code) (found Run) {
	t.Helper()
	eventually(t, func() error {
		all := r.all()
		i := slices.IndexFunc(all, func(one Run) bool { return one.Outcome.Code == code })
		if i < 0 {
			return fmt.Errorf("none of %+v has met the outage", all)
		}
		found = all[i]
		return nil
	})
	return found
}

// notice returns a log that waits until its process has noticed an outage of the cache.
func notice() (*progtest.LogBuffer, *slog.Logger) {
	b := progtest.NewLogBuffer("is taken\" store=cache")
	return b, slog.New(slog.NewTextHandler(b, nil))
}

// observe starts a worker, and returns its runs and its log once it has run a task.
func (sys *system) observe(t *testing.T, tools *Tools) (*runs, *progtest.LogBuffer) {
	t.Helper()
	r := &runs{}
	noticed, log := notice()
	sys.work(t, r.option, func(o *WorkerOptions) { o.Logger = log })
	sys.ends(t, tools, sys.demand(t, tools).ID, tasks.StateDone)
	return r, noticed
}

func (r *runs) all() []Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Run(nil), r.ends...)
}

// Tasks that met an outage of the cache lose no attempt, are not tried during the outage, and run
// soon after it.
func TestTasksWaitForTheCache(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]struct {
		code     codes.Code
		down, up func(*testing.T, *redistest.Private, *Tools)
	}{
		"down":   {codes.CacheUnavailable, func(_ *testing.T, p *redistest.Private, _ *Tools) { p.Kill() }, func(t *testing.T, p *redistest.Private, _ *Tools) { p.Start(t) }},
		"frozen": {codes.CacheUnavailable, func(t *testing.T, p *redistest.Private, _ *Tools) { p.Freeze(t) }, func(t *testing.T, p *redistest.Private, _ *Tools) { p.Thaw(t) }},
		"full": {
			codes.CacheFull,
			func(t *testing.T, _ *redistest.Private, tools *Tools) { set(t, tools, "maxmemory", "1") },
			func(t *testing.T, _ *redistest.Private, tools *Tools) { set(t, tools, "maxmemory", "0") },
		},
		"read-only": {
			codes.CacheReadOnly,
			func(t *testing.T, _ *redistest.Private, tools *Tools) { set(t, tools, "min-replicas-to-write", "1") },
			func(t *testing.T, _ *redistest.Private, tools *Tools) { set(t, tools, "min-replicas-to-write", "0") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys, server := unthrottled(t)
			tools := sys.tools(t)
			r, noticed := sys.observe(t, tools)
			demand := func(day int) string {
				d := tasks.DateOf(sys.today().AddDate(0, 0, day))
				got, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncSchedule{Practice: "1", From: d, To: d})
				if err != nil {
					t.Fatal(err)
				}
				return got.ID
			}
			// One task runs when the outage begins, and four are enqueued during it.
			release, calls := sys.block(t), sys.arrived.Load()
			ids := []string{demand(1)}
			eventually(t, func() error {
				if sys.arrived.Load() == calls {
					return errors.New("the vendor received no call")
				}
				return nil
			})
			outage.down(t, server, tools)
			release()
			if met := r.met(t, outage.code); met.Outcome.State != tasks.OutcomeLater {
				t.Errorf("the run that met the outage: %+v", met.Outcome)
			}
			noticed.Wait(t)
			for i := range 4 {
				ids = append(ids, demand(2+i))
			}
			eventually(t, func() error {
				e, err := tools.Tasks.Explain(t.Context(), ids[1])
				if err != nil || len(e.Reasons) == 0 || e.Reasons[0].Code != outage.code || !e.Start.At.IsZero() {
					return fmt.Errorf("a task during the outage: %+v, %w", e, err)
				}
				return nil
			})
			<-time.After(2 * time.Second)
			for _, run := range r.all() {
				if slices.Contains(ids[1:], run.ID) {
					t.Errorf("a run during the outage: %+v", run.Outcome)
				}
			}
			outage.up(t, server, tools)
			back := time.Now()
			for _, id := range ids {
				sys.ends(t, tools, id, tasks.StateDone)
			}
			if took := time.Since(back); took > time.Minute { // with the work itself, on a loaded host
				t.Errorf("the tasks ended %v after the outage", took)
			}
			for _, run := range r.all() {
				if run.Counted {
					t.Errorf("%s counts as failed: %+v", run.Kind, run.Outcome)
				}
			}
		})
	}
}

func set(t *testing.T, tools *Tools, name, value string) {
	t.Helper()
	if err := tools.Cache.ConfigSet(t.Context(), name, value).Err(); err != nil {
		t.Fatal(err)
	}
}

// claimed is what the API states about a board.
type claimed struct {
	Stale  bool       `json:"stale"`
	Reason codes.Code `json:"stale_reason"`
}

func (a *api) board() (claimed, error) {
	a.t.Helper()
	status, body := a.read("/v1/practices/1/board", "")
	var s claimed
	if status != http.StatusOK {
		return s, fmt.Errorf("status %d", status)
	}
	return s, json.Unmarshal(body, &s)
}

// An invalidation that was accepted while the cache was unavailable has run before a gateway that
// saw the outage, or one that started after it, calls the board fresh.
func TestBoardIsInDoubtUntilWaitingInvalidationsHaveRun(t *testing.T) {
	t.Parallel()
	sys, server := unthrottled(t)
	tools := sys.tools(t)
	sys.fill(t, tools)
	noticed, log := notice()
	desk, _ := sys.serve(t, func(o *GatewayOptions) { o.Logger = log })
	eventually(t, func() error {
		s, err := desk.board()
		if err == nil && s.Stale {
			err = fmt.Errorf("before the outage: %+v", s)
		}
		return err
	})
	server.Freeze(t)
	for _, path := range []string{"/v1/practices/1/board", "/v1/patients/1000001?practice=1", "/v1/providers/1/day?practice=1", "/v1/events"} {
		began := time.Now()
		if status, _ := desk.read(path, ""); status != http.StatusServiceUnavailable || time.Since(began) > 2*time.Second {
			t.Errorf("%s: %d after %v from a frozen cache", path, status, time.Since(began))
		}
	}
	noticed.Wait(t)
	var accepted struct {
		Queued codes.Code      `json:"queued"`
		Tasks  []tasks.Receipt `json:"tasks"`
	}
	status, body := desk.read("/v1/invalidations", `{"practice":"1","noun":"practice"}`)
	if err := json.Unmarshal(body, &accepted); err != nil || status != http.StatusAccepted || accepted.Queued != codes.CacheUnavailable || len(accepted.Tasks) != 1 {
		t.Fatalf("an invalidation without the cache: %d %s", status, body)
	}
	server.Thaw(t)
	late, _ := sys.serve(t)
	for range 20 {
		for name, a := range map[string]*api{"a gateway that saw the outage": desk, "one that started later": late} {
			s, err := a.board()
			if err != nil || !s.Stale || s.Reason != codes.ChangesWaiting && s.Reason != codes.CacheUnavailable {
				t.Fatalf("%s calls the board %+v, %v", name, s, err)
			}
		}
		<-time.After(50 * time.Millisecond)
	}
	sys.work(t)
	sys.ends(t, tools, accepted.Tasks[0].ID, tasks.StateDone)
	eventually(t, func() error {
		for _, a := range []*api{desk, late} {
			if s, err := a.board(); err != nil || s.Stale {
				return errors.Join(err, fmt.Errorf("%+v", s))
			}
		}
		return nil
	})
}

// A cache that is full can still be read, and everything in it is in doubt.
func TestFullCacheServesWhatItHas(t *testing.T) {
	t.Parallel()
	sys, _ := unthrottled(t)
	tools := sys.tools(t)
	sys.fill(t, tools)
	desk, _ := sys.serve(t)
	set(t, tools, "maxmemory", "1")
	eventually(t, func() error {
		s, err := desk.board()
		if err == nil && (!s.Stale || s.Reason != codes.CacheFull) {
			err = fmt.Errorf("%+v", s)
		}
		return err
	})
	if status, body := desk.read("/v1/providers/1/day?practice=1", ""); status != http.StatusOK {
		t.Errorf("a view that must be built: %d %s", status, body)
	}
	set(t, tools, "maxmemory", "0")
	eventually(t, func() error {
		s, err := desk.board()
		if err == nil && s.Stale {
			err = fmt.Errorf("%+v", s)
		}
		return err
	})
}

// The order of lanes gives invalidations that waited for the cache the first place.
func TestWaitingInvalidationsRunFirst(t *testing.T) {
	t.Parallel()
	sys, server := unthrottled(t)
	tools := sys.tools(t)
	r, noticed := sys.observe(t, tools)
	server.Kill()
	noticed.Wait(t)
	var ids []string
	enqueue := func(a tasks.Args, how ...tasks.Option) (id string) {
		got, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), a, how...)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, got.ID)
		return got.ID
	}
	for i := range 30 {
		d := tasks.DateOf(sys.today().AddDate(0, 0, i))
		enqueue(tasks.SyncSchedule{Practice: "1", From: d, To: d}, tasks.Interactive())
		enqueue(tasks.SyncSchedule{Practice: "2", From: d, To: d})
	}
	late := []string{
		enqueue(tasks.InvalidateEntity{Practice: "1", Noun: tasks.NounPractice}),
		enqueue(tasks.InvalidateEntity{Practice: "2", Noun: tasks.NounPractice}),
	}
	server.Start(t)
	for _, id := range late { // the others take as long as the pace of the vendor
		sys.ends(t, tools, id, tasks.StateDone)
	}
	// Their places are those among the lane's tasks that were enqueued during the outage.
	var place []int
	others := 0
	for _, run := range r.all() {
		switch {
		case !slices.Contains(ids, run.ID), run.Lane != queue.Interactive:
		case !slices.Contains(late, run.ID):
			others++
		case run.Outcome.State == tasks.OutcomeDone:
			place = append(place, others)
		}
	}
	if len(place) < 2 || place[1] > 8 { // each of the four slots may end another run before
		t.Errorf("the invalidations are in the places %v", place)
	}
}
