package peer

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// Fleet is some workers of plain asynq with a simulator and a Redis of their own.
type Fleet struct {
	Vendor *process.Vendor
	Redis  *process.Redis

	client  *asynq.Client
	workers []*process.Process
}

// Open starts a fleet of workers that keep the vendor's limit in one of the ways.
func Open(ctx context.Context, mode string, accounts []process.Account, workers int) (_ *Fleet, err error) {
	f := &Fleet{}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if f.Vendor, err = process.StartVendor(ctx, accounts); err != nil {
		return nil, err
	}
	if f.Redis, err = process.StartRedis(ctx); err != nil {
		return nil, err
	}
	f.client = asynq.NewClientFromRedisClient(redis.NewClient(&redis.Options{Addr: f.Redis.Addr, DisableIdentity: true}))
	s := settings{Mode: mode, Redis: f.Redis.Addr, Endpoint: f.Vendor.Endpoint(), Accounts: accounts}
	started, err := parts.AtOnce(make([]struct{}, workers), func(struct{}) (*process.Process, error) {
		return process.Start(ctx, Role.Name, s, nil)
	})
	for _, p := range started {
		if p != nil {
			f.workers = append(f.workers, p)
		}
	}
	return f, err
}

// Demand adds tasks that read n patients of an account, from the given one.
func (f *Fleet) Demand(ctx context.Context, a process.Account, from, n int) error {
	for i := range n {
		data, err := json.Marshal(task{a.Tenant, process.Patient(from + i)})
		if err != nil {
			return err
		}
		if _, err := f.client.EnqueueContext(ctx, asynq.NewTask(kind, data), asynq.MaxRetry(1000)); err != nil {
			return err
		}
	}
	return nil
}

// Stop lets the workers end what they do, at once, and returns how many tasks they have picked up.
func (f *Fleet) Stop(ctx context.Context) (pickups int, err error) {
	picked, err := parts.AtOnce(f.workers, func(p *process.Process) (n int, err error) { return n, p.Stop(ctx, &n) })
	f.workers = nil
	for _, n := range picked {
		pickups += n
	}
	return pickups, err
}

// Close kills every process that still runs.
func (f *Fleet) Close() error {
	var errs []error
	for _, p := range f.workers {
		errs = append(errs, p.Kill())
	}
	if f.client != nil {
		_ = f.client.Close() // asynq reports that the Redis client is not its own
	}
	if f.Redis != nil {
		errs = append(errs, f.Redis.Close())
	}
	if f.Vendor != nil && f.Vendor.Process != nil {
		errs = append(errs, f.Vendor.Kill())
	}
	return errors.Join(errs...)
}
