package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/plan"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// DemoOptions say what a demo runs with. The zero value is usable.
type DemoOptions struct {
	QueueURL  string  // a configured Redis; defaults to a private or an embedded one
	CacheURL  string  // defaults to QueueURL
	Speed     float64 // of the calendar; defaults to 1
	Seed      int64   // of the synthetic people
	Patients  int     // in each practice; defaults to 40
	Visits    int     // a day in each practice; defaults to 16
	Latency   tebratest.Latency
	Version   string
	Logger    *slog.Logger // defaults to none
	Collector string       // base URL to send spans to; empty sends none
	// Login returns the URLs of a process of the demo (worker, scheduler, operator), so that each
	// can use its own Redis user. Nil means that all use QueueURL and CacheURL.
	Login func(process string) config.Redis
	// Prepare changes the simulated vendor before the first call.
	Prepare func(*tebratest.Server) error
	// Ended is called after every attempt.
	Ended func(context.Context, Run)
}

// DemoPractice is one practice of a demo, as the project and the vendor's staff see it.
type DemoPractice struct {
	Tenant tenant.ID
	ID     string
	Name   string
	Clinic *tebratest.Clinic // the staff, who work at the vendor
}

// Demo is the whole system in one process: a simulated vendor, a worker, a scheduler and a Redis.
type Demo struct {
	Redis     string // one of RedisConfigured, RedisServer, RedisEmbedded
	Vendor    *tebratest.Server
	Endpoint  string
	Practices []DemoPractice
	Clock     plan.Clock
	Tools     *Tools
	Dir       string // holds the ledger

	stack     *lifecycle.Stack
	processes *lifecycle.Group
	stop      context.CancelFunc
}

// demoTenant is an account of the demo.
type demoTenant struct {
	id        string
	practices []demoClinic
}

type demoClinic struct{ name, zone string }

// demoTenants are three practices in two time zones, and one account is in both. Names, numbers and
// credentials are invented.
var demoTenants = []demoTenant{
	{"lakeside", []demoClinic{{"Lakeside Family Practice", "America/Chicago"}, {"Lakeside Pediatrics", "America/New_York"}}},
	{"harbor", []demoClinic{{"Harbor Internal Medicine", "America/New_York"}}},
}

// demoHours are the opening hours of every practice of a demo.
var demoHours = map[string]string{
	"mon": "08:00-17:30", "tue": "08:00-17:30", "wed": "08:00-17:30", "thu": "08:00-17:30", "fri": "08:00-17:30",
}

// demoMorning is when a demo's day begins: practices in both zones are open.
func demoMorning() time.Time { return time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC) }

// StartDemo starts everything. The caller ends it with Close; a failed start has closed what it
// opened.
func StartDemo(ctx context.Context, o DemoOptions) (_ *Demo, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Demo{stack: &lifecycle.Stack{Logger: o.Logger}, Clock: plan.NewClock(demoMorning(), o.Speed)}
	defer d.stack.Rollback(context.WithoutCancel(ctx), &err)

	if d.Dir, err = os.MkdirTemp("", "rounds-demo-"); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	d.stack.Push("temporary folder", func(context.Context) error { return os.RemoveAll(d.Dir) })
	kind, urls, err := demoRedis(ctx, d.stack, d.Dir, o.QueueURL, o.CacheURL)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	d.Redis = kind
	if err := d.serveVendor(ctx, o); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	keys, err := phi.Generate()
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	keyset, err := keys.JSON()
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	ledgerURL := secret.Value("sqlite:" + filepath.Join(d.Dir, "ledger.db"))
	shared := config.Base{
		Mode: config.Dev, Redis: urls, LedgerURL: ledgerURL, Keyset: secret.Value(keyset), Tenants: d.tenants(),
	}
	if d.Tools, err = OpenTools(ctx, Process{Version: o.Version, Logger: o.Logger}, o.login("operator", shared)); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	d.stack.Push("tools", d.Tools.Close)
	if err := d.run(ctx, o, shared); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return d, nil
}

