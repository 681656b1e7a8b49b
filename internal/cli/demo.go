package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/telemetry/logging"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// The demo's calendar against real time: a minute of the practice takes a second, and the check's day a minute.
const (
	demoSpeed  = 60
	checkSpeed = 600
)

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
			e.say("closing: %s", err)
		}
	}()
	e.introduce(d)
	t := &teller{env: e, demo: d, shown: map[string]bool{}}
	running, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for _, id := range demoTenantsOf(d) {
		wg.Go(func() {
			_ = events.Tail(running, d.Tools.Cache, id, 0, func(ev events.Event) error { return t.tell(running, id, ev) })
		})
	}
	wg.Go(func() { staff(running, d, 4*time.Second, nil, t.did) })
	defer wg.Wait()
	select {
	case <-ctx.Done():
		stop()
		e.say("\nstopping: work under way may finish, the rest would run again elsewhere")
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
	e.say("Rounds demo: %s, a ledger in %s, and a vendor with synthetic patients only.", kinds[d.Redis], d.Dir)
	e.say("A minute at the practices takes a second here. It is %s in Chicago.\n", d.Clock.Now().In(d.Practices[0].Clinic.Location()).Format("Monday, 15:04"))
	for _, p := range d.Practices {
		e.say("  %-26s tenant %s, %s", p.Name, p.Tenant, p.Clinic.Location())
	}
	e.say("\nInterrupt to stop; nothing is left behind.\n")
}

func demoTenantsOf(d *app.Demo) []tenant.ID {
	var out []tenant.ID
	for _, p := range d.Practices {
		if len(out) == 0 || out[len(out)-1] != p.Tenant {
			out = append(out, p.Tenant)
		}
	}
	return out
}

// teller says in plain words what happens. Its methods may be called concurrently.
type teller struct {
	env  *env
	demo *app.Demo

	mu    sync.Mutex
	shown map[string]bool // practices whose first board was announced
}

func (t *teller) line(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.env.say("%s  %s", t.demo.Clock.Now().In(t.demo.Practices[0].Clinic.Location()).Format("15:04"), fmt.Sprintf(format, args...))
}

// did says what the practice's own staff did at the vendor.
func (t *teller) did(c statusChange) {
	t.line("%-26s staff set a visit to %q at the vendor", c.practice.Name, c.status)
}

// tell says what an event means for the boards of its practice.
func (t *teller) tell(ctx context.Context, id tenant.ID, ev events.Event) error {
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
		first := !t.shown[p.Name] && len(r.Board.Rows) > 0
		t.shown[p.Name] = t.shown[p.Name] || first
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

// statusChange is one edit by a practice's own staff.
type statusChange struct {
	practice app.DemoPractice
	visit    string // the vendor's id
	status   string
	at       time.Time
}

// staff plays the practices' own staff at the vendor: every so often one of them moves a visit of today on. Visits in
// spared are left alone. It returns when ctx ends.
func staff(ctx context.Context, d *app.Demo, every time.Duration, spared []string, did func(statusChange)) {
	rng := rand.New(rand.NewPCG(7, 7))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p := d.Practices[rng.IntN(len(d.Practices))]
		if c, err := moveOn(d.Clock.Now(), p, spared, rng); err == nil {
			did(c)
		}
	}
}

// course is how a visit goes on at the vendor.
var course = map[string]string{
	"Scheduled": "Confirmed", "Confirmed": "Check-in", "Check-in": "Check-out", "No-show": "Scheduled", "Check-out": "Confirmed",
}

var errNothingToDo = errors.New("no visit of today can move on")

// moveOn changes one visit of the day that now is in at the practice.
func moveOn(now time.Time, p app.DemoPractice, spared []string, rng *rand.Rand) (statusChange, error) {
	visits := slices.DeleteFunc(p.Clinic.Appointments(now.In(p.Clinic.Location())), func(v tebratest.Visit) bool {
		return course[v.Status] == "" || slices.Contains(spared, v.ID)
	})
	if len(visits) == 0 {
		return statusChange{}, errNothingToDo
	}
	v := visits[rng.IntN(len(visits))]
	c := statusChange{practice: p, visit: v.ID, status: course[v.Status], at: time.Now()}
	return c, p.Clinic.SetStatus(v.ID, c.status)
}
