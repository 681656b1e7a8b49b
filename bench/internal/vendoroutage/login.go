package vendoroutage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

const (
	// servedWithin is the longest time that a corrected login may wait for its first call.
	servedWithin = time.Minute
	// lateAfter is how long a demand of another tenant may wait for its response.
	lateAfter = 10 * time.Second
)

// loginRun is a fleet with one tenant whose password is wrong.
type loginRun struct {
	settings

	d     *process.Deployment
	wrong process.Account
}

// refusals are what the wrong password cost.
type refusals struct {
	began, corrected, observed time.Time
	inTwoHours                 int // refused logins
	openings                   []opening
}

// login runs a tenant with a wrong password for two scaled hours beside others, and corrects it.
func login(ctx context.Context, s settings) (rows []report.Row, err error) {
	patients := int(5*s.loginEvery/s.personEvery) + int(3*servedWithin/s.personEvery)
	accounts := s.accountsOf(patients)
	accounts[0].WrongLogin = true
	r := loginRun{settings: s, wrong: accounts[0]}
	d, w, err := s.start(ctx, accounts, func(d *process.Deployment) error { d.LoginEvery = s.loginEvery; return nil })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close(ctx)) }()
	r.d = d
	demanding, stop := context.WithCancel(ctx)
	demands := make(chan []demanded, 1)
	go func() { demands <- r.demand(demanding) }()
	found, err := r.correct(ctx)
	stop()
	all := <-demands
	found.openings, _ = w.end()
	if err := errors.Join(err, w.err); err != nil {
		return nil, err
	}
	l, err := readLogs(ctx, r.d.Vendor, r.d.Accounts)
	if err != nil {
		return nil, err
	}
	return r.rows(found, all, l), nil
}

// demand demands a patient of every tenant now and then until ctx ends. A demand that fails then
// does not count.
func (r *loginRun) demand(ctx context.Context) []demanded {
	all, _ := parts.AtOnce(r.d.Accounts, func(a process.Account) (mine []demanded, err error) {
		_, err = steadily(ctx, r.personEvery, time.Now().Add(time.Hour), func(n int) (demanded, error) {
			d, err := demandPatient(ctx, r.d.Tools.Tasks, a, n)
			if err == nil {
				mine = append(mine, d)
			}
			return d, err
		})
		return mine, err
	})
	return slices.Concat(all...)
}

// correct waits for two scaled hours, and then for the next refusal, so that the next try of a
// refused login is far. Then it corrects the password and waits until the tenant is served.
func (r *loginRun) correct(ctx context.Context) (f refusals, err error) {
	f.began = time.Now()
	until := f.began.Add(2 * r.loginEvery)
	if err := process.Pause(ctx, time.Until(until)); err != nil {
		return f, err
	}
	before, err := r.refused(ctx)
	if err != nil {
		return f, err
	}
	f.inTwoHours = len(before.Between(f.began, until))
	for last := time.Now().Add(r.loginEvery * 3 / 2); time.Now().Before(last); {
		now, err := r.refused(ctx)
		if err != nil {
			return f, err
		}
		if len(now) > len(before) {
			break
		}
		if err := process.Pause(ctx, 200*time.Millisecond); err != nil {
			return f, err
		}
	}
	if err := r.d.CorrectLogins(ctx); err != nil {
		return f, err
	}
	f.corrected = time.Now()
	_, err = awaitServed(ctx, r.d.Vendor, []process.Account{r.wrong}, 1, 2*servedWithin)
	f.observed = time.Now()
	return f, err
}

// refused returns the tenant's calls whose login the vendor refused.
func (r *loginRun) refused(ctx context.Context) (vendorlog.Timeline, error) {
	logs, err := vendorlog.ReadAll(ctx, r.d.Vendor, []process.Account{r.wrong})
	return logs[r.wrong.Tenant].With(tebratest.OutcomeUnauthenticated), err
}

func (r *loginRun) rows(f refusals, all []demanded, l logs) []report.Row {
	served := f.observed
	if first, ok := firstServed(l.calls[r.wrong.Tenant]); ok {
		served = first
	}
	var others []demanded
	for _, d := range all {
		if d.account.Tenant != r.wrong.Tenant && d.at.Before(f.observed.Add(-lateAfter)) {
			others = append(others, d)
		}
	}
	waits, _ := delays(others, process.Operation, l, f.observed)
	late := 0
	for _, w := range waits {
		if w > lateAfter {
			late++
		}
	}
	foreign := slices.DeleteFunc(slices.Clone(f.openings), func(o opening) bool { return o.tenant == r.wrong.Tenant })
	refused := l.calls[r.wrong.Tenant].With(tebratest.OutcomeUnauthenticated)
	return []report.Row{
		report.Once("login-refused", "logins", report.Lower, new(2.0), float64(f.inTwoHours),
			fmt.Sprintf("calls that the vendor refused for a wrong password in two hours, scaled to %v; %s", 2*r.loginEvery, describe(f.openings))),
		report.Once("login-served-seconds", "s", report.Lower, new(servedWithin.Seconds()), served.Sub(f.corrected).Seconds(),
			fmt.Sprintf("from the correction of the password, after %d refused logins, to the tenant's first response", len(refused))),
		report.Once("login-others-late", "demands", report.Lower, new(0.0), float64(late),
			fmt.Sprintf("demands of other tenants that waited for more than %v; p95 %v", lateAfter, vendorlog.Percentile(waits, 95).Round(time.Millisecond))),
		report.Cases("login-others-late", int(2*r.loginEvery/r.personEvery), len(waits), "demands of other tenants"),
		report.Once("login-others-openings", "openings", report.Lower, new(0.0), float64(len(foreign)), "openings of the host's breaker and of other tenants' breakers; "+describe(foreign)),
		report.Cases("login-others-openings", 1, len(refused), "refused logins"),
	}
}
