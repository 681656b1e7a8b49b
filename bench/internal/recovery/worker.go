package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/tasks"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// WorkerRole is a worker of one side. Its settings are those of this package, and it reports that it
// has reached the sink.
var WorkerRole = process.Role{Name: "recovery-worker", Run: runWorker}

// settings are what a worker process gets.
type settings struct {
	Worker int    `json:"worker"`
	Plain  bool   `json:"plain"` // asynq's own server
	Redis  string `json:"redis"` // host and port
	Sink   string `json:"sink"`  // the socket of the sink
	Keys   []byte `json:"keys"`
}

func runWorker(ctx context.Context, raw []byte, report func(any) error) error {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	l, err := dialSink(ctx, s.Sink)
	if err != nil {
		return err
	}
	if _, err := l.ask(request{Do: doHello, Worker: s.Worker}); err != nil {
		return err
	}
	// Later a poison may end the process before the report.
	if err := report(s.Worker); err != nil {
		return err
	}
	c := &crew{link: l}
	if s.Plain {
		return s.workPlain(ctx, c)
	}
	return s.workOurs(ctx, c, slog.New(slog.NewTextHandler(os.Stderr, nil)).With("worker", s.Worker))
}

// Slots of a worker. Fewer than by default keep 10,000 tasks busy while the faults last.
const (
	reserved   = 2
	background = 8
)

// untilGone is the timetable of the product's workers: a platform sends SIGKILL after ten seconds.
var untilGone = queue.Drain{Soft: 7 * time.Second, Hard: 7400 * time.Millisecond, Limit: 7900 * time.Millisecond}

// workOurs runs the product's server and router.
func (s settings) workOurs(ctx context.Context, c *crew, log *slog.Logger) (err error) {
	rdb, err := redisconn.Dial("redis://"+s.Redis, redisconn.Options{Role: redisconn.RoleQueue})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.Close()) }()
	router, err := tasks.NewRouter(tasks.RouterOptions{Keys: s.Keys, Redis: rdb, Bury: c.bury, Logger: log})
	if err != nil {
		return err
	}
	tasks.Handle(router, tasks.WorkerFunc[chore](func(ctx context.Context, job *tasks.Job[chore]) error {
		lane, _ := asynq.GetQueueName(ctx)
		return c.do(ctx, job.Args, job.ID, lane, job.Token)
	}))
	server, err := queue.NewServer(queue.ServerOptions{
		Redis: rdb, Handler: router, Reserved: reserved, Background: background, Drain: untilGone, Logger: log,
	})
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	if err := server.Stop(context.WithoutCancel(ctx)); err != nil {
		log.WarnContext(ctx, "tasks are left to other workers", "error", err)
	}
	return nil
}

// workPlain runs asynq's server as it is, with as many slots.
func (s settings) workPlain(ctx context.Context, c *crew) error {
	server := asynq.NewServer(asynq.RedisClientOpt{Addr: s.Redis}, asynq.Config{
		Concurrency: reserved + background, LogLevel: asynq.FatalLevel,
		Queues: map[string]int{tasks.LaneInteractive: 6, tasks.LaneSync: 6, tasks.LaneWarm: 3},
	})
	err := server.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		var args chore
		if err := json.Unmarshal(t.Payload(), &args); err != nil {
			return err
		}
		id, _ := asynq.GetTaskID(ctx)
		lane, _ := asynq.GetQueueName(ctx)
		return c.do(ctx, args, id, lane, 0)
	}))
	if err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}

// crew runs the chores of one worker process.
type crew struct {
	*link
	runs atomic.Int64
}

// bury keeps a dead letter.
func (c *crew) bury(_ context.Context, d tasks.DeadLetter) error {
	_, err := c.ask(request{Do: doBury, ID: d.TaskID, Code: string(d.Code)})
	return err
}

// do is one run of a chore.
func (c *crew) do(ctx context.Context, args chore, id, lane string, token uint64) error {
	r := request{Run: int(c.runs.Add(1)), Task: args.Number, ID: id, Token: token, Lane: lane}
	say := func(what string) (bool, error) {
		r.Do = what
		return c.ask(r)
	}
	done, err := say(doBegin)
	if err != nil {
		return err
	}
	if args.Poison {
		// As the kernel ends a process that takes too much memory.
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	defer func() { _, _ = say(doEnd) }()
	if done {
		return nil
	}
	if err := process.Pause(ctx, time.Duration(args.Work)*time.Millisecond); err != nil {
		return err
	}
	if !args.Fenced {
		if err := tasks.Held(ctx); err != nil {
			return err
		}
	}
	_, err = say(doEffect)
	return err
}
