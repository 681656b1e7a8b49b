package plan

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestANewPracticeGetsEverythingOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const night = "2026-03-01 23:30:00" // a closed Sunday, while it is Monday in London
	p := b.planner(t, night, nil)
	practice := func(p string) []string {
		var out []string
		for _, s := range []string{
			"day-board %s 2026-03-01", "directory %s", "locations %s", "schedule %s 2026-03-01..2026-03-01",
			"schedule %s 2026-03-01..2026-03-08 and 52 days before",
			"schedule %s 2026-03-02..2026-03-08", "schedule %s 2026-03-09..2026-03-28",
		} {
			out = append(out, "clinic-a "+fmt.Sprintf(s, p))
		}
		return out
	}
	b.cycle(t, p, append(append(practice("7"), practice("8")...), "clinic-a throttles", "clinic-a practices")...)
	b.unsent(t)
	b.cycle(t, p)
	b.cycle(t, b.planner(t, night, nil))
	b.apply(t, clinic("clinic-a", "7", "8", "9"))
	b.cycle(t, p, practice("9")...)
}

// Two practices of one account follow their own clocks: opening hours, days and nights.
func TestEachPracticeFollowsItsOwnClock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := clinic("clinic-a", "7", "8")
	row.Practices[1].TimeZone = "Pacific/Honolulu" // four hours behind Chicago in winter
	b.apply(t, row)
	schedules := slices.DeleteFunc(Standard(), func(s Schedule) bool { return s.Name != "today" && s.Name != "everyone" })
	p := b.planner(t, "2026-03-01 21:00:00", schedules)
	b.cycle(t, p, "clinic-a schedule 7 2026-03-01..2026-03-01", "clinic-a schedule 8 2026-03-01..2026-03-01")
	for _, c := range []struct{ now, want string }{
		{"2026-03-01 21:10:00", "clinic-a sweep 7"},
		{"2026-03-02 00:30:00", ""},
		{"2026-03-02 01:10:00", "clinic-a sweep 8"},
		{"2026-03-02 08:00:00", "clinic-a schedule 7 2026-03-02..2026-03-02"},
		{"2026-03-02 12:00:00", "clinic-a schedule 7 2026-03-02..2026-03-02;clinic-a schedule 8 2026-03-02..2026-03-02"},
		{"2026-03-02 18:00:00", "clinic-a schedule 7 2026-03-02..2026-03-02;clinic-a schedule 8 2026-03-02..2026-03-02"}, // 7 has closed
		{"2026-03-02 21:20:00", "clinic-a schedule 8 2026-03-02..2026-03-02"},
		{"2026-03-03 01:00:00", "clinic-a schedule 8 2026-03-02..2026-03-02"}, // Monday's last tick was missed
	} {
		setClock(t, p, c.now)
		t.Log(c.now)
		b.cycle(t, p, strings.FieldsFunc(c.want, func(r rune) bool { return r == ';' })...)
	}
}

func TestLargeReadsWaitForTheirFirstTick(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-a", "7"))
	var late []Schedule
	for _, s := range Standard() {
		if s.SkipFirst {
			late = append(late, s)
		}
	}
	p := b.planner(t, "2026-03-01 12:00:00", late)
	b.cycle(t, p) // a new practice's first cycle, on a Sunday
	for _, c := range []struct{ now, want string }{
		{"2026-03-01 12:20:00", ""}, // closed
		{"2026-03-01 21:09:59", ""},
		{"2026-03-01 21:10:00", "clinic-a sweep 7"},
		{"2026-03-02 07:20:00", ""},
		{"2026-03-02 08:19:59", ""},
		{"2026-03-02 08:20:00", "clinic-a patients 7"},
		{"2026-03-02 12:10:00", "clinic-a patients 7"}, // three were missed
		{"2026-03-02 21:10:00", "clinic-a patients 7"}, // the day's last was missed
		{"2026-03-08 21:30:00", "clinic-a patients 7;clinic-a sweep 7"},
	} {
		setClock(t, p, c.now)
		t.Log(c.now)
		b.cycle(t, p, strings.FieldsFunc(c.want, func(r rune) bool { return r == ';' })...)
	}
}

func TestTicksRespectOpeningHours(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.planner(t, "2026-03-01 03:00:00", today())
	b.cycle(t, p, "clinic-a schedule 7 2026-03-01..2026-03-01", "clinic-a schedule 8 2026-03-01..2026-03-01")
	for _, c := range []struct {
		now      string
		demanded bool
	}{
		{"2026-03-02 07:59:30", false}, // a Monday, before the practice opens
		{"2026-03-02 08:00:00", true},
		{"2026-03-02 08:01:30", false},
		{"2026-03-02 08:02:00", true},
		{"2026-03-02 08:15:00", true}, // seven were missed, one demand covers them
		{"2026-03-02 17:29:00", true},
		{"2026-03-02 17:30:00", false},
		{"2026-03-02 23:00:00", false},
		{"2026-03-06 17:29:30", true}, // Friday
		{"2026-03-08 12:00:00", false},
	} {
		setClock(t, p, c.now)
		var want []string
		if c.demanded {
			d := c.now[:10]
			want = []string{"clinic-a schedule 7 " + d + ".." + d, "clinic-a schedule 8 " + d + ".." + d}
		}
		t.Log(c.now)
		b.cycle(t, p, want...)
	}
}

func TestPlannerContinuesWhereAnotherEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-a", "7"))
	at := func(now string) *Planner { return b.planner(t, now, today()) }
	b.cycle(t, at("2026-03-02 08:00:00"), "clinic-a schedule 7 2026-03-02..2026-03-02")
	b.cycle(t, at("2026-03-02 08:01:00"))
	b.cycle(t, at("2026-03-02 08:02:00"), "clinic-a schedule 7 2026-03-02..2026-03-02")
	b.cycle(t, at("2026-03-02 19:00:00"), "clinic-a schedule 7 2026-03-02..2026-03-02") // the day's last was missed
	b.cycle(t, at("2026-03-03 07:00:00"))
	b.cycle(t, at("2026-04-06 08:00:30"), "clinic-a schedule 7 2026-04-06..2026-04-06") // after weeks without a planner
	b.cycle(t, at("2026-04-06 08:01:00"))
	want := time.Date(2026, 4, 6, 13, 0, 0, 0, time.UTC)
	last, err := b.ledger.LastTicks(t.Context(), "clinic-a", want)
	if err != nil || !last["today/7"].Equal(want) {
		t.Errorf("the ledger's last ticks are %v, %v", last, err)
	}
}

func TestConcurrentPlannersSendEachTickOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	planners := make([]*Planner, 4)
	for i := range planners {
		planners[i] = b.planner(t, "2026-03-02 08:00:00", today())
	}
	for i, now := range []string{"2026-03-02 08:00:00", "2026-03-02 08:02:00", "2026-03-02 08:04:00"} {
		var wg sync.WaitGroup
		for _, p := range planners {
			setClock(t, p, now)
			wg.Go(func() {
				if err := p.cycle(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := b.admitted(t); got != 2*(i+1) {
			t.Errorf("%s: %d ticks were admitted, want %d", now, got, 2*(i+1))
		}
		b.demands(t, "clinic-a schedule 7 2026-03-02..2026-03-02", "clinic-a schedule 8 2026-03-02..2026-03-02")
		for _, p := range planners {
			b.cycle(t, p)
		}
	}
	b.unsent(t)
}

func TestTenantWithAnUnknownZoneDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-0", "1"))
	b.exec(t, `UPDATE tenants SET time_zone = 'Mars/Olympus' WHERE id = 'clinic-0'`)
	p := b.planner(t, "2026-03-02 08:00:00", today())
	if err := p.cycle(t.Context()); err == nil || !strings.Contains(err.Error(), "clinic-0") {
		t.Errorf("the cycle returns %v", err)
	}
	b.demands(t, "clinic-a schedule 7 2026-03-02..2026-03-02", "clinic-a schedule 8 2026-03-02..2026-03-02")
}

// The schedules of the account do not depend on the zone of its first practice.
func TestAccountIsPlannedForInTheFirstZoneThatIsKnown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-0", "1", "2"))
	b.exec(t, `UPDATE practices SET time_zone = 'Mars/Olympus' WHERE id = '1'`)
	account := today()
	account[0].Account = true
	p := b.planner(t, "2026-03-02 08:00:00", account)
	if err := p.cycle(t.Context()); err == nil {
		t.Error("an unknown zone is no error")
	}
	b.demands(t, "clinic-0 schedule 2 2026-03-02..2026-03-02", "clinic-a schedule 7 2026-03-02..2026-03-02")
}

func TestMorePracticesThanOneBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var tenants []ledger.Tenant
	for i := range 2 {
		var practices []string
		for n := range 150 {
			practices = append(practices, fmt.Sprint(n+1))
		}
		tenants = append(tenants, clinic(tenant.ID(fmt.Sprintf("clinic-%d", i)), practices...))
	}
	b.apply(t, tenants...)
	p := b.planner(t, "2026-03-02 08:00:00", nil)
	must(t, p.cycle(t.Context()))
	if n := len(p.decided); n != 8*(2*150+2) || n <= addBatch {
		t.Errorf("%d schedules are planned", n)
	}
}

func TestFailedCycleKeepsWhatItRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.planner(t, "2026-03-02 08:00:00", nil).cycle(t.Context()))
	p := b.planner(t, "2026-03-02 08:01:00", nil)
	tenants, err := b.ledger.Tenants(t.Context())
	must(t, err)
	must(t, p.reload(t.Context(), tenants[0], p.clock.Now()))
	must(t, b.ledger.Close()) // reading it again would fail
	must(t, p.reload(t.Context(), tenants[0], p.clock.Now()))
}

func TestNewRejectsBadOptions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	args := Standard()[0].Args
	for name, o := range map[string]Options{
		"nothing":        {},
		"no ledger":      {Tasks: b.tasks},
		"no tasks":       {Ledger: b.ledger},
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
