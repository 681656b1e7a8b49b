package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// ErrDraining is the cause of a handler's canceled context during the shutdown of its worker, and
// the error of a task that was taken but not started. The task runs again elsewhere.
var ErrDraining error = codes.Draining

// Handler processes the tasks of a Server. The Router of package tasks implements it.
type Handler interface {
	// ProcessTask runs one attempt.
	ProcessTask(ctx context.Context, t *asynq.Task) error
	// RetryDelay returns how long a task waits after the error. Retried counts the earlier
	// failures.
	RetryDelay(retried int, err error, t *asynq.Task) time.Duration
	// IsFailure reports whether the error counts as an attempt.
	IsFailure(err error) bool
}

// ServerOptions configures a Server.
type ServerOptions struct {
	// Redis is the queue's client, which the caller closes. Required.
	Redis redis.UniversalClient
	// Handler processes the tasks. Required.
	Handler Handler
	// Pools are the slots and the lanes that they serve. A lane belongs to at most one pool. The
	// quarantine lane of each served lane is added to the last pool if no pool has it. Defaults to
	// a pool of Reserved slots for interactive and push, and one of Background slots for the other
	// lanes of our own.
	Pools []Pool
	// Reserved is the number of slots of the first default pool. Defaults to 4.
	Reserved int
	// Background is the number of slots of the second default pool. Defaults to 16.
	Background int
	// Check is the interval at which an idle lane is polled. Defaults to 100 ms.
	Check time.Duration
	// Drain is the timetable of Stop.
	Drain Drain
	// Ready reports whether tasks of a lane may be taken now. It is asked before each pop, must not
	// block and must be safe for concurrent use. Defaults to always.
	Ready func(lane string) bool
	// Logger receives asynq's messages of level warning and above. Defaults to none.
	Logger *slog.Logger

	tempo tempo // of leases; tests hasten it
}

// Drain is the timetable of a shutdown, counted from the call of Stop. The zero value suits a
// platform that sends SIGKILL after ten seconds.
type Drain struct {
	// Soft is when the contexts of running handlers are canceled. Defaults to 7 s: a vendor call
	// takes 5 s, and its budget is already spent.
	Soft time.Duration
	// Hard is when asynq gives up handlers that have not ended. Their tasks run again when their
	// leases end, which is after the process does. Defaults to 8 s.
	Hard time.Duration
	// Limit is when Stop returns even if handlers still run. Defaults to 8.5 s.
	Limit time.Duration
}

// The timetable's defaults.
const (
	drainSoft  = 7 * time.Second
	drainHard  = 8 * time.Second
	drainLimit = 8500 * time.Millisecond
	// idleLimit bounds asynq's commands during a shutdown, other than the acks of tasks: asynq ends
	// its goroutines one after the other, and each first waits for its own command.
	idleLimit = 500 * time.Millisecond
)

const (
	defaultReserved   = 4
	defaultBackground = 16
	defaultCheck      = 100 * time.Millisecond
	// forwardEvery is how often asynq looks for tasks that are due. Server.forward does it more
	// often.
	forwardEvery = time.Second
)

// abandon returns when Redis is abandoned: three quarters of the way from Hard, when asynq requeues
// tasks, to Limit.
func (d Drain) abandon() time.Duration { return d.Hard + (d.Limit-d.Hard)*3/4 }

// Server is one worker. It runs an asynq server for each pool, so that background work never
// occupies the slots of urgent tasks.
type Server struct {
	o       ServerOptions
	servers []*asynq.Server

	*worker
	lanes           []string
	draining        chan struct{}
	closeSubscriber func()
	runs            context.Context //nolint:containedctx // parent of every handler's context
	cancel          context.CancelCauseFunc
	hurry           context.Context //nolint:containedctx // ends idleLimit after Stop was called
	hasten          context.CancelFunc
	last            *ending // when Redis is abandoned; see Closing
	cut             context.CancelFunc
	handlers        sync.WaitGroup
	upkeep          sync.WaitGroup  // renewals and the like
	upkeepCtx       context.Context //nolint:containedctx // lives as long as the server
	endUpkeep       context.CancelFunc
	searchCtx       context.Context //nolint:containedctx // ends when Stop is called
	endSearch       context.CancelFunc
	stop            sync.Once
	stopErr         error
	startOnce       sync.Once
	startErr        error
}

