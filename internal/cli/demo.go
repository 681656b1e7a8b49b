package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/daycheck"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/telemetry/logging"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// demoSpeed is the calendar time per real time: a minute at the practices takes a second.
const demoSpeed = 60

func newDemo(e *env) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run vendor, worker and scheduler in one process",
		Long: `Run the whole system in one process against a simulated vendor with three practices and synthetic patients, and print
what happens. Redis is ROUNDS_QUEUE_REDIS if set, otherwise a private redis-server from the PATH, otherwise an embedded
server. All data is deleted at the end.

--check plays one day quickly and verifies it. The exit code is 0 if every step succeeds, and 7 otherwise.`,
		Example:     "  rounds demo\n  rounds demo --check --json",
		Args:        names(),
		Annotations: map[string]string{untimed: "true"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				return e.check(cmd.Context())
			}
			return e.demo(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "play one day, verify it, and exit")
	return cmd
}

// demoStop bounds the worker's drain and closing the stores.
const demoStop = 12 * time.Second

// demo runs until ctx ends, which is the normal case.
func (e *env) demo(ctx context.Context) error {
	log := logging.New(e.stderr, logging.Options{Level: slog.LevelError, NoColor: e.getenv("NO_COLOR") != ""})
	d, err := app.StartDemo(ctx, app.DemoOptions{
		QueueURL: e.getenv("ROUNDS_QUEUE_REDIS"), CacheURL: e.getenv("ROUNDS_CACHE_REDIS"), Speed: demoSpeed, Seed: 1,
		Latency: tebratest.Latency{P50: 250 * time.Millisecond, P95: 660 * time.Millisecond},
		Version: lifecycle.ReadBuild().Version, Logger: log,
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoStop)
		defer cancel()
		if err := d.Close(ctx); err != nil {
			e.printf("close: %s", err)
		}
	}()
	e.introduce(d)
	n := &narrator{env: e, demo: d, filled: map[string]bool{}}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for _, id := range daycheck.Tenants(d) {
		wg.Go(func() {
			_ = events.Tail(running, d.Tools.Cache, id, 0, func(ev events.Event) error { return n.event(running, id, ev) })
		})
	}
	wg.Go(func() { daycheck.Staff(running, d, 4*time.Second, nil, n.staff) })
	defer wg.Wait()
	select {
	case <-ctx.Done():
		stop()
		e.printf("\nstopping: running tasks may finish; unfinished ones would run again on another worker")
		return nil
	case err := <-d.Failed():
		stop()
		return err
	}
}

func (e *env) introduce(d *app.Demo) {
	kinds := map[string]string{
		app.RedisConfigured: "the configured Redis", app.RedisServer: "a private redis-server", app.RedisEmbedded: "an embedded Redis",
	}
	e.printf("Rounds demo: %s, a ledger in %s, and a simulated vendor with synthetic patients.", kinds[d.Redis], d.Dir)
	e.printf("A minute at the practices takes a second here. It is %s in Chicago.\n", d.Clock.Now().In(d.Practices[0].Clinic.Location()).Format("Monday, 15:04"))
	for _, p := range d.Practices {
		e.printf("  %-26s tenant %s, %s", p.Name, p.Tenant, p.Clinic.Location())
	}
	e.printf("\nInterrupt to stop; all data is deleted.\n")
}

// narrator prints what happens, a line per event. It is safe for concurrent use.
type narrator struct {
	env  *env
	demo *app.Demo

	mu     sync.Mutex
	filled map[string]bool // practices whose first board was printed
}

func (n *narrator) line(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.env.printf("%s  %s", n.demo.Clock.Now().In(n.demo.Practices[0].Clinic.Location()).Format("15:04"), fmt.Sprintf(format, args...))
}

// staff prints an edit of the practice's staff at the vendor.
func (n *narrator) staff(c daycheck.StatusChange) {
	n.line("%-26s staff set a visit to %q at the vendor", c.Practice.Name, c.Status)
}

// event prints the effect of an event on the board of its practice.
func (n *narrator) event(ctx context.Context, id tenant.ID, ev events.Event) error {
	names := n.demo.Tools.Store.Names(id)
	for _, p := range n.demo.Practices {
		if p.Tenant != id || ev.Body.Practice != names.Practice(p.ID) {
			continue
		}
		today := civil.DateOf(n.demo.Clock.Now().In(p.Clinic.Location()))
		r, err := n.demo.Tools.Store.Board(ctx, id, p.ID, today)
		if err != nil {
			return nil //nolint:nilerr // the next event prints the board
		}
		n.mu.Lock()
		first := !n.filled[p.Name] && len(r.Board.Rows) > 0
		n.filled[p.Name] = n.filled[p.Name] || first
		n.mu.Unlock()
		switch {
		case first:
			n.line("%-26s board filled: %d visits, %d patients not fetched yet", p.Name, practice.Visits(r.Board.Rows), r.Unknown)
		case ev.Body.Kind == events.AppointmentChanged && len(ev.Body.Views) > 0 && ev.Body.Views[0] == names.Board(p.ID, today):
			n.line("%-26s board updated: %s", p.Name, summary(r.Board))
		case ev.Body.Kind == events.DirectoryChanged:
			n.line("%-26s providers loaded", p.Name)
		}
	}
	return nil
}

// summary counts a board's visits by status.
func summary(b practice.Board) string {
	counts := map[practice.Status]int{}
	var order []practice.Status
	for _, row := range b.Rows {
		if counts[row.Status] == 0 {
			order = append(order, row.Status)
		}
		counts[row.Status]++
	}
	parts := make([]string, len(order))
	for i, s := range order {
		parts[i] = fmt.Sprintf("%d %s", counts[s], s)
	}
	return strings.Join(parts, ", ")
}

// check plays one day and verifies it.
func (e *env) check(ctx context.Context) error {
	report, err := daycheck.Run(ctx, daycheck.Options{
		QueueURL: e.getenv("ROUNDS_QUEUE_REDIS"), CacheURL: e.getenv("ROUNDS_CACHE_REDIS"), Step: e.announceStep,
	})
	if err != nil && len(report.Steps) == 0 {
		return err // the day could not start
	}
	if err != nil {
		e.printf("%s", err)
	}
	if err := e.answer(report, func(w io.Writer) { writeDay(w, report) }); err != nil {
		return err
	}
	if !report.OK {
		return &failure{Exit: exitCheck, Code: "CHECK", What: "the day failed the check", cause: errReported}
	}
	return nil
}

func (e *env) announceStep(s daycheck.Step) {
	result := "ok  "
	if !s.OK {
		result = "FAIL"
	}
	e.printf("%s  %6d ms  %s %s", result, s.MS, s.Name, s.Detail)
}

func writeDay(w io.Writer, r daycheck.Report) {
	_, _ = fmt.Fprintf(w, "%d practices, %d appointments, %d patients; redis: %s\n", r.Practices, r.Appointments, r.Patients, r.Redis)
	_, _ = fmt.Fprintf(w, "vendor calls %d, throttle refusals %d, failed attempts %d\n", r.VendorCalls, r.ThrottleRefused, r.AttemptsUsed)
	_, _ = fmt.Fprintf(w, "reads %d, hit ratio %.3f; %d changes, median %.0f ms from the vendor to the event log\n", r.Reads, r.HitRatio, r.Changes, r.ChangeToEventMS)
	_, _ = fmt.Fprintf(w, "PHI: %d places searched, %d hits\n", r.PHISearched, r.PHIHits)
}
