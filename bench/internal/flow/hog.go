package flow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

// hogRun is one run of part hog: a tenant with a long backlog, and quiet ones that demand a few
// calls at a time.
type hogRun struct {
	deployment *process.Deployment
	hog        process.Account
	quiet      []process.Account
	calls      int // of each quiet tenant in a round
	used       int // patients of each quiet tenant that rounds before have read
}

// hog compares how long quiet tenants wait with and without a hog, if all calls take as long.
func hog(ctx context.Context, s settings) ([]report.Row, error) {
	return runHog(ctx, s, "", s.latency, s.latency)
}

// hogSlow does the same with a hog whose calls are slow.
func hogSlow(ctx context.Context, s settings) ([]report.Row, error) {
	return runHog(ctx, s, "-slow", s.hogLatency, s.quietLatency)
}

func runHog(ctx context.Context, s settings, suffix string, hogLatency, quietLatency time.Duration) (_ []report.Row, err error) {
	r := hogRun{calls: s.quietCalls}
	account := func(name string, patients int, latency time.Duration) process.Account {
		return process.Account{Tenant: name, Patients: patients, Interval: s.interval, Margin: 5 * time.Millisecond, Latency: latency}
	}
	r.hog = account("hog", s.hogCalls, hogLatency)
	for i := range s.quiet {
		r.quiet = append(r.quiet, account(fmt.Sprintf("quiet-%d", i+1), 2*s.quietRounds*s.quietCalls, quietLatency))
	}
	if r.deployment, err = process.Open(ctx, append(slices.Clone(r.quiet), r.hog)); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.deployment.Close(ctx)) }()
	if err := startWorkers(ctx, r.deployment); err != nil {
		return nil, err
	}
	alone, _, err := r.rounds(ctx, s)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(alone, func(d dwell) bool { return !d.served }) {
		return nil, errors.New("without the hog, not all calls were served")
	}
	parts.Progress("  alone, the quiet wait %v (p95)", p95(alone).Round(time.Millisecond))
	if _, err := demand(ctx, r.deployment, r.hog, 0, s.hogCalls); err != nil {
		return nil, err
	}
	parts.Progress("  %d tasks of the hog wait", s.hogCalls)
	if err := process.Pause(ctx, s.hogAhead); err != nil {
		return nil, err
	}
	beside, spans, err := r.rounds(ctx, s)
	if err != nil {
		return nil, err
	}
	shares, err := r.shares(ctx, spans)
	if err != nil {
		return nil, err
	}
	return r.rows(s, suffix, alone, beside, shares)
}

func (r *hogRun) rows(s settings, suffix string, alone, beside []dwell, shares []float64) ([]report.Row, error) {
	left := 0
	for _, d := range beside {
		if !d.served {
			left++
		}
	}
	note := fmt.Sprintf("p95 of the time from the demand to the response of %d tenants' calls, %d of each at once, beside %d waiting tasks of "+
		"a hog (%v) and without it (%v)", len(r.quiet), r.calls, s.hogCalls, p95(beside).Round(time.Millisecond), p95(alone).Round(time.Millisecond))
	if left > 0 {
		note += fmt.Sprintf("; %d of %d calls were not served within %v and count as that long", left, len(beside), s.hogLimit)
	}
	return []report.Row{
		report.Once("hog-quiet-p95"+suffix, "× alone", report.Lower, new(1.5), float64(p95(beside))/float64(p95(alone)), note),
		report.Once("hog-jain"+suffix, "index", report.Higher, new(0.95), mean(shares),
			"Jain's index of the tenants' vendor seconds, each divided by its max-min fair share of all, while all tenants have work waiting"),
	}, nil
}

// dwell is the time from a demand to the response of a call.
type dwell struct {
	time.Duration

	served bool // false: still waiting after this time
}

// span is the time in which all tenants have work waiting.
type span struct{ from, until time.Time }

