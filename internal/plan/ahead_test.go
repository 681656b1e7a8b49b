package plan

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/ledger"
)

// demand is the demand of the schedule "today" for practice 7.
func demand(day string) string { return "clinic-a schedule 7 " + day + ".." + day }

// A scheduler whose calendar is days ahead decides nothing for those that start later.
func TestASchedulerAheadStopsNoOther(t *testing.T) {
	t.Parallel()
	for _, ahead := range []string{"2026-03-02 08:20:00", "2026-03-03 09:00:00", "2026-03-05 08:00:00", "2026-06-01 12:00:00", "2036-01-02 12:00:00"} {
		b := setup(t)
		b.apply(t, clinic("clinic-a", "7"))
		b.cycle(t, b.planner(t, "2026-03-02 08:00:00", today()), demand("2026-03-02"))
		b.cycle(t, b.planner(t, ahead, today()), demand(ahead[:10]))
		p := b.planner(t, "2026-03-02 08:01:00", today())
		b.cycle(t, p)
		for _, now := range []string{"08:02:00", "08:04:00", "08:20:00", "08:22:00"} {
			setClock(t, p, "2026-03-02 "+now)
			b.cycle(t, p, demand("2026-03-02"))
			b.cycle(t, p)
			b.cycle(t, b.planner(t, "2026-03-02 "+now, today()))
		}
	}
}

// What a scheduler sent before its time is sent again when its time comes: a sweep too.
func TestATickSentEarlyIsSentAtItsTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-a", "7"))
	weekly := named("everyone")
	ahead, p := b.planner(t, "2026-03-06 12:00:00", weekly), b.planner(t, "2026-03-06 12:00:00", weekly)
	b.cycle(t, ahead)
	b.cycle(t, p)
	setClock(t, ahead, "2026-03-08 21:10:00")
	b.cycle(t, ahead, "clinic-a sweep 7")
	for _, now := range []string{"2026-03-06 12:01:00", "2026-03-08 21:08:00"} {
		setClock(t, p, now)
		b.cycle(t, p)
	}
	setClock(t, p, "2026-03-08 21:10:00")
	b.cycle(t, p, "clinic-a sweep 7")
	b.cycle(t, p)
	b.cycle(t, ahead)
	b.unsent(t)
}

// Two clocks that differ by seconds send a tick once.
func TestATickSentSecondsEarlyIsNotSentAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-a", "7"))
	slow, fast := b.planner(t, "2026-03-02 08:00:00", today()), b.planner(t, "2026-03-02 08:00:00", today())
	b.cycle(t, slow, demand("2026-03-02"))
	b.cycle(t, fast)
	setClock(t, fast, "2026-03-02 08:02:00")
	b.cycle(t, fast, demand("2026-03-02"))
	setClock(t, slow, "2026-03-02 08:01:30")
	b.cycle(t, slow)
	setClock(t, slow, "2026-03-02 08:02:00")
	b.cycle(t, slow)
	b.cycle(t, b.planner(t, "2026-03-02 08:02:01", today()))
}

func TestAClockThatJumpsBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-a", "7"))
	p := b.planner(t, "2026-03-02 08:00:00", today())
	b.cycle(t, p, demand("2026-03-02"))
	b.cycle(t, b.planner(t, "2026-03-02 08:04:00", today()), demand("2026-03-02"))
	setClock(t, p, "2026-03-05 08:00:00")
	b.cycle(t, p, demand("2026-03-05"))
	setClock(t, p, "2026-03-02 08:01:00")
	b.cycle(t, p)
	for _, now := range []string{"2026-03-02 08:02:00", "2026-03-02 12:00:00", "2026-03-04 08:00:00", "2026-03-05 08:00:00", "2026-03-05 08:02:00"} {
		setClock(t, p, now)
		b.cycle(t, p, demand(now[:10]))
	}
}

