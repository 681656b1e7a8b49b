package queue

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const (
	// workerVariable makes the test's binary a worker on the queue's Redis at this URL.
	workerVariable = "QUEUE_TEST_WORKER"
	// hasteVariable divides the timing of leases.
	hasteVariable = "QUEUE_TEST_HASTE"
	// Keys with which a worker and its test talk: a line for each event, and permission to end.
	eventsKey = "test:events"
	goKey     = "test:go"
)

// Kinds of tasks of a worker.
const (
	kindPill = "test.pill" // ends the process
	kindSlow = "test.slow" // runs until it may end
)

// work is a worker process.
func work(url string) {
	o, err := redis.ParseURL(url)
	if err != nil {
		panic(err)
	}
	rdb := redis.NewClient(o)
	runs := NewRuns(rdb)
	s, err := NewServer(ServerOptions{
		Redis: rdb, Check: 10 * time.Millisecond, tempo: tempoOf(os.Getenv(hasteVariable)),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Handler: handler{excused: true, delay: time.Millisecond, process: func(ctx context.Context, task *asynq.Task) error {
			return work1(ctx, rdb, runs, task)
		}},
	})
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		panic(err)
	}
	select {}
}

func tempoOf(haste string) tempo {
	n, err := strconv.Atoi(haste)
	if err != nil {
		return tempo{}
	}
	by := func(d time.Duration) time.Duration { return d / time.Duration(n) }
	d := defaultTempo
	return tempo{lease: by(d.lease), renew: by(d.renew), lapse: by(d.lapse), reap: by(d.reap), thaw: by(d.thaw), patience: by(d.patience), rest: by(d.rest)}
}

// work1 runs one task, like the router.
func work1(ctx context.Context, rdb *redis.Client, runs *Runs, task *asynq.Task) error {
	raw, _ := asynq.GetTaskID(ctx)
	lane, _ := asynq.GetQueueName(ctx)
	id, err := ParseID(raw)
	if err != nil {
		return asynq.SkipRetry
	}
	say := func(event string) {
		rdb.RPush(context.WithoutCancel(ctx), eventsKey, fmt.Sprintf("%s %s %d %s %d", event, task.Type(), os.Getpid(), lane, Token(ctx)))
	}
	if Crashed(ctx) {
		say("crashed")
		return asynq.SkipRetry
	}
	if err := runs.Start(ctx, id); err != nil {
		return err
	}
	say("start")
	if task.Type() == kindPill {
		os.Exit(137)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && rdb.Exists(ctx, goKey).Val() == 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if err := Held(ctx); err != nil {
		say("lost")
		return nil // a run that ignores that it has lost its task: its end must have no effect
	}
	say("end")
	return nil
}
