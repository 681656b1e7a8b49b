package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/tasks"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/peer"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

// drained are the figures of backlogs that were worked off at once.
type drained struct {
	drain    float64 // of the slowest account
	refusals float64 // per 1000 calls
	used     float64 // of the budget, while work waited
	pickups  float64 // per call that was served
	left     int     // calls that were not served in time
	calls    int     // with any outcome
}

func (d drained) note() string {
	if d.left == 0 {
		return fmt.Sprintf("%d calls", d.calls)
	}
	return fmt.Sprintf("%d calls; %d of those demanded were not served in time, and the figure is that of the others", d.calls, d.left)
}

// drain works off the backlogs of all accounts with the project's workers and with both peers.
func drain(ctx context.Context, s settings) ([]report.Row, error) {
	ours, err := drainOurs(ctx, s)
	if err != nil {
		return nil, err
	}
	const what = "from the demand to the last response, of the slowest account, divided by calls × true spacing; "
	rows := []report.Row{
		report.Once("drain", "× ideal", report.Lower, new(1.10), ours.drain, what+ours.note()),
		report.Once("refusals-per-1000", "calls", report.Lower, new(3.0), ours.refusals, "calls that the vendor refused because they came too soon; "+ours.note()),
		report.Once("budget-used", "of all", report.Higher, new(0.95), ours.used,
			"calls × true spacing × 1.05, divided by the time from the demand to the last arrival; "+ours.note()),
		report.Once("pickups-per-call", "pick-ups", report.Lower, new(2.0), ours.pickups, "runs of the tasks, counted by the workers, per call that was served"),
	}
	modes := []string{peer.Backoff, peer.Bucket}
	// Both at once: they mostly wait, and have accounts of their own.
	peers, err := parts.AtOnce(modes, func(mode string) (drained, error) { return drainPeer(ctx, s, mode) })
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	for i, mode := range modes {
		theirs := peers[i]
		rows = append(rows,
			peer.Beside(mode, workers, "drain", "× ideal", report.Lower, ours.drain, theirs.drain, theirs.note()),
			peer.Beside(mode, workers, "refusals-per-1000", "calls", report.Lower, ours.refusals, theirs.refusals, theirs.note()),
			peer.Beside(mode, workers, "budget-used", "of all", report.Higher, ours.used, theirs.used, theirs.note()),
			peer.Beside(mode, workers, "pickups-per-call", "pick-ups", report.Lower, ours.pickups, theirs.pickups, theirs.note()))
	}
	return rows, nil
}

// drainAccounts are accounts whose true spacing only the simulator has: each adds another margin to
// the interval that the vendor names.
func drainAccounts(s settings) []process.Account {
	accounts := make([]process.Account, s.accounts)
	for i := range accounts {
		accounts[i] = process.Account{
			Tenant: fmt.Sprintf("clinic-%d", i+1), Patients: s.calls, Interval: s.interval,
			Margin: time.Duration(i+2) * time.Millisecond, Latency: s.latency,
		}
	}
	return accounts
}

// startUp is what a loaded machine may need until all processes work.
const startUp = 20 * time.Second

// startWorkers starts the workers and lets them use each account's login.
func startWorkers(ctx context.Context, d *process.Deployment) error {
	if err := d.StartWorkers(ctx, workers); err != nil {
		return err
	}
	return d.UseLogins(ctx)
}

func drainOurs(ctx context.Context, s settings) (_ drained, err error) {
	accounts := drainAccounts(s)
	h, err := process.Open(ctx, accounts)
	if err != nil {
		return drained{}, err
	}
	defer func() { err = errors.Join(err, h.Close(ctx)) }()
	if err := startWorkers(ctx, h); err != nil {
		return drained{}, err
	}
	backlogs, err := parts.AtOnce(accounts, func(a process.Account) (backlog, error) { return demand(ctx, h, a, 0, s.calls) })
	if err != nil {
		return drained{}, err
	}
	if err := await(ctx, h.Vendor, backlogs, ideal(backlogs)*5/2+startUp); err != nil {
		return drained{}, err
	}
	observed := time.Now()
	runs, err := h.StopWorkers(ctx)
	if err != nil {
		return drained{}, err
	}
	return figures(ctx, h.Vendor, backlogs, observed, runs[tasks.SyncPatient{}.Kind()].Total())
}

