package vendoroutage

import (
	"context"
	"errors"
	"flag"
	"strings"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/peer"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
)

// settings are the sizes of a run.
type settings struct {
	atOnce            bool // run all parts at once
	workers, accounts int  // worker processes of each fleet, and accounts
	interval, latency time.Duration

	warm, calls int           // of part outage: tasks of each account that are done before, and that wait
	ahead       time.Duration // from the demand to the outage
	outage      time.Duration
	grace       time.Duration // after which of its beginning calls count
	limit       time.Duration // the longest time from the vendor's return until all is done

	badPatients, badDays int // of part bad-records
	badFor               time.Duration
	share                float64       // of the budget that the others use
	dayEvery             time.Duration // how often an account demands the schedule of a day

	loginEvery  time.Duration // of part login: what an hour is scaled to
	personEvery time.Duration // how often each tenant demands a patient
}

// full is the size whose figures count.
var full = settings{
	workers: 4, accounts: 8, interval: 250 * time.Millisecond, latency: 2500 * time.Millisecond,
	warm: 8, calls: 250, ahead: 5 * time.Second, outage: 3 * time.Minute, grace: 5 * time.Second, limit: 4 * time.Minute,
	badPatients: 20, badDays: 3, badFor: 10 * time.Minute, share: 0.6, dayEvery: 5 * time.Second,
	loginEvery: 2 * time.Minute, personEvery: 2 * time.Second,
}

// smoke is a size that shows in less than a minute whether the bench works.
var smoke = settings{
	atOnce: true, workers: 2, accounts: 2, interval: 250 * time.Millisecond, latency: 200 * time.Millisecond,
	warm: 4, calls: 10, ahead: time.Second, outage: 5 * time.Second, grace: time.Second, limit: 30 * time.Second,
	badPatients: 2, badDays: 1, badFor: 10 * time.Second, share: 0.6, dayEvery: 2 * time.Second,
	loginEvery: 4 * time.Second, personEvery: time.Second,
}

var allParts = parts.List[settings]{
	{Name: "outage", About: "tasks that wait while the vendor is down, beside plain asynq", Run: outage},
	{Name: "bad-records", About: "records that always fail, and those that do not", Beside: true, Run: badRecords},
	{Name: "login", About: "a tenant with a wrong password", Beside: true, Run: login},
}

// Flags declares the bench's flags and returns its measurement.
func Flags(flags *flag.FlagSet) func(context.Context) ([]report.Row, error) {
	s := full
	selected := flags.String("parts", strings.Join(allParts.Names(), ","), "the parts to run, separated by commas")
	small := flags.Bool("smoke", false, "take less than a minute: few calls, all parts at once, and figures that mean nothing")
	flags.DurationVar(&s.outage, "outage", s.outage, "how long the outage of part outage lasts")
	flags.DurationVar(&s.badFor, "bad", s.badFor, "how long the records of part bad-records are demanded")
	return func(ctx context.Context) ([]report.Row, error) {
		if *small {
			s = smoke
		}
		return allParts.Measure(ctx, s, strings.Split(*selected, ","), s.atOnce)
	}
}

// accountsOf returns accounts with a number of patients, whose true spacing only the simulator has.
func (s settings) accountsOf(patients int) []process.Account {
	accounts := make([]process.Account, s.accounts)
	for i := range accounts {
		accounts[i] = process.Account{
			Tenant: "clinic-" + string(rune('a'+i)), Patients: patients, Interval: s.interval,
			Margin: time.Duration(i+2) * time.Millisecond, Latency: s.latency,
		}
	}
	return accounts
}

// starting is held while a fleet starts: those of other parts would take its time, and a process
// that does not start within seconds reports a failure.
var starting sync.Mutex

// start starts a deployment and its workers, and watches its breakers.
func (s settings) start(ctx context.Context, accounts []process.Account, prepare func(*process.Deployment) error) (
	d *process.Deployment, w *watch, err error,
) {
	starting.Lock()
	defer starting.Unlock()
	if d, err = process.Open(ctx, accounts); err != nil {
		return nil, nil, err
	}
	if err = prepare(d); err == nil {
		err = d.StartWorkers(ctx, s.workers)
	}
	if err != nil {
		return nil, nil, errors.Join(err, d.Close(ctx))
	}
	return d, watchBreakers(ctx, d), nil
}

// startPeer starts workers of plain asynq.
func (s settings) startPeer(ctx context.Context, accounts []process.Account) (*peer.Fleet, error) {
	starting.Lock()
	defer starting.Unlock()
	return peer.Open(ctx, peer.Backoff, accounts, s.workers)
}

// startUp is what a loaded machine may need until all processes work and the first calls are served.
const startUp = 2 * time.Minute
