package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// Deployment is a whole installation: the simulator, a redis-server, a ledger in a file, and workers,
// each a process of its own.
type Deployment struct {
	Accounts []Account
	Vendor   *Vendor
	Redis    *Redis // the primary
	Replica  *Redis // nil without OpenReplicated
	Tools    *app.Tools
	Workers  []*Process
	// LoginEvery is how often workers that start from now on try a refused login; 0 is the default.
	LoginEvery time.Duration

	dir   string
	front *Proxy            // between all others and Redis; nil without OpenReplicated
	env   map[string]string // of the workers, as for cmd/worker
}

// Open starts everything but the workers.
func Open(ctx context.Context, accounts []Account) (*Deployment, error) {
	return open(ctx, accounts, false)
}

// OpenReplicated is Open with a replica of Redis, to which FailOver moves.
func OpenReplicated(ctx context.Context, accounts []Account) (*Deployment, error) {
	return open(ctx, accounts, true)
}

func open(ctx context.Context, accounts []Account, replicated bool) (_ *Deployment, err error) {
	d := &Deployment{Accounts: accounts}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close(ctx))
		}
	}()
	if d.dir, err = os.MkdirTemp("", "bench-deployment"); err != nil {
		return nil, err
	}
	if d.Vendor, err = StartVendor(ctx, accounts); err != nil {
		return nil, err
	}
	if d.Redis, err = StartRedis(ctx); err != nil {
		return nil, err
	}
	if replicated {
		if err := d.replicate(ctx); err != nil {
			return nil, err
		}
	}
	if err := d.configure(); err != nil {
		return nil, err
	}
	tools, err := config.LoadWorker(d.getenv)
	if err != nil {
		return nil, err
	}
	if d.Tools, err = app.OpenTools(ctx, app.Process{}, tools.Base); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Deployment) getenv(name string) string { return d.env[name] }

// configure writes the files that the workers' environment names.
func (d *Deployment) configure() error {
	keys, err := phi.Generate()
	if err != nil {
		return err
	}
	keyset, err := keys.JSON()
	if err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(d.dir, name) }
	tenants := in("tenants.yaml")
	url := d.Redis.URL
	if d.front != nil {
		url = (&Redis{Addr: d.front.Addr}).URL
	}
	d.env = map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": url(0), "ROUNDS_CACHE_REDIS": url(1),
		"ROUNDS_LEDGER": "sqlite:" + in("ledger.db"), "ROUNDS_KEYS": in("keys"), "ROUNDS_TENANTS": tenants,
		"ROUNDS_HEALTH_ADDR": "off", "ROUNDS_TEBRA_ENDPOINT": d.Vendor.Endpoint(),
	}
	return errors.Join(os.WriteFile(in("keys"), keyset, 0o600), os.WriteFile(tenants, []byte(tenantsYAML(d.Accounts)), 0o600))
}

// CorrectLogins gives all tenants the passwords of their accounts, as an operator does who edits
// the tenants' file.
func (d *Deployment) CorrectLogins(ctx context.Context) error {
	for i := range d.Accounts {
		d.Accounts[i].WrongLogin = false
	}
	if err := os.WriteFile(d.env["ROUNDS_TENANTS"], []byte(tenantsYAML(d.Accounts)), 0o600); err != nil {
		return err
	}
	c, err := config.LoadWorker(d.getenv)
	if err != nil {
		return err
	}
	return account.Apply(ctx, d.Tools.Ledger, d.Tools.Keys, c.Tenants, slog.New(slog.DiscardHandler))
}

