package plan

import (
	"context"
	"testing"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/tasks"
)

// idlePlanner returns a planner that has nothing left to do for practice 7, the only one.
func (b *bundle) idlePlanner(t *testing.T, now string, schedules []Schedule) *Planner {
	t.Helper()
	b.apply(t, clinic("clinic-a", "7"))
	p := b.planner(t, now, schedules)
	b.cycle(t, p, "clinic-a schedule 7 "+now[:10]+".."+now[:10])
	return p
}

func TestTicksOfADeadPlannerAreSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.idlePlanner(t, "2026-03-02 08:00:00", today())
	b.due(t, "today/7", "2026-03-01 12:00:00")
	b.cycle(t, p, "clinic-a schedule 7 2026-03-01..2026-03-01") // the tick's own day
	b.unsent(t)
}

func TestTickSentButNotMarkedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.idlePlanner(t, "2026-03-02 08:00:00", today())
	b.due(t, "today/7", "2026-03-02 08:01:00")
	tick := ledger.Tick{Schedule: "today/7", Tenant: "clinic-a", At: at(t, chicago, "2026-03-02 08:01:00")}
	must(t, p.enqueue(t.Context(), tick, today()[0].Args("7", tick.At))) // and dies before it marks the tick
	b.demands(t, "clinic-a schedule 7 2026-03-02..2026-03-02")
	b.cycle(t, p)
	b.unsent(t)
}

func TestOnlyTheLatestAccumulatedTickIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.idlePlanner(t, "2026-03-02 08:00:00", today())
	for _, when := range []string{"2026-02-24 12:00:00", "2026-02-26 12:00:00", "2026-02-25 12:00:00"} {
		b.due(t, "today/7", when)
	}
	b.cycle(t, p, "clinic-a schedule 7 2026-02-26..2026-02-26")
	b.unsent(t)
}

func TestUnknownTicksAreLeftToOthersForAnHour(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.idlePlanner(t, "2026-03-02 18:00:00", today())
	b.due(t, "newer/7", "2026-03-02 18:00:00")
	b.due(t, "today/99", "2026-03-02 18:00:00")
	b.due(t, "nonsense", "2026-03-02 18:00:00")
	setClock(t, p, "2026-03-02 18:59:00")
	b.cycle(t, p)
	b.unsent(t, "newer/7", "nonsense", "today/99")

	newer := today()[0]
	newer.Name, newer.Spec = "newer", "0 0 1 1 *"
	b.cycle(t, b.planner(t, "2026-03-02 18:59:00", []Schedule{newer}), "clinic-a schedule 7 2026-03-02..2026-03-02")
	b.unsent(t, "nonsense", "today/99")

	setClock(t, p, "2026-03-02 19:00:00")
	b.cycle(t, p)
	b.unsent(t)
}

func TestTicksOfATenantNewerThanTheCycleStayDue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-a", "7"))
	p := b.planner(t, "2026-03-02 08:00:00", today())
	b.due(t, "today/7", "2026-03-02 08:00:00")
	must(t, p.send(t.Context(), zones{}, p.clock.Now())) // as if it read the tenants before clinic-a was added
	b.unsent(t, "today/7")
	b.cycle(t, p, "clinic-a schedule 7 2026-03-02..2026-03-02")
}

func TestInvalidDemandDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-a", "7", "not a number"))
	p := b.planner(t, "2026-03-02 08:00:00", today())
	b.cycle(t, p, "clinic-a schedule 7 2026-03-02..2026-03-02")
	b.unsent(t)

	// A scheduler of another version sent the next tick with another demand.
	next := at(t, chicago, "2026-03-02 08:02:00")
	must(t, p.enqueue(t.Context(), ledger.Tick{Schedule: "today/7", Tenant: "clinic-a", At: next}, []tasks.Args{tasks.SyncDirectory{Practice: "7"}}))
	setClock(t, p, "2026-03-02 08:02:00")
	b.cycle(t, p, "clinic-a directory 7")
	b.unsent(t)
}

func TestTicksStayDueWhileRedisIsUnreachable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.planner(t, "2026-03-02 08:00:00", today())
	gone := redistest.New(t)
	must(t, gone.Close())
	p.tasks = b.client(t, gone)
	if err := p.cycle(t.Context()); err == nil {
		t.Fatal("a cycle without Redis succeeded")
	}
	b.unsent(t, "today/7", "today/8")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.cycle(ended); err == nil {
		t.Fatal("a cycle after its context ended succeeded")
	}
	setClock(t, p, "2026-03-02 08:02:00")
	if err := p.cycle(t.Context()); err == nil {
		t.Fatal("a cycle without Redis succeeded")
	}
	b.unsent(t, "today/7", "today/8") // the tick of 08:02 covers that of 08:00
	p.tasks = b.tasks
	b.cycle(t, p, "clinic-a schedule 7 2026-03-02..2026-03-02", "clinic-a schedule 8 2026-03-02..2026-03-02")
	if got := b.admitted(t); got != 2 {
		t.Errorf("%d ticks were sent, want the latest of each practice", got)
	}
	b.unsent(t)
}
