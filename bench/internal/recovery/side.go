package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/tasks"
	"golang.org/x/sync/errgroup"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// tenant is the tenant of all chores.
const tenant = "clinic-a"

// Lengths of leases.
const (
	ourLease   = 12 * time.Second
	plainLease = 30 * time.Second
)

// How long chores work, in milliseconds.
const (
	// shortest and longest are the limits of most of them, whose times are random.
	shortest, longest = 100, 1500
	// beyondDrain is longer than a worker that stops waits for its handlers.
	beyondDrain = 10_000
	// besidePoison is for the neighbours of a poison. Longer ones would be interrupted twice too
	// often, and quarantine runs them one by one.
	besidePoison = 5_000
)

// lanes are those of the chores, as often as they are used.
var lanes = []string{tasks.LaneSync, tasks.LaneSync, tasks.LaneSync, tasks.LaneWarm, tasks.LaneInteractive}

// plan is what happens on one side.
type plan struct {
	tasks                          int // beside long and poisonous ones
	kills, freezes, stops, poisons int
	every                          time.Duration // from kill to kill
	frozen                         time.Duration // of a frozen worker, at least
	limit                          time.Duration // of all
}

// lasts returns how long faults happen and tasks are demanded.
func (p plan) lasts() time.Duration { return time.Duration(p.kills) * p.every }

// side is one of the two systems: ours or plain asynq.
type side struct {
	name  string
	plain bool
	plan  plan
	keys  []byte
	log   io.Writer

	redis  *process.Redis
	rdb    redis.UniversalClient
	sink   *sink
	fleet  *fleet
	client *tasks.Client
	asynq  *asynq.Client
}

// leaseKey returns the key of the leases of a lane, which is asynq's.
func leaseKey(lane string) string { return "asynq:{" + lane + "}:lease" }

// run starts everything, lets the faults happen, waits until the tasks have ended, and derives the
// figures.
func (s *side) run(ctx context.Context, dir string) (_ figures, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.plan.limit)
	defer cancel()
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.open(ctx); err != nil {
		return figures{}, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", filepath.Join(dir, s.name))
	if err != nil {
		return figures{}, err
	}
	go func() { _ = s.sink.serve(listener) }()
	s.fleet = &fleet{sink: s.sink, log: s.log, settings: settings{
		Plain: s.plain, Redis: s.redis.Addr, Sink: listener.Addr().String(), Keys: s.keys,
	}}
	working, endWork := context.WithCancel(context.WithoutCancel(ctx))
	s.fleet.start(working)
	defer func() {
		endWork()
		s.fleet.ended.Wait()
		_ = listener.Close()
		s.sink.conns.Wait()
	}()
	return s.storm(ctx)
}

// storm lets the faults happen side by side. Tasks that have not ended at the limit are lost.
func (s *side) storm(ctx context.Context) (figures, error) {
	g, gctx := errgroup.WithContext(ctx)
	p := s.plan
	g.Go(func() error { return s.feed(gctx) })
	g.Go(func() error { return s.repeat(gctx, p.kills, 0.5, s.kill) })
	g.Go(func() error { return s.repeat(gctx, p.freezes, 0.1, s.freeze) })
	g.Go(func() error { return s.repeat(gctx, p.stops, 0.6, s.stop) })
	g.Go(func() error { return s.repeat(gctx, p.poisons, 0.3, s.poison) })
	watching, endWatch := context.WithCancel(ctx)
	defer endWatch()
	go s.watch(watching)
	ended := make(chan error, 1)
	go func() {
		err := g.Wait()
		if err == nil {
			err = s.await(ctx)
		}
		ended <- err
	}()
	select {
	case err := <-s.fleet.failed:
		return figures{}, fmt.Errorf("%s: %w", s.name, err)
	case err := <-ended:
		if err != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return figures{}, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := s.readArchive(context.WithoutCancel(ctx)); err != nil {
		return figures{}, err
	}
	var f figures
	s.sink.record(func(h *history) { f = evaluate(h, s.lease(), time.Now()) })
	return f, nil
}

func (s *side) lease() time.Duration {
	if s.plain {
		return plainLease
	}
	return ourLease
}

// open starts Redis and opens the clients.
func (s *side) open(ctx context.Context) (err error) {
	if s.redis, err = process.StartRedis(ctx); err != nil {
		return err
	}
	if s.rdb, err = redisconn.Dial(s.redis.URL(0), redisconn.Options{Role: redisconn.RoleQueue}); err != nil {
		return err
	}
	s.asynq = asynq.NewClientFromRedisClient(s.rdb)
	s.client, err = tasks.NewClient(tasks.ClientOptions{Redis: s.rdb, Keys: s.keys})
	return err
}

// close closes what open opened.
func (s *side) close() error {
	var err error
	if s.rdb != nil {
		err = s.rdb.Close()
	}
	if s.redis != nil {
		err = errors.Join(err, s.redis.Close())
	}
	return err
}

// repeat lets a fault happen n times, evenly spaced. The first happens after a part of the space.
func (s *side) repeat(ctx context.Context, n int, part float64, fault func(context.Context) error) error {
	if n == 0 {
		return nil
	}
	space := s.plan.lasts() / time.Duration(n)
	began := time.Now()
	for i := range n {
		at := began.Add(time.Duration((float64(i) + part) * float64(space)))
		if err := process.Pause(ctx, time.Until(at)); err != nil {
			return err
		}
		if err := fault(ctx); err != nil {
			return err
		}
	}
	return nil
}