// Ticks that a scheduler ahead could not send neither run early nor replace those that are due.
func TestFutureTicksThatWereNotSentWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.idlePlanner(t, "2026-03-02 08:00:00", today())
	for n := range sendBatch + 1 {
		b.due(t, fmt.Sprintf("other-%d/7", n), "2026-03-05 08:00:00")
	}
	b.due(t, "today/7", "2026-03-05 08:00:00")
	b.due(t, "today/7", "2026-03-02 08:02:00")
	setClock(t, p, "2026-03-02 08:02:00")
	b.cycle(t, p, demand("2026-03-02"))
	setClock(t, p, "2026-03-05 08:00:00")
	b.cycle(t, p, demand("2026-03-05"))
}

// A new practice that only a scheduler ahead has planned for is planned for at once.
func TestAPracticeThatOnlyASchedulerAheadPlannedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-a", "7"))
	b.cycle(t, b.planner(t, "2026-03-05 08:00:00", today()), demand("2026-03-05"))
	b.cycle(t, b.planner(t, "2026-03-02 08:00:00", today()), demand("2026-03-02"))
}

func TestTicksOfOthersDoNotStarveKnownOnes(t *testing.T) {
	t.Parallel()
	for what, schedule := range map[string]string{
		"schedules of another release": "newer-%d/7", "names without a practice": "nonsense-%d", "practices that were removed": "today/%d9",
		"a schedule whose name continues": "today%d/7", "patterns": "%%/7%d", "practices whose zone is unknown": "today/8",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.idlePlanner(t, "2026-03-02 08:00:00", today())
			b.apply(t, clinic("clinic-a", "7", "8"))
			b.exec(t, `UPDATE practices SET time_zone = 'Mars/Olympus' WHERE id = '8'`)
			p := b.planner(t, "2026-03-02 08:00:00", today())
			var ticks []ledger.Tick
			for n := range 3 * sendBatch {
				name := schedule
				if name != "today/8" {
					name = fmt.Sprintf(schedule, n)
				}
				ticks = append(ticks, ledger.Tick{
					Schedule: name, Tenant: "clinic-a", At: at(t, chicago, "2026-03-02 07:30:00").Add(time.Duration(n) * time.Millisecond),
				})
			}
			_, err := b.ledger.AddDue(t.Context(), ticks)
			must(t, err)
			setClock(t, p, "2026-03-02 08:02:00")
			_ = p.cycle(t.Context()) // it reports the unknown zone
			b.demands(t, demand("2026-03-02"))
			due, err := b.ledger.Due(t.Context(), ledger.DueFilter{Limit: 1})
			if must(t, err); len(due) != 1 || due[0].Schedule != ticks[0].Schedule {
				t.Errorf("the first of the others is %v", due)
			}
			setClock(t, p, "2026-03-02 09:00:00")
			_ = p.cycle(t.Context())
			b.demands(t, demand("2026-03-02"))
			b.unsent(t)
		})
	}
}

// A scheduler of another release makes up for a tick of days ago, and has just written it.
func TestOldTicksOfAnotherReleaseAreLeftToItForAnHour(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.idlePlanner(t, "2026-03-02 08:00:00", today())
	_, err := b.ledger.AddDue(t.Context(), []ledger.Tick{{
		Schedule: "newer/7", Tenant: "clinic-a", At: at(t, chicago, "2026-02-26 08:00:00"), Added: at(t, chicago, "2026-03-02 08:00:00"),
	}})
	must(t, err)
	setClock(t, p, "2026-03-02 08:01:00")
	b.cycle(t, p)
	b.unsent(t, "newer/7")
	setClock(t, p, "2026-03-02 09:01:00")
	b.cycle(t, p, demand("2026-03-02"))
	b.unsent(t)
}

// named returns the standard schedules with these names.
func named(names ...string) []Schedule {
	return slices.DeleteFunc(Standard(), func(s Schedule) bool { return !slices.Contains(names, s.Name) })
}
