package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// ErrDraining is the cause of a handler's cancelled context while its worker
// shuts down, and the error of a task that was taken but not started. The
// task runs again elsewhere.
var ErrDraining error = codes.Draining

// Handler is what a Server runs. Router of package tasks is one.
type Handler interface {
	// ProcessTask runs one attempt.
	ProcessTask(ctx context.Context, t *asynq.Task) error
	// RetryDelay says how long a task waits after the error. Retried counts
	// the failures before it.
	RetryDelay(retried int, err error, t *asynq.Task) time.Duration
	// IsFailure says whether the error counts as an attempt.
	IsFailure(err error) bool
}

// ServerOptions says what a Server runs and how.
type ServerOptions struct {
	// Redis is the queue's. It stays the caller's. Required.
	Redis redis.UniversalClient
	// Handler runs the tasks. Required.
	Handler Handler
	// Reserved is the number of slots for interactive and push. Defaults to 4.
	Reserved int
	// Background is the number of slots for sync, warm and quarantine.
	// Defaults to 16.
	Background int
	// Check is how long an idle lane waits for its next look. Defaults to 100 ms.
	Check time.Duration
	// Drain says how Stop spends its time.
	Drain Drain
	// Logger gets what asynq has to say, from warnings up. Defaults to none.
	Logger *slog.Logger
}

// Drain is the timetable of a shutdown, counted from Stop. The zero value fits
// a platform that kills after ten seconds.
type Drain struct {
	// Soft is when contexts of running handlers are cancelled. Defaults to
	// 7 s: a vendor call takes 5 s, and its budget is spent.
	Soft time.Duration
	// Hard is when asynq puts tasks back whose handlers have not ended, which
	// may then run twice at once. Defaults to 8 s.
	Hard time.Duration
	// Limit is when Stop returns whatever still runs. Defaults to 8.5 s.
	Limit time.Duration
}

// The timetable's defaults.
const (
	drainSoft  = 7 * time.Second
	drainHard  = 8 * time.Second
	drainLimit = 8500 * time.Millisecond
	// flushGrace is what is left of Limit when Redis is given up.
	flushGrace = 100 * time.Millisecond
)

const (
	defaultReserved   = 4
	defaultBackground = 16
	defaultCheck      = 100 * time.Millisecond
	forwardEvery      = time.Second
)

// Server is one worker: two asynq servers, so that background work never takes
// the slots of what somebody waits for.
type Server struct {
	o       ServerOptions
	servers []*asynq.Server

	draining  chan struct{}
	closeSubscriber func()
	runs      context.Context //nolint:containedctx // parent of every handler's context
	cancel    context.CancelCauseFunc
	cut       context.CancelFunc
	handlers  sync.WaitGroup
	running   atomic.Int64
	stop      sync.Once
	stopErr   error
	startOnce sync.Once
	startErr  error
}

// NewServer returns a Server that does nothing yet.
func NewServer(o ServerOptions) (*Server, error) {
	if o.Redis == nil || o.Handler == nil {
		return nil, errors.New("new queue server: Redis and Handler are required")
	}
	if o.Reserved < 0 || o.Background < 0 || o.Drain.Soft < 0 || o.Drain.Hard < 0 || o.Drain.Limit < 0 {
		return nil, errors.New("new queue server: an option is negative")
	}
	o.defaults()
	if o.Drain.Soft >= o.Drain.Hard || o.Drain.Hard >= o.Drain.Limit {
		return nil, errors.New("new queue server: drain must have Soft < Hard < Limit")
	}
	s := &Server{o: o, draining: make(chan struct{})}
	s.runs, s.cancel = context.WithCancelCause(context.Background())
	cut, cancel := context.WithCancel(context.Background())
	s.cut = cancel
	var ears redis.UniversalClient
	ears, s.closeSubscriber = redisconn.Clone(o.Redis)
	s.servers = []*asynq.Server{
		s.engine(cut, ears, o.Reserved, map[string]int{Interactive: 6, Push: 4}),
		s.engine(cut, ears, o.Background, map[string]int{Sync: 6, Warm: 3, Quarantine: 1}),
	}
	return s, nil
}