// NewServer returns a Server. It takes no tasks before Start.
func NewServer(o ServerOptions) (*Server, error) {
	if o.Redis == nil || o.Handler == nil {
		return nil, errors.New("new queue server: Redis and Handler are required")
	}
	if o.Reserved < 0 || o.Background < 0 || o.Drain.Soft < 0 || o.Drain.Hard < 0 || o.Drain.Limit < 0 {
		return nil, errors.New("new queue server: an option is negative")
	}
	o.defaults()
	if err := checkPools(o.Pools); err != nil {
		return nil, fmt.Errorf("new queue server: %w", err)
	}
	if o.Drain.Soft >= o.Drain.Hard || o.Drain.Hard >= o.Drain.Limit {
		return nil, errors.New("new queue server: drain must have Soft < Hard < Limit")
	}
	s := &Server{o: o, draining: make(chan struct{})}
	s.runs, s.cancel = context.WithCancelCause(context.Background())
	s.upkeepCtx, s.endUpkeep = context.WithCancel(context.Background())
	s.searchCtx, s.endSearch = context.WithCancel(s.upkeepCtx)
	s.hurry, s.hasten = context.WithCancel(context.Background())
	s.last = &ending{}
	s.last.Context, s.cut = context.WithCancel(context.Background())
	s.worker = &worker{
		name: rand.Text(), log: o.Logger, ready: o.Ready, draining: s.draining, hurry: s.hurry, cut: s.last,
		leases: newLeases(o.tempo.lease), tempo: o.tempo, running: &atomic.Int64{}, solo: &sync.Mutex{},
	}
	s.subscriber, s.closeSubscriber = redisconn.Clone(o.Redis)
	for _, pool := range o.Pools {
		s.servers = append(s.servers, s.engine(pool))
		s.lanes = slices.AppendSeq(s.lanes, maps.Keys(pool.Lanes))
	}
	return s, nil
}

func (o *ServerOptions) defaults() {
	o.Reserved = or(o.Reserved, defaultReserved)
	o.Background = or(o.Background, defaultBackground)
	if len(o.Pools) == 0 {
		o.Pools = defaultPools(o.Reserved, o.Background)
	}
	o.Pools = withQuarantines(o.Pools)
	o.Check = or(o.Check, defaultCheck)
	o.Drain.Soft = or(o.Drain.Soft, drainSoft)
	o.Drain.Hard = or(o.Drain.Hard, drainHard)
	o.Drain.Limit = or(o.Drain.Limit, drainLimit)
	if o.tempo == (tempo{}) {
		o.tempo = defaultTempo
	}
	if o.Ready == nil {
		o.Ready = func(string) bool { return true }
	}
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

func (s *Server) engine(pool Pool) *asynq.Server {
	// asynq asks an idle pool's lanes again after at least half of Check.
	l := &retryingClient{UniversalClient: s.o.Redis, worker: s.worker, recheck: s.o.Check / 2, empty: map[string]time.Time{}}
	return asynq.NewServerFromRedisClient(l, asynq.Config{
		Concurrency:              pool.Slots,
		Queues:                   pool.Lanes,
		TaskCheckInterval:        s.o.Check,
		DelayedTaskCheckInterval: forwardEvery,
		ShutdownTimeout:          s.o.Drain.Hard,
		RetryDelayFunc:           s.retryDelay,
		IsFailure:                s.isFailure,
		Logger:                   engineLog{s.o.Logger},
		LogLevel:                 asynq.WarnLevel,
	})
}

// Start begins to take tasks and returns. Redis may be unreachable: the server waits for it and
// continues by itself.
func (s *Server) Start() error {
	s.startOnce.Do(func() {
		for _, srv := range s.servers {
			if err := srv.Start(asynq.HandlerFunc(s.process)); err != nil {
				s.startErr = fmt.Errorf("start queue server: %w", err)
				return
			}
		}
		for _, task := range []func(context.Context){s.renew, s.lapse} {
			s.upkeep.Go(func() { task(s.upkeepCtx) })
		}
		for _, task := range []func(context.Context){s.reap, s.hold, s.listen, s.forward} {
			s.upkeep.Go(func() { task(s.searchCtx) })
		}
	})
	return s.startErr
}

// process runs one task with a context that a shutdown cancels. A shutdown never cancels asynq's
// own context: asynq would requeue the task at once, while its handler still runs.
func (s *Server) process(ctx context.Context, t *asynq.Task) error {
	select {
	case <-s.draining:
		return ErrDraining
	default:
	}
	id, _ := asynq.GetTaskID(ctx)
	ctx, cancel, ended, ok := s.leases.begin(context.WithValue(ctx, endingKey{}, s.last), id)
	if !ok {
		return ErrLeaseLost
	}
	defer ended()
	s.handlers.Add(1)
	s.running.Add(1)
	defer func() {
		s.running.Add(-1)
		s.handlers.Done()
	}()
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

// lost reports whether the worker failed and not the task: the task runs again at once, and no
// attempt is counted.
func lost(err error) bool {
	return errors.Is(err, asynq.ErrLeaseExpired) || errors.Is(err, ErrDraining) || errors.Is(err, ErrLeaseLost)
}
