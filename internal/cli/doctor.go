package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// Verdicts of one check.
const (
	verdictOK   = "ok"
	verdictWarn = "warn" // works, and will hurt some day
	verdictFail = "fail"
	verdictSkip = "skip" // could not be looked at, because of another finding
)

// finding is what one check saw.
type finding struct {
	Check    string `json:"check"`
	Verdict  string `json:"verdict"`
	Evidence string `json:"evidence"`      // what was seen
	Means    string `json:"means"`         // why it matters
	Fix      string `json:"fix,omitempty"` // unless all is well
	TookMS   int64  `json:"took_ms"`
}

// diagnosis is the report of all checks.
type diagnosis struct {
	OK       bool           `json:"ok"` // no check failed
	Mode     string         `json:"mode"`
	Counts   map[string]int `json:"counts"` // by verdict
	Findings []finding      `json:"findings"`
}

// subject is what the checks look at. Parts that the configuration does not give are nil, and the checks that need them
// say so.
type subject struct {
	config     config.Worker
	problems   []config.Problem
	queue      redis.UniversalClient
	cache      redis.UniversalClient
	keys       *phi.Keys
	ledger     *ledger.Ledger
	ledgerErr  error
	callVendor bool
}

// probe is a group of checks that belong together. Probes run side by side.
type probe struct {
	name  string
	limit time.Duration
	look  func(ctx context.Context, s *subject) []finding
}

// probeLimit is how long a probe may take: whatever is gone is said within five seconds.
const (
	probeLimit = 4 * time.Second
	callLimit  = 20 * time.Second // a vendor call takes seconds, and waits for its turn before
)

var probes = []probe{
	{"config", probeLimit, lookAtConfig},
	{"queue-redis", probeLimit, lookAtQueueRedis},
	{"cache-redis", probeLimit, lookAtCacheRedis},
	{"redis-separation", probeLimit, lookAtSeparation},
	{"queue-redis-load", probeLimit, func(ctx context.Context, s *subject) []finding { return lookAtLoad(ctx, s.queue, redisconn.RoleQueue) }},
	{"cache-redis-load", probeLimit, func(ctx context.Context, s *subject) []finding { return lookAtLoad(ctx, s.cache, redisconn.RoleCache) }},
	{"lanes", probeLimit, lookAtLanes},
	{"keyset", probeLimit, lookAtKeyset},
	{"ledger", probeLimit, lookAtLedger},
	{"dead-letters", probeLimit, lookAtLetters},
	{"vendor", probeLimit, lookAtVendor},
	{"vendor-call", callLimit, lookAtVendorCall},
	{"clocks", probeLimit, lookAtClocks},
}

func newDoctor(e *env) *cobra.Command {
	var call bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that Rounds depends on",
		Long: `Check the environment, both Redis roles, ledger, keyset, vendor and clocks, and say for each what was seen,
what it means and how to fix it. It changes nothing and needs no running process.

Exit code 7 says that a check failed. Warnings do not fail.`,
		Example: "  rounds doctor\n  rounds doctor --call-vendor --json",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.doctor(cmd.Context(), call)
		},
	}
	cmd.Flags().BoolVar(&call, "call-vendor", false, "also make one call (GetThrottles) for each tenant of ROUNDS_TENANTS")
	return cmd
}

func (e *env) doctor(ctx context.Context, call bool) error {
	s := examine(ctx, e.getenv)
	s.callVendor = call
	defer s.close()
	d := s.diagnose(ctx)
	if ctx.Err() != nil {
		return ctx.Err() // a half-done report would blame what was not looked at
	}
	if err := e.answer(d, d.write); err != nil {
		return err
	}
	if !d.OK {
		if !e.json {
			e.say("%d of %d checks failed", d.Counts[verdictFail], len(d.Findings))
		}
		return &failure{Exit: exitCheck, Code: "CHECK_FAILED", What: "a check failed", cause: errReported}
	}
	return nil
}

// examine opens what the environment names, as far as it names something usable.
func examine(ctx context.Context, getenv func(string) string) *subject {
	s := &subject{}
	var err error
	s.config, err = config.LoadWorker(getenv)
	if problems, ok := errors.AsType[*config.Error](err); ok {
		s.problems = problems.Problems()
	}
	if url := s.config.Redis.Queue.Reveal(); url != "" {
		s.queue, _ = redisconn.Dial(url, redisconn.Options{Role: redisconn.RoleQueue}) // a bad URL is among the problems
	}
	if url := s.config.Redis.Cache.Reveal(); url != "" {
		s.cache, _ = redisconn.Dial(url, redisconn.Options{Role: redisconn.RoleCache})
	}
	if data := s.config.Keyset.Reveal(); data != "" {
		s.keys, _ = phi.Parse([]byte(data)) // lookAtKeyset says so
	}
	s.ledger, s.ledgerErr = openLedger(ctx, s.config.LedgerURL.Reveal())
	return s
}

func (s *subject) close() {
	if s.queue != nil {
		_ = s.queue.Close()
	}
	if s.cache != nil {
		_ = s.cache.Close()
	}
	if s.ledger != nil {
		_ = s.ledger.Close()
	}
}

// diagnose runs all probes side by side and reports in their order.
func (s *subject) diagnose(ctx context.Context) *diagnosis {
	found := make([][]finding, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, p.limit)
			defer cancel()
			begun := time.Now()
			found[i] = p.look(ctx, s)
			for j := range found[i] {
				found[i][j].TookMS = time.Since(begun).Milliseconds()
			}
		})
	}
	wg.Wait()
	d := &diagnosis{OK: true, Mode: s.config.Mode.String(), Counts: map[string]int{}}
	for _, fs := range found {
		for _, f := range fs {
			d.Findings = append(d.Findings, f)
			d.Counts[f.Verdict]++
			d.OK = d.OK && f.Verdict != verdictFail
		}
	}
	return d
}

// write prints the report for people: a line for what is well, more for what is not.
func (d *diagnosis) write(w io.Writer) {
	for _, f := range d.Findings {
		f.write(w)
	}
}

func (f finding) write(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%-4s  %-24s %s\n", f.Verdict, f.Check, f.Evidence)
	if f.Verdict == verdictOK || f.Verdict == verdictSkip {
		return
	}
	var b strings.Builder
	lines(&b, "means", []string{f.Means})
	lines(&b, "fix", []string{f.Fix})
	_, _ = io.WriteString(w, b.String())
}

func lookAtConfig(_ context.Context, s *subject) []finding {
	const means = "worker and scheduler start only with an environment that is complete"
	if len(s.problems) == 0 {
		return []finding{{
			Check: "config", Verdict: verdictOK, Means: means,
			Evidence: fmt.Sprintf("mode %s, %d tenants in ROUNDS_TENANTS", s.config.Mode, len(s.config.Tenants)),
		}}
	}
	found := make([]finding, 0, len(s.problems))
	for _, p := range s.problems {
		found = append(found, finding{
			Check: "config", Verdict: verdictFail, Evidence: p.Variable + " " + p.Wrong, Means: means, Fix: p.Fix,
		})
	}
	return found
}

// skipped is what a check reports that cannot look.
func skipped(check, because string) finding {
	return finding{Check: check, Verdict: verdictSkip, Evidence: because, Means: "not looked at"}
}