// rounds lets the quiet tenants demand their calls several times, each time after the last are
// done. It returns how long each call took, and for each round the time in which all had work
// waiting.
func (r *hogRun) rounds(ctx context.Context, s settings) (dwells []dwell, spans []span, err error) {
	until := time.Now().Add(s.hogLimit)
	for complete, n := true, 0; complete && n < s.quietRounds; n++ { // a second round would have the rest of the first before it
		from := r.used
		r.used += r.calls
		backlogs, err := parts.AtOnce(r.quiet, func(a process.Account) (backlog, error) { return demand(ctx, r.deployment, a, from, r.calls) })
		if err != nil {
			return nil, nil, err
		}
		total := slices.Clone(backlogs) // await counts all calls since the start
		for i := range total {
			total[i].calls = r.used
		}
		if err := await(ctx, r.deployment.Vendor, total, time.Until(until)); err != nil {
			return nil, nil, err
		}
		got, waited, err := r.round(ctx, backlogs, time.Now())
		if err != nil {
			return nil, nil, err
		}
		dwells, spans = append(dwells, got...), append(spans, waited)
		complete = !slices.ContainsFunc(got, func(d dwell) bool { return !d.served })
	}
	return dwells, spans, nil
}

// round reads from the simulator's log how long the calls of one round took.
func (r *hogRun) round(ctx context.Context, backlogs []backlog, observed time.Time) (dwells []dwell, all span, err error) {
	timelines, err := vendorlog.Read(ctx, r.deployment.Vendor, r.quiet)
	if err != nil {
		return nil, span{}, err
	}
	all = span{backlogs[0].began, observed}
	for _, b := range backlogs {
		served := timelines[b.account.Tenant].Served().Between(b.began, observed)
		for i := range b.calls {
			if i < len(served) {
				dwells = append(dwells, dwell{vendorlog.Ended(served[i]).Sub(b.began), true})
			} else {
				dwells = append(dwells, dwell{observed.Sub(b.began), false})
			}
		}
		if len(served) == b.calls && served[b.calls-1].Arrived.Before(all.until) {
			all.until = served[b.calls-1].Arrived // from now on, one tenant has no work waiting
		}
		all.from = later(all.from, b.began)
	}
	return dwells, all, nil
}

// shares returns Jain's index of the calls that arrived for the tenants in each span, by their
// cost. It waits until these calls have ended, because the log has no others.
func (r *hogRun) shares(ctx context.Context, spans []span) (indexes []float64, err error) {
	if err := process.Pause(ctx, r.hog.Latency+time.Second); err != nil {
		return nil, err
	}
	timelines, err := vendorlog.Read(ctx, r.deployment.Vendor, r.deployment.Accounts)
	if err != nil {
		return nil, err
	}
	for _, all := range spans {
		var got, most []float64
		for _, a := range r.deployment.Accounts {
			got = append(got, cost(timelines[a.Tenant].Between(all.from, all.until)).Seconds())
			// The vendor's limit bounds how many calls of a tenant can arrive.
			most = append(most, all.until.Sub(all.from).Seconds()*float64(a.Latency)/float64(a.Spacing()))
		}
		fair := maxMin(sum(got), most)
		for i := range got {
			got[i] /= fair[i]
		}
		indexes = append(indexes, jain(got))
	}
	return indexes, nil
}

// cost returns how long calls took together.
func cost(calls vendorlog.Timeline) (total time.Duration) {
	for _, c := range calls {
		total += c.Took
	}
	return total
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// maxMin divides a total evenly among tenants of whom each can use at most so much; what one cannot
// use is divided among the others.
func maxMin(total float64, most []float64) []float64 {
	shares := make([]float64, len(most))
	order := make([]int, len(most))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if most[a] < most[b] {
			return -1
		}
		return 1
	})
	for n, i := range order {
		shares[i] = min(most[i], total/float64(len(order)-n))
		total -= shares[i]
	}
	return shares
}

// jain returns Jain's fairness index: 1 if all shares are equal, 1/n if one has everything.
func jain(shares []float64) float64 {
	squares := 0.0
	for _, x := range shares {
		squares += x * x
	}
	if squares == 0 || math.IsNaN(squares) { // no tenant got anything
		return 0
	}
	return sum(shares) * sum(shares) / (float64(len(shares)) * squares)
}

func sum(figures []float64) (total float64) {
	for _, f := range figures {
		total += f
	}
	return total
}

func mean(figures []float64) float64 { return sum(figures) / float64(len(figures)) }

// p95 returns the duration that 95 in 100 calls do not exceed.
func p95(dwells []dwell) time.Duration {
	durations := make([]time.Duration, len(dwells))
	for i, d := range dwells {
		durations[i] = d.Duration
	}
	return vendorlog.Percentile(durations, 95)
}
