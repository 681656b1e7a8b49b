package plan

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const chicago = "America/Chicago"

type bundle struct {
	rdb    *redis.Client
	keys   []byte
	file   string // the ledger's
	ledger *ledger.Ledger
	tasks  *tasks.Client
}

// setup returns a ledger with clinic-a, which is in Chicago, opens on weekdays and has two
// practices, and a queue.
func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{rdb: redistest.New(t), keys: taskstest.Keys(t), file: filepath.Join(t.TempDir(), "ledger.db")}
	b.ledger = ledgertest.Open(t, "sqlite:"+b.file)
	b.apply(t, clinic("clinic-a", "7", "8"))
	b.tasks = b.client(t, b.rdb)
	return b
}

func (b *bundle) client(t *testing.T, rdb *redis.Client) *tasks.Client {
	t.Helper()
	c, err := tasks.NewClient(tasks.ClientOptions{Redis: rdb, Keys: b.keys})
	must(t, err)
	return c
}

func clinic(id tenant.ID, practices ...string) ledger.Tenant {
	out := ledger.Tenant{ID: id, TimeZone: chicago, Hours: ledger.Hours{}, Credentials: []byte("sealed")}
	for _, d := range []string{"mon", "tue", "wed", "thu", "fri"} {
		out.Hours[d] = "08:00-17:30"
	}
	for _, p := range practices {
		out.Practices = append(out.Practices, ledger.Practice{ID: p, Name: "Practice " + p})
	}
	return out
}

func (b *bundle) apply(t *testing.T, tenants ...ledger.Tenant) {
	t.Helper()
	_, err := b.ledger.ApplyTenants(t.Context(), tenants)
	must(t, err)
}

// exec changes the ledger's file, like another program.
func (b *bundle) exec(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", b.file)
	must(t, err)
	_, err = db.ExecContext(t.Context(), statement)
	must(t, err)
	must(t, db.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// today returns the standard schedule that ticks every two minutes within opening hours.
func today() []Schedule { return Standard()[:1] }

func (b *bundle) planner(t *testing.T, now string, schedules []Schedule) *Planner {
	t.Helper()
	p, err := New(Options{Ledger: b.ledger, Tasks: b.tasks, Schedules: schedules, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	setClock(t, p, now)
	return p
}

// setClock sets the planner's calendar to a time in Chicago.
func setClock(t *testing.T, p *Planner, now string) {
	t.Helper()
	p.clock = NewClock(at(t, chicago, now), 1)
}

// due writes a tick, like a planner that dies before it sends the tick.
func (b *bundle) due(t *testing.T, schedule, when string) {
	t.Helper()
	_, err := b.ledger.AddDue(t.Context(), []ledger.Tick{{Schedule: schedule, Tenant: "clinic-a", At: at(t, chicago, when)}})
	must(t, err)
}

// unsent compares the schedules of the ticks that are due and not sent.
func (b *bundle) unsent(t *testing.T, want ...string) {
	t.Helper()
	due, err := b.ledger.Due(t.Context(), ledger.DueFilter{Limit: 500})
	must(t, err)
	got := []string{}
	for _, k := range due {
		got = append(got, k.Schedule)
	}
	slices.Sort(got)
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("ticks that are still due (-want +got):\n%s", diff)
	}
}

// cycle runs one cycle and compares its demands, in any order.
func (b *bundle) cycle(t *testing.T, p *Planner, want ...string) {
	t.Helper()
	must(t, p.cycle(t.Context()))
	b.demands(t, want...)
}

// demands drains the queue and compares its tasks, in any order. Equal demands are one task.
func (b *bundle) demands(t *testing.T, want ...string) {
	t.Helper()
	router, err := tasks.NewRouter(tasks.RouterOptions{Redis: b.rdb, Keys: b.keys})
	must(t, err)
	var mu sync.Mutex
	got := []string{}
	record := func(tenant, format string, args ...any) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, tenant+" "+fmt.Sprintf(format, args...))
		return nil
	}
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncSchedule](func(_ context.Context, j *tasks.Job[tasks.SyncSchedule]) error {
		if j.Args.Lookback > 0 {
			return record(j.Tenant, "schedule %s %s..%s and %d days before", j.Args.Practice, j.Args.From, j.Args.To, j.Args.Lookback)
		}
		return record(j.Tenant, "schedule %s %s..%s", j.Args.Practice, j.Args.From, j.Args.To)
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncDirectory](func(_ context.Context, j *tasks.Job[tasks.SyncDirectory]) error {
		return record(j.Tenant, "directory %s", j.Args.Practice)
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncLocations](func(_ context.Context, j *tasks.Job[tasks.SyncLocations]) error {
		return record(j.Tenant, "locations %s", j.Args.Practice)
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncPatients](func(_ context.Context, j *tasks.Job[tasks.SyncPatients]) error {
		return record(j.Tenant, "patients %s", j.Args.Practice)
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SweepPatients](func(_ context.Context, j *tasks.Job[tasks.SweepPatients]) error {
		return record(j.Tenant, "sweep %s", j.Args.Practice)
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncThrottles](func(_ context.Context, j *tasks.Job[tasks.SyncThrottles]) error {
		return record(j.Tenant, "throttles")
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncPractices](func(_ context.Context, j *tasks.Job[tasks.SyncPractices]) error {
		return record(j.Tenant, "practices")
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.WarmView](func(_ context.Context, j *tasks.Job[tasks.WarmView]) error {
		return record(j.Tenant, "%s %s %s", j.Args.View, j.Args.Practice, j.Args.Date)
	}))
	taskstest.Drain(t, b.rdb, router)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("demands (-want +got):\n%s", diff)
	}
}

// admitted counts the idempotency keys: one for each demand of a tick that the queue admitted.
func (b *bundle) admitted(t *testing.T) int {
	t.Helper()
	keys, err := b.rdb.Keys(t.Context(), "q2:{sync}:once:*").Result()
	must(t, err)
	return len(keys)
}
