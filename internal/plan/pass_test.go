package plan

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestMain(m *testing.M) { redistest.Main(m) }

type bundle struct {
	rdb    *redis.Client
	ledger *ledger.Ledger
	tasks  *tasks.Client
}

// setup knows one tenant in Chicago with two practices, open on weekdays.
func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{rdb: redistest.New(t)}
	var err error
	if b.ledger, err = ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.ledger.Close() })
	if err := b.ledger.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	hours := ledger.Hours{}
	for _, d := range []string{"mon", "tue", "wed", "thu", "fri"} {
		hours[d] = "08:00-17:30"
	}
	_, err = b.ledger.ApplyTenants(t.Context(), []ledger.Tenant{{
		ID: "clinic-a", TimeZone: "America/Chicago", Hours: hours, Credentials: []byte("sealed"),
		Practices: []ledger.Practice{{ID: "7", Name: "Seventh"}, {ID: "8", Name: "Eighth"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := keys.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if b.tasks, err = tasks.NewClient(tasks.ClientOptions{Redis: b.rdb, Keys: keyset}); err != nil {
		t.Fatal(err)
	}
	return b
}

// planner has one schedule, each two minutes within opening hours, and stands at that time in Chicago.
func (b *bundle) planner(t *testing.T, now string) *Planner {
	t.Helper()
	p, err := New(Options{Ledger: b.ledger, Tasks: b.tasks, Schedules: Standard()[:1]})
	if err != nil {
		t.Fatal(err)
	}
	stand(t, p, now)
	return p
}

func stand(t *testing.T, p *Planner, now string) {
	t.Helper()
	p.clock = Clock{origin: at(t, "America/Chicago", now), since: time.Now(), speed: 1}
}

func (b *bundle) pass(t *testing.T, p *Planner) {
	t.Helper()
	if err := p.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// demands counts what waits; nothing takes tasks here.
func (b *bundle) demands(t *testing.T) int64 {
	t.Helper()
	n, err := queue.Depth(t.Context(), b.rdb)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// let counts the idempotency keys, one for each tick that was let through.
func (b *bundle) let(t *testing.T) int {
	t.Helper()
	keys, err := b.rdb.Keys(t.Context(), "q1:{sync}:once:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

func TestAPracticeThatWasNeverPlannedForGetsEverythingOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.planner(t, "2026-03-01 03:00:00") // a Sunday night
	b.pass(t, p)
	b.pass(t, p)
	if got := b.let(t); got != 2 {
		t.Errorf("%d ticks for two practices", got)
	}
	stand(t, p, "2026-03-02 07:59:59")
	if b.pass(t, p); b.let(t) != 2 {
		t.Error("a tick while the practice was closed")
	}
	stand(t, p, "2026-03-02 08:00:00")
	if b.pass(t, p); b.let(t) != 4 {
		t.Errorf("%d ticks when the door opened", b.let(t)-2)
	}
	stand(t, p, "2026-03-02 08:09:00")
	if b.pass(t, p); b.let(t) != 6 {
		t.Errorf("%d ticks for nine missed minutes, want the latest of each practice", b.let(t)-4)
	}
}

func TestPlannersBesideEachOtherSendEachTickOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	planners := make([]*Planner, 4)
	for i := range planners {
		planners[i] = b.planner(t, "2026-03-02 08:00:00")
	}
	for _, now := range []string{"2026-03-02 08:00:00", "2026-03-02 08:02:00", "2026-03-02 08:04:00"} {
		var wg sync.WaitGroup
		for _, p := range planners {
			stand(t, p, now)
			wg.Go(func() {
				if err := p.Pass(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if got := b.let(t); got != 6 {
		t.Errorf("%d ticks were let through, want three for each of two practices", got)
	}
	due, err := b.ledger.Due(t.Context(), 100)
	if err != nil || len(due) != 0 {
		t.Errorf("%d ticks are still due, %v", len(due), err)
	}
}

func TestWhatADeadPlannerLeftIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.planner(t, "2026-03-02 08:00:00")
	b.pass(t, p)
	before := b.let(t)
	left := at(t, "America/Chicago", "2026-03-02 08:01:00")
	_, err := b.ledger.AddDue(t.Context(), []ledger.Tick{
		{Schedule: "today/7", Tenant: "clinic-a", At: left},
		{Schedule: "gone/7", Tenant: "clinic-a", At: left},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.pass(t, p)
	if got := b.let(t) - before; got != 1 {
		t.Errorf("%d ticks were let through: one was left, the other's schedule is gone", got)
	}
	if due, err := b.ledger.Due(t.Context(), 100); err != nil || len(due) != 0 {
		t.Errorf("%d ticks are still due, %v", len(due), err)
	}
}

func TestTicksStayDueWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.planner(t, "2026-03-02 08:00:00")
	away, cancel := context.WithCancel(t.Context())
	cancel()
	broken := redis.NewClient(&redis.Options{})
	if err := broken.Close(); err != nil { // a client that is closed fails without dialling
		t.Fatal(err)
	}
	good := p.tasks
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := keys.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if p.tasks, err = tasks.NewClient(tasks.ClientOptions{Redis: broken, Keys: keyset}); err != nil {
		t.Fatal(err)
	}
	if err := p.Pass(t.Context()); err == nil {
		t.Fatal("a pass without Redis succeeded")
	}
	if err := p.Pass(away); err == nil {
		t.Fatal("a pass after its end succeeded")
	}
	p.tasks = good
	b.pass(t, p)
	if got := b.let(t); got != 2 {
		t.Errorf("%d ticks were let through once Redis was back", got)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.planner(t, "2026-03-02 08:00:00")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for b.let(t) == 0 {
		<-tick.C
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if b.demands(t) == 0 {
		t.Error("nothing waits in the queue")
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	args := Standard()[0].Args
	for name, o := range map[string]Options{
		"nothing":        {},
		"a bad spec":     {Ledger: b.ledger, Tasks: b.tasks, Schedules: []Schedule{{Name: "x", Spec: "@every 0s", Args: args}}},
		"no name":        {Ledger: b.ledger, Tasks: b.tasks, Schedules: []Schedule{{Spec: "* * * * *", Args: args}}},
		"a slash":        {Ledger: b.ledger, Tasks: b.tasks, Schedules: []Schedule{{Name: "a/b", Spec: "* * * * *", Args: args}}},
		"one name twice": {Ledger: b.ledger, Tasks: b.tasks, Schedules: append(Standard(), Standard()[0])},
		"no args":        {Ledger: b.ledger, Tasks: b.tasks, Schedules: []Schedule{{Name: "x", Spec: "* * * * *"}}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := New(Options{Ledger: b.ledger, Tasks: b.tasks}); err != nil {
		t.Errorf("the standard schedules: %v", err)
	}
}
