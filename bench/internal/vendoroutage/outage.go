package vendoroutage

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/tasks"
	"golang.org/x/sync/errgroup"

	"github.com/workflow-bolt/rounds/bench/internal/peer"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
)

// fate is what the queue and the ledger hold about the tasks when all should be done.
type fate struct {
	used     int // attempts that failed
	dead     int // dead letters
	open     int // tasks that are neither done nor dead
	openings []opening
}

// outage lets the project's workers and the peer's live through the same outage, at once.
func outage(ctx context.Context, s settings) ([]report.Row, error) {
	var ours, theirs figures
	var end fate
	sides, ctx := errgroup.WithContext(ctx)
	sides.Go(func() (err error) { ours, end, err = outageOurs(ctx, s); return err })
	sides.Go(func() (err error) { theirs, err = outagePeer(ctx, s); return err })
	if err := sides.Wait(); err != nil {
		return nil, err
	}
	return outageRows(s, ours, theirs, end), nil
}

func outageOurs(ctx context.Context, s settings) (f figures, end fate, err error) {
	d, w, err := s.start(ctx, s.accountsOf(s.warm+s.calls), func(*process.Deployment) error { return nil })
	if err != nil {
		return f, end, err
	}
	defer func() { err = errors.Join(err, d.Close(ctx)) }()
	var mu sync.Mutex
	var ids []string
	c, err := side{vendor: d.Vendor, redis: d.Redis, accounts: d.Accounts, demand: func(ctx context.Context, a process.Account, from, n int) error {
		receipts, err := d.Tools.Tasks.EnqueueMany(ctx, a.Tenant, patients(from, n))
		mu.Lock()
		defer mu.Unlock()
		for _, r := range receipts {
			ids = append(ids, r.ID)
		}
		return err
	}}.live(ctx, s)
	openings, watchErr := w.end()
	if err := errors.Join(err, watchErr); err != nil {
		return f, end, err
	}
	c.reads -= w.reads // one pipeline each; nearly all of them were in the time that counts
	if f, err = c.figures(s, d.Accounts); err != nil {
		return f, end, err
	}
	end, err = fateOf(ctx, d, ids)
	end.openings = openings
	return f, end, err
}

// fateOf reads what became of tasks.
func fateOf(ctx context.Context, d *process.Deployment, ids []string) (f fate, err error) {
	if _, err := d.StopWorkers(ctx); err != nil { // what they do ends
		return f, err
	}
	for _, id := range ids {
		status, err := d.Tools.Tasks.Status(ctx, id)
		if err != nil {
			return f, err
		}
		used, open := attempts(status)
		f.used += used
		if open {
			f.open++
		}
	}
	buried, err := d.Tools.Ledger.DeadLetters(ctx, ledger.Filter{Limit: 500})
	f.dead = len(buried)
	return f, err
}

// attempts returns how many attempts of a task have failed, and whether it has not ended.
func attempts(s tasks.Status) (used int, open bool) {
	switch s.State {
	case tasks.StateDone, tasks.StateSuperseded, tasks.StateExpired, tasks.StateRunning:
		return max(0, s.Attempt-1), s.State == tasks.StateRunning // the last one succeeded, or has not ended
	case tasks.StateDead:
		return s.Attempt, false
	case tasks.StateUnknown:
		return 0, true
	}
	return s.Attempt, true
}

func outagePeer(ctx context.Context, s settings) (f figures, err error) {
	accounts := s.accountsOf(s.warm + s.calls)
	p, err := s.startPeer(ctx, accounts)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	c, err := side{vendor: p.Vendor, redis: p.Redis, accounts: accounts, demand: p.Demand}.live(ctx, s)
	if err != nil {
		return f, err
	}
	return c.figures(s, accounts)
}

func outageRows(s settings, ours, theirs figures, end fate) []report.Row {
	waited := fmt.Sprintf("%d tasks waited through an outage of %v; %d calls failed; %s", ours.waited, s.outage, ours.failed, describe(end.openings))
	if end.open > 0 {
		waited += fmt.Sprintf("; %d tasks had not ended", end.open)
	}
	beside := func(name, unit string, ours, theirs float64, note string) report.Row {
		return peer.Beside(peer.Backoff, s.workers, name, unit, report.Lower, ours, theirs, note)
	}
	left := func(f figures) string {
		if f.left == 0 {
			return "all were done"
		}
		return fmt.Sprintf("%d calls were not served within %v after the return", f.left, s.limit)
	}
	const ideal = " until the last response of the slowest account, divided by its calls × true spacing; "
	least := s.accounts * s.calls * 3 / 4 // the others may be done before the outage
	return []report.Row{
		report.Once("outage-attempts-burnt", "attempts", report.Lower, new(0.0), float64(end.used), "failed attempts in the queue's records of the tasks; "+waited),
		report.Cases("outage-attempts-burnt", least, ours.waited, "tasks that waited when the outage began"),
		report.Once("outage-dead", "tasks", report.Lower, new(0.0), float64(end.dead), "dead letters in the ledger"),
		report.Cases("outage-dead", least, ours.waited, "tasks that waited when the outage began"),
		report.Once("outage-calls", "calls", report.Lower, new(12.0), float64(ours.calls),
			fmt.Sprintf("calls of all accounts and operations that began more than %v after the outage did, and before its end", s.grace)),
		report.Once("outage-first-success-seconds", "s", report.Lower, new(35.0), ours.first, "from the vendor's return to the response of the first call that it served"),
		report.Once("ramp-refusals", "calls", report.Lower, new(0.0), float64(ours.refusals), "calls that came too soon after the return"),
		report.Cases("ramp-refusals", least, ours.after, "calls after the return"),
		report.Once("outage-roundtrips-per-task", "round trips", report.Lower, new(12.0), ours.reads,
			fmt.Sprintf("what redis-server read from its connections, from the beginning of the outage until all were done, for each task that waited; %.1f commands", ours.commands)),
		report.Once("outage-done", "× ideal", report.Lower, new(1.15), ours.done, "from the first response after the return"+ideal+left(ours)),
		report.Once("outage-done-since-return", "× ideal", report.Lower, nil, ours.doneSince, "from the vendor's return"+ideal+left(ours)),
		beside("outage-attempts-burnt", "attempts", float64(end.used), float64(theirs.failed), "calls that failed; each costs an attempt"),
		beside("outage-calls", "calls", float64(ours.calls), float64(theirs.calls), left(theirs)),
		beside("outage-first-success-seconds", "s", ours.first, theirs.first, left(theirs)),
		beside("ramp-refusals", "calls", float64(ours.refusals), float64(theirs.refusals), fmt.Sprintf("of %d calls", theirs.after)),
		beside("outage-roundtrips-per-task", "round trips", ours.reads, theirs.reads, fmt.Sprintf("%.1f commands", theirs.commands)),
		beside("outage-done-since-return", "× ideal", ours.doneSince, theirs.doneSince, left(theirs)),
	}
}