// replicate starts a replica and a proxy that forwards to the primary.
func (d *Deployment) replicate(ctx context.Context) (err error) {
	host, port, _ := net.SplitHostPort(d.Redis.Addr)
	if d.Replica, err = StartRedis(ctx, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0"); err != nil {
		return err
	}
	if d.front, err = StartProxy(ctx, "tcp", d.Redis.Addr); err != nil {
		return err
	}
	for {
		info, err := d.Replica.Client.Info(ctx, "replication").Result()
		if err != nil || strings.Contains(info, "master_link_status:up") {
			return err
		}
		if err := Pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// CutReplica makes the replica lag from now on.
func (d *Deployment) CutReplica(ctx context.Context) error {
	return d.Replica.Client.ReplicaOf(ctx, "NO", "ONE").Err()
}

// FailOver kills the primary and puts the replica in its place, with the data that it had when it
// was cut.
func (d *Deployment) FailOver() error {
	primary := d.Redis
	d.Redis, d.Replica = d.Replica, nil
	d.front.Move(d.Redis.Addr)
	return primary.Close()
}

// tenantsYAML describes the accounts as tenants.
func tenantsYAML(accounts []Account) string {
	var b strings.Builder
	b.WriteString("tenants:\n")
	for _, a := range accounts {
		l := a.login()
		if a.WrongLogin {
			l.Password = "not-the-" + l.Password
		}
		fmt.Fprintf(&b, "  - id: %s\n    timezone: America/Chicago\n    tebra: {customer_key: %q, user: %q, password: %q}\n"+
			"    practices: [{id: %q, name: %q}]\n", a.Tenant, l.CustomerKey, l.User, l.Password, PracticeID, PracticeName)
	}
	return b.String()
}

// StartWorkers starts n workers at once.
func (d *Deployment) StartWorkers(ctx context.Context, n int) error {
	_, err := d.StartSkewed(ctx, make([]time.Duration, n)...)
	return err
}

// StartSkewed starts a worker for each duration by which its clock is to be off, at once. It
// returns what their clocks showed when they were ready.
func (d *Deployment) StartSkewed(ctx context.Context, skews ...time.Duration) (clocks []time.Time, err error) {
	clocks = make([]time.Time, len(skews))
	started, errs := make([]*Process, len(skews)), make([]error, len(skews))
	var wg sync.WaitGroup
	for i, by := range skews {
		wg.Go(func() {
			started[i], errs[i] = Start(ctx, WorkerRole.Name, workerSettings{d.env, by, d.LoginEvery}, &clocks[i])
		})
	}
	wg.Wait()
	for _, p := range started {
		if p != nil {
			d.Workers = append(d.Workers, p)
		}
	}
	return clocks, errors.Join(errs...)
}

// UseLogins makes one call for each account and waits for its answer: the first call with a login is
// alone, and the tenants of a bench are not new.
func (d *Deployment) UseLogins(ctx context.Context) error {
	for _, a := range d.Accounts {
		if _, err := d.Tools.Tasks.Enqueue(ctx, a.Tenant, tasks.SyncPractices{}); err != nil {
			return err
		}
	}
	for _, a := range d.Accounts {
		name := breaker.Name{Tenant: tenant.ID(a.Tenant), Scope: breaker.Credential}
		for {
			shared, err := name.Read(ctx, d.Tools.Queue)
			if err != nil {
				return err
			}
			if shared.Proven != "" {
				break
			}
			if err := Pause(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// StopWorkers lets the workers end what they do, at once, and returns their runs by kind of task.
func (d *Deployment) StopWorkers(ctx context.Context) (map[string]Runs, error) {
	counts, errs := make([]map[string]Runs, len(d.Workers)), make([]error, len(d.Workers))
	var wg sync.WaitGroup
	for i, w := range d.Workers {
		wg.Go(func() { errs[i] = w.Stop(ctx, &counts[i]) })
	}
	wg.Wait()
	d.Workers = nil
	total := map[string]Runs{}
	for _, count := range counts {
		for kind, runs := range count {
			if total[kind] == nil {
				total[kind] = Runs{}
			}
			total[kind].Add(runs)
		}
	}
	return total, errors.Join(errs...)
}

// Close kills every process that still runs and removes the files.
func (d *Deployment) Close(ctx context.Context) error {
	var errs []error
	for _, w := range d.Workers {
		errs = append(errs, w.Kill())
	}
	if d.Tools != nil {
		errs = append(errs, d.Tools.Close(context.WithoutCancel(ctx)))
	}
	if d.front != nil {
		errs = append(errs, d.front.Close())
	}
	if d.Replica != nil {
		errs = append(errs, d.Replica.Close())
	}
	if d.Redis != nil {
		errs = append(errs, d.Redis.Close())
	}
	if d.Vendor != nil {
		errs = append(errs, d.Vendor.Kill())
	}
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}
