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

// Missed says what becomes of ticks that nobody computed in time, because no scheduler ran.
type Missed uint8

// The policies. MissedOnce is right for everything that asks "what is it like now": one look answers all missed ones.
const (
	MissedOnce Missed = iota // the latest of them
	MissedSkip               // none of them
	MissedAll                // each of them, the latest maxMissed at most
)

// maxMissed bounds what one pass computes for one schedule, whatever the gap and the spec.
const maxMissed = 100

// Schedule is one recurring demand for one practice.
type Schedule struct {
	Name string // "today"; a tick's schedule is Name/practice
	// Spec is five cron fields in the practice's zone, without a descriptor or a zone of its own. An instant that a
	// change of clocks skips does not fire that day, one that comes twice fires twice: keep daily ones out of the hours
	// from 1 to 3.
	Spec    string
	Open    bool // only within opening hours
	Account bool // about the tenant's account: demanded for the first of its practices alone
	Rest    bool // a new practice waits for the first tick; else it is demanded at once, whatever the hour
	Missed  Missed
	// Args says what to enqueue for a tick at t, in the practice's zone.
	Args func(practice string, t time.Time) []tasks.Args
}

// Standard are the schedules that every practice has. They are the floor of freshness; demand adds to them. What reads much
// is done at night, in the practice's own zone: the vendor asks for that.
func Standard() []Schedule {
	return []Schedule{
		{Name: "today", Spec: "*/2 * * * *", Open: true, Args: window(0, 0)},
		{Name: "ahead", Spec: "*/30 * * * *", Open: true, Args: window(1, near)},
		// The rest of what cards show.
		{Name: "weeks", Spec: "40 5 * * *", Args: window(near+1, practice.CardDays-1)},
		{Name: "patients", Spec: "20 * * * *", Open: true, Rest: true, Args: func(p string, _ time.Time) []tasks.Args {
			return []tasks.Args{tasks.SyncPatients{Practice: p}}
		}},
		// Once in the life of a cached record: what a list of changes has missed heals.
		{Name: "everyone", Spec: "10 21 * * 0", Rest: true, Args: func(p string, _ time.Time) []tasks.Args {
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
				tasks.SyncSchedule{Practice: p, From: d, To: d},
				tasks.WarmView{View: tasks.DayBoard, Practice: p, Date: d},
			}
		}},
	}
}

// near is for how many days after today the schedule is read within opening hours.
const near = 7

// window is the demand for the appointments from one day to another, counted from the tick's.
func window(from, to int) func(string, time.Time) []tasks.Args {
	return func(p string, t time.Time) []tasks.Args {
		d := tasks.DateOf(t)
		return []tasks.Args{tasks.SyncSchedule{Practice: p, From: d.Add(from), To: d.Add(to)}}
	}
}

// ErrSpec is returned for a cron spec that is not accepted.
var ErrSpec = errors.New("plan: not a cron spec of five fields")

// parser reads five fields only: descriptors (@every) and zone prefixes (TZ=) make robfig's parser panic or fire each
// second on bad values, and the zone is the practice's anyway.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func parseSpec(spec string) (cron.Schedule, error) {
	if len(spec) > 200 || strings.ContainsAny(spec, "=@\n") {
		return nil, ErrSpec
	}
	s, err := parser.Parse(spec)
	if err != nil {
		return nil, ErrSpec
	}
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() { // 31 February
		return nil, fmt.Errorf("%w that ever comes", ErrSpec)
	}
	return s, nil
}

// maxGap bounds how far back a pass looks: a week of missed minutes is 10,080 steps.
const maxGap = 7 * 24 * time.Hour

// ticks lists the instants after last, up to and including now, at which the schedule fires in now's zone, reduced by the
// policy for those that were missed.
func ticks(s cron.Schedule, policy Missed, open func(time.Time) bool, last, now time.Time) []time.Time {
	var out []time.Time
	if gap := now.Add(-maxGap); last.Before(gap) {
		last = gap
	}
	for t := s.Next(last.In(now.Location())); !t.IsZero() && !t.After(now); t = s.Next(t) {
		if open(t) {
			out = append(out, t)
		}
		if len(out) > maxMissed {
			out = out[1:]
		}
	}
	switch n := len(out); {
	case n == 0, policy == MissedAll:
		return out
	case policy == MissedSkip && now.Sub(out[n-1]) >= time.Minute:
		return nil
	default:
		return out[n-1:]
	}
}
