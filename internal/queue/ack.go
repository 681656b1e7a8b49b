package queue

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// learned are asynq's scripts as this package runs them, by the hash that asynq uses. asynq sends a
// hash first; the reply that the server lacks the script makes it send the text.
type learned struct {
	mu      sync.Mutex
	scripts map[string]*redis.Script
}

func (l *learned) get(hash string) *redis.Script {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.scripts[hash]
}

func (l *learned) learn(text string, wrap func(string) string) *redis.Script {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.scripts == nil {
		l.scripts = map[string]*redis.Script{}
	}
	s := redis.NewScript(wrap(text))
	l.scripts[redis.NewScript(text).Hash()] = s
	return s
}

// guardAck lets one of asynq's scripts end a run only if the run still has its task.
func guardAck(text string) string {
	return source("demand") + strings.Replace(source("ack"), "\nASYNQ\n", "\n"+text+"\n", 1)
}

// redisClock makes asynq's forwarder use Redis' clock, so that a worker whose clock is ahead runs
// no task early.
func redisClock(text string) string {
	return "local clock = redis.call('TIME')\nARGV[1] = clock[1] .. string.format('.%06d', tonumber(clock[2]))\n" + text
}

// ack ends a run. A run that has lost its task ends without an effect, and the reply to asynq is a
// success: asynq would only repeat the call after an error.
func (l *retryingClient) ack(ctx context.Context, script *redis.Script, keys []string, args []any) *redis.Cmd {
	id, _ := args[0].(string)
	r := l.leases.acked(id)
	done := redis.NewCmd(ctx)
	done.SetVal("OK")
	switch {
	case r == nil:
		l.refuse(ctx, id, keys)
		return done
	case isRequeue(keys) && l.leases.isWorking(r):
		// asynq abandons a handler that outlives the shutdown. Its task must not run beside it: the
		// lease ends soon after the process does.
		return done
	}
	lane := laneOf(keys[0])
	args = append(append([]any{}, args...), r.token, l.place())
	cmd, unsure := l.repeatAck(ctx, func(ctx context.Context) *redis.Cmd {
		return script.Run(ctx, l.UniversalClient, keys, laneArgs(lane, args...)...)
	})
	if cmd.Err() != nil {
		return cmd
	}
	if text, _ := cmd.Text(); text == "STALE" && !unsure {
		l.refuse(ctx, id, keys)
	} else if IsQuarantine(lane) && endsTask(keys) {
		l.unhold(ctx, id)
	}
	l.leases.end(r)
	l.yieldTurn(ctx, lane)
	return done
}

// place is where a task goes that is to run again at once: to the front of its lane if the worker
// stops, because the task has had its turn.
func (l *retryingClient) place() string {
	select {
	case <-l.draining:
		return "front"
	default:
		return ""
	}
}

// refuse logs the end of a run that had lost its task.
func (l *retryingClient) refuse(ctx context.Context, id string, keys []string) {
	l.log.WarnContext(ctx, "run had lost its task, and its end is ignored", "lane", laneOf(keys[0]), "task", IDOf(id))
}

// repeatAck repeats the call until a reply arrives or asynq's lease ends. It reports unsure if an
// earlier reply was lost: STALE then means that the call with the lost reply succeeded.
func (l *retryingClient) repeatAck(ctx context.Context, call func(context.Context) *redis.Cmd) (cmd *redis.Cmd, unsure bool) {
	ctx, cancel := restoreDeadline(ctx)
	defer cancel()
	for try := 1; ; try++ {
		cmd = l.try(ctx, call)
		err := cmd.Err()
		if err == nil || !transient(err) && !redis.HasErrorPrefix(err, "OOM") || l.cut.Err() != nil {
			return cmd, unsure
		}
		unsure = unsure || !redisconn.IsReply(err)
		wait, stop := l.until(ctx)
		err = pause(wait, backoff(try, ackBase, ackLimit))
		stop()
		if err != nil {
			return cmd, unsure
		}
	}
}

// try makes one try of an ack.
func (l *retryingClient) try(ctx context.Context, call func(context.Context) *redis.Cmd) *redis.Cmd {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	defer context.AfterFunc(l.cut, cancel)()
	return call(ctx)
}

func (l *retryingClient) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.cut, cancel)
	return ctx, func() { stop(); cancel() }
}

// restoreDeadline returns a context with the deadline of one that was canceled early: asynq cancels
// the context of an ack as soon as the first try fails, and then tries again with it. An ack
// without a deadline gets the time of one try.
func restoreDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	switch {
	case !ok:
		return context.WithTimeout(ctx, commandTimeout)
	case errors.Is(ctx.Err(), context.Canceled):
		return context.WithDeadline(context.WithoutCancel(ctx), deadline)
	}
	return context.WithCancel(ctx)
}
