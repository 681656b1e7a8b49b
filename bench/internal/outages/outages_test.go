package outages

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	good := options{scale: 0.05, tasks: 1000, invalidations: 50}
	if err := good.check(); err != nil || good.length() != 30*time.Second {
		t.Errorf("the defaults: %v, %v", err, good.length())
	}
	for _, o := range []options{{0, 1000, 50, ""}, {2, 1000, 50, ""}, {0.05, practices, 1, ""}, {0.05, 100, 90, ""}, {0.05, 100, 0, ""}} {
		if o.check() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

// The count takes each fault into account, and no run of another task.
func TestCount(t *testing.T) {
	t.Parallel()
	back := time.Now()
	run := func(id, state string, code codes.Code, counted bool, at time.Duration) ended {
		return ended{app.Run{ID: id, Outcome: tasks.Outcome{State: state, Code: code}, Counted: counted}, back.Add(at)}
	}
	var r result
	r.count(map[string]bool{"early": true, "late": true, "dead": true, "never": true}, []ended{
		run("early", tasks.OutcomeDone, "", false, -time.Second),
		run("late", tasks.OutcomeLater, codes.CacheFull, false, -2*time.Second),
		run("late", tasks.OutcomeLater, codes.Redis, false, -time.Second),
		run("late", tasks.OutcomeLater, codes.Pace, false, 3*time.Second),
		run("late", tasks.OutcomeDone, "", false, 9*time.Second),
		run("dead", tasks.OutcomeDead, codes.Timeout, true, time.Second),
		run("other", tasks.OutcomeRetry, codes.Timeout, true, time.Second),
	}, back)
	if r.used != 2 || r.dead != 1 || r.waiting != 3 || r.pickups != 3 || len(r.resume) != 2 || p95(r.resume) != 3 {
		t.Errorf("%+v", r)
	}
}

// A task whose work was not needed any more has ended as one that is done has.
func TestOver(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{
		tasks.OutcomeDone: true, tasks.OutcomeDead: true, tasks.OutcomeExpired: true, tasks.OutcomeRetry: false, tasks.OutcomeLater: false,
	} {
		if got := (ended{Run: app.Run{Outcome: tasks.Outcome{State: state}}}).over(); got != want {
			t.Errorf("%s: %v", state, got)
		}
	}
}

// Rows that require 0 have a row of their cases, which nothing that happened cannot pass.
func TestRowsNeedCases(t *testing.T) {
	t.Parallel()
	o := options{scale: 0.05}
	names := []string{"cache down"}
	passes := func(results ...result) map[string]bool {
		out := map[string]bool{}
		for _, row := range o.rows(names, results) {
			out[row.Name] = row.Pass()
			if !strings.Contains(row.Note, "30s instead of 10m0s") || !strings.Contains(row.Note, "cache down") {
				t.Errorf("%s: %s", row.Name, row.Note)
			}
		}
		return out
	}
	good := result{waiting: 9, proven: 5, pickups: 2, resume: []float64{1, 2}}
	for name, ok := range passes(good, good) {
		if !ok {
			t.Errorf("%s fails", name)
		}
	}
	for name, ok := range passes(good, result{}) { // the first outage has cases, the second none
		if ok == strings.HasSuffix(name, "-cases") {
			t.Errorf("without a case %s passes: %v", name, ok)
		}
	}
	bad := passes(result{used: 1, dead: 1, waiting: 1, stale: 1, proven: 1, pickups: 6, resume: []float64{6}})
	for _, name := range []string{"attempts-burnt", "dead", "stale-after", "resume-p95-seconds", "pickups-per-task"} {
		if bad[name] {
			t.Errorf("%s passes", name)
		}
	}
}