func drainPeer(ctx context.Context, s settings, mode string) (_ drained, err error) {
	accounts := drainAccounts(s)
	f, err := peer.Open(ctx, mode, accounts, workers)
	if err != nil {
		return drained{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	backlogs, err := parts.AtOnce(accounts, func(a process.Account) (backlog, error) {
		b := backlog{account: a, began: time.Now(), calls: s.peerCalls}
		return b, f.Demand(ctx, a, 0, b.calls)
	})
	if err != nil {
		return drained{}, err
	}
	if err := await(ctx, f.Vendor, backlogs, s.peerLimit); err != nil {
		return drained{}, err
	}
	observed := time.Now()
	pickups, err := f.Stop(ctx)
	if err != nil {
		return drained{}, err
	}
	return figures(ctx, f.Vendor, backlogs, observed, pickups)
}

// figures computes the figures of backlogs from the simulator's log.
func figures(ctx context.Context, v *process.Vendor, backlogs []backlog, observed time.Time, pickups int) (d drained, err error) {
	accounts := make([]process.Account, len(backlogs))
	for i, b := range backlogs {
		accounts[i] = b.account
	}
	timelines, err := vendorlog.Read(ctx, v, accounts)
	if err != nil {
		return d, err
	}
	var allotted, waited time.Duration
	served, refused := 0, 0
	for _, b := range backlogs {
		t := timelines[b.account.Tenant]
		asked, err := v.Asked(ctx, b.account.Tenant)
		if err != nil {
			return d, err
		}
		b.patients = b.distinct(asked)
		took, err := b.drain(t, observed)
		if err != nil {
			return d, err
		}
		early, err := t.Early(vendorlog.Steady(b.account.Spacing()))
		if err != nil {
			return d, err
		}
		got, time := b.used(t, observed)
		allotted, waited = allotted+got, waited+time
		d.drain = max(d.drain, took)
		_, n := b.end(t, observed)
		d.calls, d.left = d.calls+len(t), d.left+b.calls-n
		served, refused = served+len(t.Served()), refused+len(early)
	}
	d.refusals = 1000 * float64(refused) / float64(d.calls)
	d.used = float64(allotted) / float64(waited)
	d.pickups = float64(pickups) / float64(served)
	return d, nil
}

// demand demands that n patients of an account are read, from the given one.
func demand(ctx context.Context, h *process.Deployment, a process.Account, from, n int) (backlog, error) {
	args := make([]tasks.Args, n)
	for i := range args {
		args[i] = tasks.SyncPatient{Practice: process.PracticeID, Patient: tasks.PatientID(process.Patient(from + i))}
	}
	b := backlog{account: a, began: time.Now(), calls: n}
	_, err := h.Tools.Tasks.EnqueueMany(ctx, a.Tenant, args)
	return b, err
}

// ideal returns the shortest time in which the vendor allows all calls of the slowest backlog.
func ideal(backlogs []backlog) (longest time.Duration) {
	for _, b := range backlogs {
		longest = max(longest, time.Duration(b.calls)*b.account.Spacing()+b.account.Latency)
	}
	return longest
}

// await waits until all calls of the backlogs have been served, or until the limit.
func await(ctx context.Context, v *process.Vendor, backlogs []backlog, limit time.Duration) error {
	until := time.Now().Add(limit)
	for n := 0; time.Now().Before(until); n++ {
		left, all := 0, 0
		for _, b := range backlogs {
			count, err := v.Count(ctx, b.account.Tenant)
			if err != nil {
				return err
			}
			left, all = left+max(0, b.calls-count.OK), all+b.calls
		}
		if left == 0 {
			return nil
		}
		if n%50 == 0 {
			parts.Progress("  %d of %d calls are left", left, all)
		}
		if err := process.Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
