package app

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/status"
	"github.com/workflow-bolt/rounds/tasks"
)

// The status document of a scheduler describes the system correctly.
func TestSchedulerReports(t *testing.T) {
	t.Parallel()
	sys := build(t)
	rdb, err := redisconn.Dial(sys.settings.Redis.Queue.Reveal(), redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	s, err := NewScheduler(t.Context(), SchedulerOptions{Config: config.Scheduler{Base: sys.settings}})
	if err != nil {
		t.Fatal(err)
	}
	run(t, s.Run)
	read := func() (d status.Document, err error) {
		d, age, err := status.Read(t.Context(), rdb)
		if err == nil && age > status.Late {
			err = fmt.Errorf("%v old", age)
		}
		return d, err
	}
	eventually(t, func() error {
		d, err := read()
		if err == nil && (len(d.Freshness) != 2 || len(d.Breakers) != 1 || d.Breakers[0].State != "closed" || len(d.Workers) != 0) {
			err = fmt.Errorf("%+v", d)
		}
		return err
	})
	d, _ := read()
	for _, f := range d.Freshness {
		if f.Known || !f.Open || !f.Late() {
			t.Errorf("before any worker ran: %+v", f)
		}
	}
	if len(d.Missing) > 0 || d.Attempts[tasks.SyncSchedule{}.Kind()] == 0 {
		t.Errorf("%+v", d)
	}
	sys.work(t)
	eventually(t, func() error {
		d, err := read()
		switch {
		case err != nil:
		case len(d.Workers) != 1 || d.Workers[0].Slots == 0:
			err = fmt.Errorf("workers: %+v", d.Workers)
		case len(d.Budgets) < 2 || d.Budgets[0].Tenant != clinicA || d.Budgets[0].Spacing <= 0:
			err = fmt.Errorf("budgets: %+v", d.Budgets)
		default:
			for _, f := range d.Freshness {
				if !f.Known || f.Late() || f.Age > time.Minute {
					err = errors.Join(err, fmt.Errorf("freshness: %+v", f))
				}
			}
		}
		return err
	})
}
