package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/tasks"
)

// A scheduler that is stopped each time its schedule fires makes up for it at its next start.
func TestTheFirstTickOfASkippedScheduleIsMadeUpFor(t *testing.T) {
	t.Parallel()
	sweeps := func(string, time.Time) []tasks.Args { return []tasks.Args{tasks.SweepPatients{Practice: "7"}} }
	for name, c := range map[string]struct {
		schedule Schedule
		zone     string
		starts   []string // a new scheduler each; + where a sweep is expected
	}{
		"weekly":  {named("everyone")[0], chicago, []string{"2026-03-07 06:00:00", "2026-03-08 20:00:00", "2026-03-09 06:00:00+", "2026-03-09 07:00:00"}},
		"monthly": {Schedule{Spec: "0 3 1 * *"}, chicago, []string{"2026-02-20 09:00:00", "2026-02-28 09:00:00", "2026-03-12 09:00:00+", "2026-03-31 09:00:00", "2026-04-01 09:00:00+"}},
		"hourly in opening hours": {
			Schedule{Spec: "20 * * * *", Open: true},
			chicago,
			[]string{"2026-03-06 17:25:00", "2026-03-08 12:00:00", "2026-03-09 07:00:00", "2026-03-09 08:25:00+", "2026-03-10 06:00:00+"},
		},
		"every five minutes": {Schedule{Spec: "*/5 * * * *"}, chicago, []string{"2026-03-02 08:01:00", "2026-03-02 08:04:59", "2026-03-02 08:05:00+", "2026-03-02 08:05:01"}},
		"at its start":       {Schedule{Spec: "*/5 * * * *"}, chicago, []string{"2026-03-02 08:05:00", "2026-03-02 08:05:30", "2026-03-02 08:10:00+"}},
		"in another zone":    {named("everyone")[0], "Pacific/Honolulu", []string{"2026-03-08 18:00:00", "2026-03-09 02:00:00", "2026-03-09 06:00:00+"}},
		"the clocks change":  {Schedule{Spec: "30 12 * * *"}, chicago, []string{"2026-03-07 13:00:00", "2026-03-08 12:29:00", "2026-03-08 12:31:00+"}},
		"begun by a scheduler ahead": {
			named("everyone")[0], chicago,
			[]string{"2026-03-20 12:00:00", "2026-03-07 06:00:00", "2026-03-08 20:00:00", "2026-03-09 06:00:00+"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			row := clinic("clinic-a", "7")
			row.Practices[0].TimeZone = c.zone
			b.apply(t, row)
			s := c.schedule
			s.Name, s.SkipFirst, s.Args = "first", true, sweeps
			for _, start := range c.starts {
				now, swept := strings.CutSuffix(start, "+")
				var want []string
				if swept {
					want = []string{"clinic-a sweep 7"}
				}
				t.Log(start)
				b.cycle(t, b.planner(t, now, []Schedule{s}), want...)
			}
			b.unsent(t)
		})
	}
}

// Each practice begins when it is first planned for.
func TestASkippedScheduleBeginsForEachPractice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, clinic("clinic-a", "7"))
	b.cycle(t, b.planner(t, "2026-03-07 06:00:00", named("everyone")))
	b.apply(t, clinic("clinic-a", "7", "8"))
	b.cycle(t, b.planner(t, "2026-03-08 22:00:00", named("everyone")), "clinic-a sweep 7")
	b.cycle(t, b.planner(t, "2026-03-16 06:00:00", named("everyone")), "clinic-a sweep 7", "clinic-a sweep 8")
}
