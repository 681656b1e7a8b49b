package process

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// House is a whole installation: the simulator, a redis-server, a ledger in a file, and workers,
// each a process of its own.
type House struct {
	Accounts []Account
	Vendor   *Vendor
	Redis    *Redis
	Tools    *app.Tools
	Workers  []*Process

	dir string
	env map[string]string // of the workers, as for cmd/worker
}

// Open starts everything but the workers.
func Open(ctx context.Context, accounts []Account) (_ *House, err error) {
	h := &House{Accounts: accounts}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close(ctx))
		}
	}()
	if h.dir, err = os.MkdirTemp("", "bench-house"); err != nil {
		return nil, err
	}
	if h.Vendor, err = StartVendor(ctx, accounts); err != nil {
		return nil, err
	}
	if h.Redis, err = StartRedis(ctx); err != nil {
		return nil, err
	}
	if err := h.configure(); err != nil {
		return nil, err
	}
	tools, err := config.LoadWorker(h.getenv)
	if err != nil {
		return nil, err
	}
	if h.Tools, err = app.OpenTools(ctx, app.Process{}, tools.Base); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *House) getenv(name string) string { return h.env[name] }

// configure writes the files that the workers' environment names.
func (h *House) configure() error {
	keys, err := phi.Generate()
	if err != nil {
		return err
	}
	keyset, err := keys.JSON()
	if err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(h.dir, name) }
	h.env = map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": h.Redis.URL(0), "ROUNDS_CACHE_REDIS": h.Redis.URL(1),
		"ROUNDS_LEDGER": "sqlite:" + in("ledger.db"), "ROUNDS_KEYS": in("keys"), "ROUNDS_TENANTS": in("tenants.yaml"),
		"ROUNDS_HEALTH_ADDR": "off", "ROUNDS_TEBRA_ENDPOINT": h.Vendor.Endpoint(),
	}
	return errors.Join(
		os.WriteFile(in("keys"), keyset, 0o600), os.WriteFile(in("tenants.yaml"), []byte(tenantsYAML(h.Accounts)), 0o600))
}

// tenantsYAML describes the accounts as tenants.
func tenantsYAML(accounts []Account) string {
	var b strings.Builder
	b.WriteString("tenants:\n")
	for _, a := range accounts {
		l := a.login()
		fmt.Fprintf(&b, "  - id: %s\n    timezone: America/Chicago\n    tebra: {customer_key: %q, user: %q, password: %q}\n"+
			"    practices: [{id: %q, name: %q}]\n", a.Tenant, l.CustomerKey, l.User, l.Password, PracticeID, PracticeName)
	}
	return b.String()
}

// StartWorkers starts n workers at once. Program is another build of this program; empty means this
// one.
func (h *House) StartWorkers(ctx context.Context, n int, program string) error {
	started, errs := make([]*Process, n), make([]error, n)
	env := maps.Clone(h.env)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { started[i], errs[i] = Start(ctx, program, WorkerRole.Name, env, nil) })
	}
	wg.Wait()
	for _, p := range started {
		if p != nil {
			h.Workers = append(h.Workers, p)
		}
	}
	return errors.Join(errs...)
}

// StopWorkers lets the workers end what they do, at once, and returns their runs by kind of task.
func (h *House) StopWorkers(ctx context.Context) (map[string]Runs, error) {
	counts, errs := make([]map[string]Runs, len(h.Workers)), make([]error, len(h.Workers))
	var wg sync.WaitGroup
	for i, w := range h.Workers {
		wg.Go(func() { errs[i] = w.Stop(ctx, &counts[i]) })
	}
	wg.Wait()
	h.Workers = nil
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
func (h *House) Close(ctx context.Context) error {
	var errs []error
	for _, w := range h.Workers {
		errs = append(errs, w.Kill())
	}
	if h.Tools != nil {
		errs = append(errs, h.Tools.Close(context.WithoutCancel(ctx)))
	}
	if h.Redis != nil {
		errs = append(errs, h.Redis.Close())
	}
	if h.Vendor != nil {
		errs = append(errs, h.Vendor.Kill())
	}
	return errors.Join(append(errs, os.RemoveAll(h.dir))...)
}