func (o *ServerOptions) defaults() {
	o.Reserved = or(o.Reserved, defaultReserved)
	o.Background = or(o.Background, defaultBackground)
	o.Check = or(o.Check, defaultCheck)
	o.Drain.Soft = or(o.Drain.Soft, drainSoft)
	o.Drain.Hard = or(o.Drain.Hard, drainHard)
	o.Drain.Limit = or(o.Drain.Limit, drainLimit)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func or[T int | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}

func (s *Server) engine(cut context.Context, ears redis.UniversalClient, slots int, weights map[string]int) *asynq.Server {
	l := &retryingClient{UniversalClient: s.o.Redis, draining: s.draining, cut: cut, subscriber: ears}
	return asynq.NewServerFromRedisClient(l, asynq.Config{
		Concurrency:              slots,
		Queues:                   weights,
		TaskCheckInterval:        s.o.Check,
		DelayedTaskCheckInterval: forwardEvery,
		ShutdownTimeout:          s.o.Drain.Hard,
		RetryDelayFunc:           s.retryDelay,
		IsFailure:                s.isFailure,
		Logger:                   engineLog{s.o.Logger},
		LogLevel:                 asynq.WarnLevel,
	})
}

// Start begins to take tasks and returns. Redis may be away: the server waits
// for it and goes on by itself.
func (s *Server) Start() error {
	s.startOnce.Do(func() {
		for _, srv := range s.servers {
			if err := srv.Start(asynq.HandlerFunc(s.process)); err != nil {
				s.startErr = fmt.Errorf("start queue server: %w", err)
				return
			}
		}
	})
	return s.startErr
}

// process runs one task under a context of ours. asynq's own context is never
// cancelled by a shutdown: asynq would put the task back at once, while its
// handler still runs.
func (s *Server) process(ctx context.Context, t *asynq.Task) error {
	select {
	case <-s.draining:
		return ErrDraining
	default:
	}
	s.handlers.Add(1)
	s.running.Add(1)
	defer func() {
		s.running.Add(-1)
		s.handlers.Done()
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.runs, func() { cancel(ErrDraining) })()
	return s.o.Handler.ProcessTask(ctx, t)
}

func (s *Server) retryDelay(retried int, err error, t *asynq.Task) time.Duration {
	if lost(err) {
		return 0
	}
	return s.o.Handler.RetryDelay(retried, err, t)
}

func (s *Server) isFailure(err error) bool { return !lost(err) && s.o.Handler.IsFailure(err) }

// lost reports that the worker failed, not the task: it runs again at once and
// no attempt is counted.
func lost(err error) bool {
	return errors.Is(err, asynq.ErrLeaseExpired) || errors.Is(err, ErrDraining)
}

// Stop takes no more tasks, gives back what has not started, lets handlers end
// until Drain.Soft, then cancels them and waits. It returns nil when all have
// ended, else an error with their number at Drain.Limit or when ctx ends.
// Calling it again waits for the same.
func (s *Server) Stop(ctx context.Context) error {
	s.stop.Do(func() { s.stopErr = s.shutdown(ctx) })
	return s.stopErr
}

func (s *Server) shutdown(ctx context.Context) error {
	close(s.draining)
	d := s.o.Drain
	soft := time.AfterFunc(d.Soft, func() { s.cancel(ErrDraining) })
	cut := time.AfterFunc(d.Limit-flushGrace, s.cut)
	limit := time.NewTimer(d.Limit)
	defer func() { soft.Stop(); cut.Stop(); limit.Stop(); s.cancel(ErrDraining); s.cut() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for _, srv := range s.servers {
			wg.Go(srv.Shutdown)
		}
		wg.Wait()
		s.closeSubscriber()
		s.handlers.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-limit.C:
	case <-ctx.Done():
	}
	return fmt.Errorf("stop queue server: %d tasks have not ended", s.running.Load())
}
