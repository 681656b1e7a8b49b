package plan

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// Schedule is one recurring demand for one practice. Of several ticks that no scheduler computed or
// sent in time only the latest counts: each demands the present state, so one answer serves all of
// them.
type Schedule struct {
	Name string // "today"; a tick's schedule is Name/practice
	// Spec has five cron fields in the practice's zone, without a descriptor or a zone of its own.
	// An instant that a change of the clocks skips does not fire that day, and one that occurs
	// twice fires twice, so daily schedules avoid the hours from 1 to 3.
	Spec    string
	Open    bool // only within opening hours
	Account bool // concerns the tenant's account: demanded for the first of its practices with a known zone
	// SkipFirst makes a new practice wait for the first tick. Otherwise it is demanded at once, at
	// any hour. The ledger has when the waiting began, so a first tick that every scheduler missed
	// is made up for.
	SkipFirst bool
	// Args returns what to enqueue for a tick at t, which is in the practice's zone.
	Args func(practice string, t time.Time) []tasks.Args
}

// Standard returns the schedules that every practice has. They keep data fresh without any caller;
// demands add to them. Large reads happen at night in the practice's own zone, as the vendor
// requests.
func Standard() []Schedule {
	return []Schedule{
		{Name: "today", Spec: "*/2 * * * *", Open: true, Args: days(0, 0)},
		{Name: "ahead", Spec: "*/30 * * * *", Open: true, Args: days(1, near)},
		// The rest of what cards show.
		{Name: "weeks", Spec: "40 5 * * *", Args: days(near+1, practice.CardDays-1)},
		{Name: "patients", Spec: "20 * * * *", Open: true, SkipFirst: true, Args: func(p string, _ time.Time) []tasks.Args {
			return []tasks.Args{tasks.SyncPatients{Practice: p}}
		}},
		// Once in the lifetime of a cached record, to repair what a list of changes missed.
		{Name: "everyone", Spec: "10 21 * * 0", SkipFirst: true, Args: func(p string, _ time.Time) []tasks.Args {
			return []tasks.Args{tasks.SweepPatients{Practice: p}}
		}},
		{Name: "directory", Spec: "15 5 * * *", Args: func(p string, _ time.Time) []tasks.Args {
			return []tasks.Args{tasks.SyncDirectory{Practice: p}, tasks.SyncLocations{Practice: p}}
		}},
		{Name: "account", Spec: "5 5 * * *", Account: true, Args: func(string, time.Time) []tasks.Args {
			return []tasks.Args{tasks.SyncThrottles{}, tasks.SyncPractices{}}
		}},
		{Name: "boards", Spec: "45 6 * * *", Args: func(p string, t time.Time) []tasks.Args {
			d := tasks.DateOf(t)
			return []tasks.Args{
				tasks.SyncSchedule{Practice: p, From: d, To: d.Add(near), Lookback: furthest},
				tasks.WarmView{View: tasks.DayBoard, Practice: p, Date: d},
			}
		}},
	}
}

// near is how many days after today are read within opening hours.
const near = 7

// furthest is how many days before today an entry may have begun that the reading of every morning
// finds, or finds to have ended. With the days that are read, it is the vendor's longest range.
const furthest = 60 - 1 - near

// days returns a Schedule.Args that demands the appointments of a range of days, counted from the
// tick's.
func days(from, to int) func(string, time.Time) []tasks.Args {
	return func(p string, t time.Time) []tasks.Args {
		d := tasks.DateOf(t)
		return []tasks.Args{tasks.SyncSchedule{Practice: p, From: d.Add(from), To: d.Add(to)}}
	}
}

// errSpec means that a cron spec is invalid.
var errSpec = errors.New("plan: not a cron spec of five fields")

// parser accepts five fields only. Descriptors (@every) and zone prefixes (TZ=) make robfig's
// parser panic or fire every second on bad values, and the practice has a zone anyway.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func parseSpec(spec string) (cron.Schedule, error) {
	if len(spec) > 200 || strings.ContainsAny(spec, "=@\n") {
		return nil, errSpec
	}
	s, err := parser.Parse(spec)
	if err != nil {
		return nil, errSpec
	}
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() { // 31 February
		return nil, fmt.Errorf("%w that ever fires", errSpec)
	}
	return s, nil
}
