package queue

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(workerVariable); url != "" {
		work(url)
		return
	}
	redistest.Main(m)
}

// digest returns a well-formed digest that repeats one character.
func digest(char string) string { return strings.Repeat(char, digestLen) }

func demand(lane, char string) Demand {
	return Demand{
		Lane: lane, Digest: digest(char), Kind: "test.run", Timeout: time.Minute,
		Encode: func(id string) ([]byte, map[string]string, error) {
			return []byte("sealed for " + id), map[string]string{"tenant": "clinic-a"}, nil
		},
	}
}

func enqueue(t *testing.T, p *Producer, d Demand) Receipt {
	t.Helper()
	receipts, err := p.Enqueue(t.Context(), []Demand{d})
	if err != nil {
		t.Fatal(err)
	}
	return receipts[0]
}

func parse(t *testing.T, id string) ID {
	t.Helper()
	parsed, err := ParseID(id)
	if err != nil {
		t.Fatalf("%q: %v", id, err)
	}
	return parsed
}

// eventually polls until ok returns true, and fails the test after ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

// handler is a Handler made of a function. Every error is a failure that waits an hour, unless
// later is set.
type handler struct {
	process func(ctx context.Context, t *asynq.Task) error
	delay   time.Duration
	excused bool
}

func (h handler) ProcessTask(ctx context.Context, t *asynq.Task) error { return h.process(ctx, t) }
func (h handler) IsFailure(error) bool                                 { return !h.excused }
func (h handler) RetryDelay(int, error, *asynq.Task) time.Duration {
	if h.delay != 0 {
		return h.delay
	}
	return time.Hour
}

// serve starts a server and stops it at the end of the test.
func serve(t *testing.T, o ServerOptions) *Server {
	t.Helper()
	o.Check = 10 * time.Millisecond
	if o.Drain == (Drain{}) {
		o.Drain = Drain{Soft: 200 * time.Millisecond, Hard: 600 * time.Millisecond, Limit: 2 * time.Second}
	}
	s, err := NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

// flaky fails scripts before or after Redis ran them.
type flaky struct {
	redis.UniversalClient
	mu     sync.Mutex
	before func(keys []string) error
	after  func(keys []string) error
}

func (f *flaky) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if err := f.ask(f.before, keys); err != nil {
		return failed(ctx, err)
	}
	cmd := f.UniversalClient.EvalSha(ctx, sha, keys, args...)
	if missingScript(cmd.Err()) {
		return cmd
	}
	if err := f.ask(f.after, keys); err != nil {
		return failed(ctx, err)
	}
	return cmd
}

func (f *flaky) Eval(ctx context.Context, source string, keys []string, args ...any) *redis.Cmd {
	if err := f.ask(f.before, keys); err != nil {
		return failed(ctx, err)
	}
	cmd := f.UniversalClient.Eval(ctx, source, keys, args...)
	if err := f.ask(f.after, keys); err != nil {
		return failed(ctx, err)
	}
	return cmd
}

func (f *flaky) ask(rule func([]string) error, keys []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if rule == nil {
		return nil
	}
	return rule(keys)
}

func failed(ctx context.Context, err error) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(err)
	return cmd
}

var errLost error = &net.OpError{Op: "read", Net: "tcp", Err: io.EOF}

// dialPrivate returns a client that is closed after everything that the test starts later.
func dialPrivate(t *testing.T, r *redistest.Private) redis.UniversalClient {
	t.Helper()
	c, err := redisconn.Dial(r.URL(), redisconn.Options{Timeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

var errFailed = errors.New("failed")

// receive waits at most ten seconds for a value, so that a broken test shows where it stopped.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatal("no value within ten seconds")
	}
	var none T
	return none
}

// get returns the run that holds a task, or nil.
func (l *leases) get(id string) *run {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs[id]
}
