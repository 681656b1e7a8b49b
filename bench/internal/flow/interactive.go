package flow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/tasks"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

// interactive works off backlogs while people ask for single patients now and then.
func interactive(ctx context.Context, s settings) (_ []report.Row, err error) {
	backfill := int(s.personFor/s.interval) + 40 // more than the vendor allows in the time
	accounts := make([]process.Account, s.personAccounts)
	for i := range accounts {
		accounts[i] = process.Account{
			Tenant: fmt.Sprintf("clinic-%d", i+1), Patients: 2 * backfill, Interval: s.interval,
			Margin: time.Duration(3+i) * time.Millisecond, Latency: s.latency,
		}
	}
	h, err := process.Open(ctx, accounts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close(ctx)) }()
	if err := startWorkers(ctx, h); err != nil {
		return nil, err
	}
	backlogs, err := parts.AtOnce(accounts, func(a process.Account) (backlog, error) { return demand(ctx, h, a, 0, backfill) })
	if err != nil {
		return nil, err
	}
	parts.Progress("  for %v, people ask for a patient every %v on average", s.personFor, s.personEvery)
	asked, err := parts.AtOnce(backlogs, func(b backlog) ([]time.Time, error) { return ask(ctx, h, s, b) })
	if err != nil {
		return nil, err
	}
	observed := time.Now()
	if err := process.Pause(ctx, s.latency+2*time.Second); err != nil { // the last calls end
		return nil, err
	}
	var waits []float64
	var allotted, waited time.Duration
	unserved := 0
	for i, b := range backlogs {
		got, missing, used, err := people(ctx, h.Vendor, b, asked[i], observed)
		if err != nil {
			return nil, err
		}
		waits, unserved = append(waits, got...), unserved+missing
		allotted, waited = allotted+used, waited+observed.Sub(b.began)
	}
	slices.Sort(waits)
	if len(waits) == 0 {
		return nil, errors.New("no one asked")
	}
	note := fmt.Sprintf("p95 of %d waits, from the demand to the arrival of the call, in true spacings", len(waits))
	if unserved > 0 {
		note += fmt.Sprintf("; %d calls did not come and count as waiting until the end", unserved)
	}
	return []report.Row{
		report.Once("interactive-p95-intervals", "intervals", report.Lower, new(2.0), waits[(len(waits)*95+99)/100-1], note),
		report.Once("backfill-budget-used", "of all", report.Higher, new(0.95), float64(allotted)/float64(waited),
			"as budget-used, of all calls until the last person has asked, while a backlog waits"),
	}, nil
}

// ask demands the patients after those of the backlog at random times, as people would, and
// returns when it demanded each.
func ask(ctx context.Context, h *process.Deployment, s settings, b backlog) (asked []time.Time, err error) {
	r := rand.New(rand.NewPCG(1, uint64(len(b.account.Tenant))+uint64(b.account.Margin)))
	for until := b.began.Add(s.personFor); ; {
		if err := process.Pause(ctx, time.Duration(r.ExpFloat64()*float64(s.personEvery))); err != nil {
			return nil, err
		}
		if time.Now().After(until) {
			return asked, nil
		}
		patient := tasks.PatientID(process.Patient(b.calls + len(asked)))
		asked = append(asked, time.Now())
		if _, err := h.Tools.Tasks.Enqueue(ctx, b.account.Tenant, tasks.SyncPatient{Practice: process.PracticeID, Patient: patient},
			tasks.Interactive()); err != nil {
			return nil, err
		}
	}
}

// people returns how long each patient that a person asked for waited, how many did not come, and
// the time that the vendor's limit allots to all calls of the account.
func people(ctx context.Context, v *process.Vendor, b backlog, asked []time.Time, observed time.Time) (
	waits []float64, missing int, used time.Duration, err error,
) {
	timelines, err := vendorlog.Read(ctx, v, []process.Account{b.account})
	if err != nil {
		return nil, 0, 0, err
	}
	sent, err := v.Asked(ctx, b.account.Tenant)
	if err != nil {
		return nil, 0, 0, err
	}
	all := timelines[b.account.Tenant]
	for i, at := range asked {
		patient := process.Patient(b.calls + i)
		call, ok := all.Serving(sent, func(a process.Asked) bool { return a.Patient == patient })
		arrived := call.Arrived
		if !ok {
			missing, arrived = missing+1, observed
		}
		waits = append(waits, float64(arrived.Sub(at))/float64(b.account.Spacing()))
	}
	inTime := all.Served().Between(b.began, observed)
	if len(inTime) >= b.calls {
		return nil, 0, 0, errors.New("the backlog was too small")
	}
	return waits, missing, time.Duration(allowance * float64(time.Duration(len(inTime))*b.account.Spacing())), nil
}
