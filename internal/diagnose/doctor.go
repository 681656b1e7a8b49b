package diagnose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// deployment is the subject of the checks. Parts that the configuration lacks are nil, and the
// checks that need them are skipped.
type deployment struct {
	config     config.Worker
	problems   []config.Problem
	queue      redis.UniversalClient
	cache      redis.UniversalClient
	keys       *phi.Keys
	ledger     *ledger.Ledger
	ledgerErr  error
	callVendor bool
}

// check makes one or more related findings. All checks run concurrently.
type check struct {
	limit time.Duration
	run   func(ctx context.Context, d *deployment) []Finding
}

// The time limits of a check. An unreachable dependency is reported within five seconds.
const (
	checkLimit = 4 * time.Second
	callLimit  = 20 * time.Second // a vendor call takes seconds, after it has waited for the budget
)

// checks is in the order of the report.
var checks = []check{
	{checkLimit, checkConfig},
	{checkLimit, checkQueueRedis},
	{checkLimit, checkCacheRedis},
	{checkLimit, checkSeparation},
	{checkLimit, checkQueueLoad},
	{checkLimit, checkCacheLoad},
	{checkLimit, checkWork},
	{checkLimit, checkKeyset},
	{checkLimit, checkLedger},
	{checkLimit, checkDeadLetters},
	{checkLimit, checkAlerts},
	{checkLimit, checkVendor},
	{callLimit, checkVendorCall},
	{checkLimit, checkClocks},
}

// Options configure Run.
type Options struct {
	Getenv     func(string) string // reads the environment of a worker
	CallVendor bool                // make one call for each tenant of ROUNDS_TENANTS
}

// Run checks every dependency that the environment names, concurrently. It changes and creates
// nothing. If ctx ends early, the report is not usable: checks that were cut off count as failed.
func Run(ctx context.Context, o Options) *Report {
	d := open(ctx, o)
	defer d.close()
	found := make([][]Finding, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, c.limit)
			defer cancel()
			begun := time.Now()
			found[i] = c.run(ctx, d)
			for j := range found[i] {
				found[i][j].TookMS = time.Since(begun).Milliseconds()
			}
		})
	}
	wg.Wait()
	r := &Report{Mode: d.config.Mode.String(), Counts: map[Grade]int{}, Findings: slices.Concat(found...)}
	for _, f := range r.Findings {
		r.Counts[f.Grade]++
	}
	r.OK = r.Counts[Fail] == 0
	return r
}

// open opens the dependencies whose settings are usable.
func open(ctx context.Context, o Options) *deployment {
	d := &deployment{callVendor: o.CallVendor}
	var err error
	d.config, err = config.LoadWorker(o.Getenv)
	if problems, ok := errors.AsType[*config.Error](err); ok {
		d.problems = problems.Problems()
	}
	if url := d.config.Redis.Queue.Reveal(); url != "" {
		d.queue, _ = redisconn.Dial(url, redisconn.Options{Role: redisconn.RoleQueue}) // a bad URL is one of the problems
	}
	if url := d.config.Redis.Cache.Reveal(); url != "" {
		d.cache, _ = redisconn.Dial(url, redisconn.Options{Role: redisconn.RoleCache})
	}
	if data := d.config.Keyset.Reveal(); data != "" {
		d.keys, _ = phi.Parse([]byte(data)) // checkKeyset reports the error
	}
	if url := d.config.LedgerURL.Reveal(); url != "" {
		ctx, cancel := context.WithTimeout(ctx, checkLimit)
		defer cancel()
		d.ledger, d.ledgerErr = ledger.OpenExisting(ctx, url)
	}
	return d
}

func (d *deployment) close() {
	if d.queue != nil {
		_ = d.queue.Close()
	}
	if d.cache != nil {
		_ = d.cache.Close()
	}
	if d.ledger != nil {
		_ = d.ledger.Close()
	}
}

func checkConfig(_ context.Context, d *deployment) []Finding {
	const means = "workers and schedulers start only with a complete environment"
	if len(d.problems) == 0 {
		return []Finding{{
			Check: "config", Grade: OK, Means: means,
			Evidence: fmt.Sprintf("mode %s; tenants in ROUNDS_TENANTS: %d", d.config.Mode, len(d.config.Tenants)),
		}}
	}
	found := make([]Finding, 0, len(d.problems))
	for _, p := range d.problems {
		found = append(found, Finding{
			Check: "config", Grade: Fail, Evidence: p.Variable + " " + p.Wrong, Means: means, Fix: p.Fix,
		})
	}
	return found
}
