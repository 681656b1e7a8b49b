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

// demoSpeed is the calendar's against real time: a minute of the practice takes a second.
const demoSpeed = 60

func newDemo(e *env) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: vendor, worker and scheduler in this process",
		Long: `Run the whole system in one process against a simulated vendor with three practices and synthetic patients,
and tell what happens. It needs nothing: ROUNDS_QUEUE_REDIS is used if set, else a redis-server from the path,
else an embedded Redis. Nothing is left behind.

--check plays one day quickly, verifies it, and ends with 0 when all is well and 7 when it is not.`,
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

// demoStop bounds the end of a demo: the worker's drain and what is closed after it.
const demoStop = 12 * time.Second

// demo runs until ctx ends, which is its ordinary end.
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
			e.printf("closing: %s", err)
		}
	}()
	e.introduce(d)
	t := &teller{env: e, demo: d, filled: map[string]bool{}}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for _, id := range daycheck.Tenants(d) {
		wg.Go(func() {
			_ = events.Tail(running, d.Tools.Cache, id, 0, func(ev events.Event) error { return t.event(running, id, ev) })
		})
	}
	wg.Go(func() { daycheck.Staff(running, d, 4*time.Second, nil, t.did) })
	defer wg.Wait()
	select {
	case <-ctx.Done():
		stop()
		e.printf("\nstopping: work under way may finish, the rest would run again elsewhere")
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
	e.printf("Rounds demo: %s, a ledger in %s, and a vendor with synthetic patients only.", kinds[d.Redis], d.Dir)
	e.printf("A minute at the practices takes a second here. It is %s in Chicago.\n", d.Clock.Now().In(d.Practices[0].Clinic.Location()).Format("Monday, 15:04"))
	for _, p := range d.Practices {
		e.printf("  %-26s tenant %s, %s", p.Name, p.Tenant, p.Clinic.Location())
	}
	e.printf("\nInterrupt to stop; nothing is left behind.\n")
}

// teller says in plain words what happens. Its methods may be called concurrently.
type teller struct {
	env  *env
	demo *app.Demo

	mu     sync.Mutex
	filled map[string]bool // practices whose first board was announced
}

func (t *teller) line(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.env.printf("%s  %s", t.demo.Clock.Now().In(t.demo.Practices[0].Clinic.Location()).Format("15:04"), fmt.Sprintf(format, args...))
}

// did says what the practice's own staff did at the vendor.
func (t *teller) did(c daycheck.StatusChange) {
	t.line("%-26s staff set a visit to %q at the vendor", c.Practice.Name, c.Status)
}

// tell says what an event means for the boards of its practice.
func (t *teller) event(ctx context.Context, id tenant.ID, ev events.Event) error {
	names := t.demo.Tools.Store.Names(id)
	for _, p := range t.demo.Practices {
		if p.Tenant != id || ev.Body.Practice != names.Practice(p.ID) {
			continue
		}
		today := civil.DateOf(t.demo.Clock.Now().In(p.Clinic.Location()))
		r, err := t.demo.Tools.Store.Board(ctx, id, p.ID, today)
		if err != nil {
			return nil //nolint:nilerr // the next event tells it
		}
		t.mu.Lock()
		first := !t.filled[p.Name] && len(r.Board.Rows) > 0
		t.filled[p.Name] = t.filled[p.Name] || first
		t.mu.Unlock()
		switch {
		case first:
			t.line("%-26s board filled: %d visits, %d patients still to be fetched", p.Name, len(r.Board.Rows), r.Unknown)
		case ev.Body.Kind == events.AppointmentChanged && len(ev.Body.Views) > 0 && ev.Body.Views[0] == names.Board(p.ID, today):
			t.line("%-26s board shows it: %s", p.Name, summary(r.Board))
		case ev.Body.Kind == events.DirectoryChanged:
			t.line("%-26s providers read", p.Name)
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
		return err // it never began
	}
	if err != nil {
		e.printf("%s", err)
	}
	if err := e.answer(report, func(w io.Writer) { writeDay(w, report) }); err != nil {
		return err
	}
	if !report.OK {
		return &failure{Exit: exitCheck, Code: "CHECK", What: "the day did not go as it must", cause: errReported}
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
	_, _ = fmt.Fprintf(w, "vendor calls %d, throttle refusals %d, attempts burnt %d\n", r.VendorCalls, r.ThrottleRefused, r.AttemptsUsed)
	_, _ = fmt.Fprintf(w, "reads %d, hit ratio %.3f; %d changes, median %.0f ms from the vendor to the log\n", r.Reads, r.HitRatio, r.Changes, r.ChangeToEventMS)
	_, _ = fmt.Fprintf(w, "PHI: %d places searched, %d hits\n", r.PHISearched, r.PHIHits)
}