func (d *Demo) serveVendor(ctx context.Context, o DemoOptions) (err error) {
	cfg := tebratest.Config{Seed: o.Seed, Now: d.Clock.Now, Latency: o.Latency}
	for i, t := range demoTenants {
		a := tebratest.Account{
			CustomerKey: fmt.Sprintf("demo-key-%d", i), User: t.id + "@example.test", Password: "demo-password-" + strconv.Itoa(i),
		}
		for _, p := range t.practices {
			a.Practices = append(a.Practices, tebratest.Practice{
				Name: p.name, Zone: p.zone, Patients: or(o.Patients, 40), VisitsPerDay: or(o.Visits, 16),
			})
		}
		cfg.Accounts = append(cfg.Accounts, a)
	}
	if d.Vendor, err = tebratest.New(cfg); err != nil {
		return err
	}
	if o.Prepare != nil {
		if err := o.Prepare(d.Vendor); err != nil {
			return err
		}
	}
	clinics := d.Vendor.Clinics()
	for _, t := range demoTenants {
		for range t.practices {
			c := clinics[len(d.Practices)]
			p := c.Practice()
			d.Practices = append(d.Practices, DemoPractice{
				Tenant: tenant.ID(t.id), ID: strconv.Itoa(p.ID), Name: p.Name, Clinic: c,
			})
		}
	}
	return d.listen(ctx)
}

func or(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

func (d *Demo) listen(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{Handler: d.Vendor, ReadHeaderTimeout: 5 * time.Second}
	group := lifecycle.NewGroup(context.WithoutCancel(ctx))
	d.stack.Push("vendor", func(ctx context.Context) error { return errors.Join(srv.Close(), group.Stop(ctx)) })
	d.Endpoint = "http://" + l.Addr().String() + tebratest.Path
	return group.Go("vendor", func(context.Context) error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

func (d *Demo) tenants() []config.Tenant {
	var out []config.Tenant
	for _, t := range demoTenants {
		row := config.Tenant{ID: t.id, TimeZone: t.practices[0].zone, Hours: demoHours}
		for _, p := range d.Practices {
			if p.Tenant.String() == t.id {
				a := p.Clinic.Account()
				row.Credentials = config.Credentials{
					CustomerKey: secret.Value(a.CustomerKey), User: secret.Value(a.User), Password: secret.Value(a.Password),
				}
				row.Practices = append(row.Practices, config.Practice{ID: p.ID, Name: p.Name, TimeZone: p.Clinic.Practice().Zone})
			}
		}
		out = append(out, row)
	}
	return out
}

// login returns the configuration of one process.
func (o DemoOptions) login(process string, c config.Base) config.Base {
	if o.Login != nil {
		c.Redis = o.Login(process)
	}
	return c
}

func (d *Demo) run(ctx context.Context, o DemoOptions, c config.Base) error {
	p := Process{Version: o.Version, Logger: o.Logger, Collector: o.Collector, Clock: d.Clock}
	worker, err := NewWorker(ctx, WorkerOptions{
		Process: p, Config: config.Worker{Base: o.login("worker", c), Endpoint: d.Endpoint},
		Ended: o.Ended, Flow: demoFlow,
	})
	if err != nil {
		return err
	}
	scheduler, err := NewScheduler(ctx, SchedulerOptions{
		Process: p, Config: config.Scheduler{Base: o.login("scheduler", c)},
		Every: demoCycle, Flow: demoFlow,
	})
	if err != nil {
		return errors.Join(err, worker.Close(ctx))
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop, d.processes = stop, lifecycle.NewGroup(running)
	d.stack.Push("processes", d.StopProcesses)
	return errors.Join(d.processes.Go("worker", worker.Run), d.processes.Go("scheduler", scheduler.Run))
}

// demoFlow shortens breakers: an outage in a demo lasts seconds, and a breaker that stays open for
// minutes would outlast it.
func demoFlow(f *flow.Options) {
	f.Breakers.Open, f.Breakers.MaxOpen, f.Breakers.Ramp = time.Second, 3*time.Second, time.Second
}

// demoCycle is the real time between two planning cycles of a demo, whose calendar is faster.
const demoCycle = 100 * time.Millisecond

// Failed delivers the error of a process that ended without being asked.
func (d *Demo) Failed() <-chan error { return d.processes.Failed() }

// StopProcesses ends worker and scheduler as SIGTERM would. The stores stay open.
func (d *Demo) StopProcesses(ctx context.Context) error {
	d.stop()
	return d.processes.Stop(ctx)
}

// Close ends everything and removes the demo's files and keys.
func (d *Demo) Close(ctx context.Context) error { return d.stack.Close(ctx) }
