package queue

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

//go:embed lua/enqueue.lua
var enqueueSource string

var enqueueScript = redis.NewScript(enqueueSource)

const (
	// generationLife is how long a generation outlives its last use.
	generationLife = 7 * 24 * time.Hour
	// onceLife is how long an idempotency key is remembered.
	onceLife = 48 * time.Hour
	// maxRetry keeps asynq from archiving by itself: it does so on the last
	// attempt even for what is not a failure. The router decides instead.
	maxRetry = 1 << 30
	// batch is how many scripts go into one pipeline.
	batch = 200
	// rounds bounds how often a batch is tried: wrong guesses, a flushed
	// script cache and lost connections take a round each, and after a restart
	// of Redis every pooled connection is lost. Without Redis it is given up
	// after some two seconds.
	rounds = 20
	// guesses bounds how many generations a producer remembers.
	guesses = 8192
)

// ErrReused is returned for an idempotency key that was used for another task.
var ErrReused = errors.New("idempotency key was used for another task")

// Demand asks for one task.
type Demand struct {
	// Lane is one of the lanes. Required.
	Lane string
	// Digest says what is asked for; equal digests in a lane are one task
	// while it waits. 26 characters of base32. Required.
	Digest string
	// Kind is the task's type in asynq. Required.
	Kind string
	// Timeout is asynq's own limit for an attempt, in whole seconds. Required.
	Timeout time.Duration
	// At is when to run, rounded up to the second. Zero: now.
	At time.Time
	// Once is the ref of an idempotency key, remembered for 48 hours in its
	// lane. Empty: none.
	Once string
	// Encode returns what is stored for the ID, which may change: it is
	// called again after a wrong guess. Required.
	Encode func(id string) (payload []byte, headers map[string]string, err error)
}

// Receipt says what became of a Demand.
type Receipt struct {
	// ID is the task that will do, or did, what was asked for.
	ID string
	// Joined: the task waited already.
	Joined bool
	// Repeated: the idempotency key had been seen; ID is of the first call.
	Repeated bool
}

// Producer adds tasks, one or many in one round trip. It is safe for
// concurrent use.
type Producer struct {
	rdb    redis.UniversalClient
	client *asynq.Client

	mu   sync.Mutex
	next map[string]uint64 // stem → generation to guess
}

// NewProducer returns a Producer on rdb, which stays the caller's.
func NewProducer(rdb redis.UniversalClient) *Producer {
	return &Producer{
		rdb:    rdb,
		client: asynq.NewClientFromRedisClient(recorder{}),
		next:   map[string]uint64{},
	}
}

// Enqueue adds every demand or joins it to the task that waits for the same.
// On an error the receipts with an ID are of demands that were accepted; the
// others may have been, and asking again is safe. Demands of one call are
// added in their order.
func (p *Producer) Enqueue(ctx context.Context, demands []Demand) ([]Receipt, error) {
	receipts := make([]Receipt, len(demands))
	for start := 0; start < len(demands); start += batch {
		end := min(start+batch, len(demands))
		if err := p.enqueueBatch(ctx, demands[start:end], receipts[start:end]); err != nil {
			return receipts, fmt.Errorf("enqueue: %w", err)
		}
	}
	return receipts, nil
}

// entry is a demand on its way.
type entry struct {
	*Demand
	receipt *Receipt
	id      ID
	call    capturedCall
	encoded bool
	cmd     *redis.Cmd
}

func (p *Producer) enqueueBatch(ctx context.Context, demands []Demand, receipts []Receipt) error {
	waiting := make([]*entry, len(demands))
	for i := range demands {
		d := &demands[i]
		waiting[i] = &entry{Demand: d, receipt: &receipts[i], id: p.guess(d)}
	}
	var last error
	for round := range rounds {
		if round > 0 && last != nil {
			if err := pause(ctx, backoff(round, 5*time.Millisecond, 250*time.Millisecond)); err != nil {
				return err
			}
		}
		for _, e := range waiting {
			if err := p.encode(ctx, e); err != nil {
				return err
			}
		}
		var err error
		if waiting, err = p.send(ctx, waiting); err != nil {
			return err
		}
		if len(waiting) == 0 {
			return nil
		}
		last = firstError(waiting)
	}
	if last != nil {
		return redisconn.Clean(last)
	}
	return errors.New("generations move too fast")
}

// firstError returns why the first entry has no answer, nil if it has a new
// generation to be encoded for.
func firstError(waiting []*entry) error {
	for _, e := range waiting {
		if err := e.cmd.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Producer) encode(ctx context.Context, e *entry) error {
	if e.encoded {
		return nil
	}
	payload, headers, err := e.Encode(e.id.String())
	if err != nil {
		return err
	}
	call, err := p.record(ctx, e.id, asynq.NewTaskWithHeaders(e.Kind, payload, headers), e.Timeout, e.At)
	if err != nil {
		return err
	}
	e.call, e.encoded = call, true
	return nil
}

// record returns what asynq would store for a task. A zero time means now.
func (p *Producer) record(ctx context.Context, id ID, t *asynq.Task, timeout time.Duration, at time.Time) (capturedCall, error) {
	opts := []asynq.Option{
		asynq.Queue(id.Lane), asynq.TaskID(id.String()), asynq.MaxRetry(maxRetry), asynq.Timeout(wholeSeconds(timeout)),
	}
	if !at.IsZero() {
		opts = append(opts, asynq.ProcessAt(ceilSecond(at)))
	}
	s := capture{id: id}
	_, err := p.client.EnqueueContext(context.WithValue(ctx, captureKey{}, &s), t, opts...)
	return s.call, errors.Join(err, s.err)
}

// send runs the scripts of all entries in one pipeline and returns the entries
// that need another round.
func (p *Producer) send(ctx context.Context, entries []*entry) ([]*entry, error) {
	pipe := p.rdb.Pipeline()
	known := map[string]bool{}
	for _, e := range entries {
		if !known[e.Lane] {
			known[e.Lane] = true
			pipe.SAdd(ctx, asynqQueues, e.Lane)
		}
		e.cmd = enqueueScript.EvalSha(ctx, pipe, e.keys(), e.args()...)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	var again []*entry
	load := false
	for _, e := range entries {
		settled, err := p.readReply(e)
		if err != nil {
			return nil, err
		}
		if !settled {
			load = load || missingScript(e.cmd.Err())
			again = append(again, e)
		}
	}
	if load {
		if err := enqueueScript.Load(ctx, p.rdb).Err(); err != nil && !transient(err) {
			return nil, redisconn.Clean(err)
		}
	}
	return again, nil
}

// readReply reads one answer. False asks for another round, in which the same
// bytes are sent again unless the generation was wrong, so that a command
// whose answer was lost finds itself.
func (p *Producer) readReply(e *entry) (bool, error) {
	answer, err := e.cmd.StringSlice()
	switch {
	case missingScript(err) || transient(err):
		return false, nil
	case err != nil:
		return false, redisconn.Clean(err)
	case len(answer) != 2:
		return false, errors.New("enqueue script answered in an unknown way")
	}
	if answer[0] == "repeated" {
		first, err := ParseID(answer[1])
		if err != nil || first.Digest != e.Digest {
			return false, ErrReused
		}
		*e.receipt = Receipt{ID: answer[1], Repeated: true}
		return true, nil
	}
	g, err := strconv.ParseUint(answer[1], 10, 64)
	if err != nil {
		return false, errors.New("generation is not a number")
	}
	e.id.Generation = g
	if answer[0] == "stale" {
		e.encoded = false
		return false, nil
	}
	*e.receipt = Receipt{ID: e.id.String(), Joined: answer[0] == "joined"}
	p.remember(e.id)
	return true, nil
}

func (e *entry) keys() []string {
	keys := []string{
		e.id.generationKey(), asynqKey(e.Lane, suffixPending), asynqKey(e.Lane, suffixSchedule),
		asynqKey(e.Lane, suffixRetry), asynqKey(e.Lane, suffixLease),
	}
	if e.Once != "" {
		keys = append(keys, onceKey(e.Lane, e.Once))
	}
	return keys
}

func (e *entry) args() []any {
	since := e.call.pendingSince
	if since == 0 {
		since = time.Now().UnixNano()
	}
	life := generationLife
	if wait := time.Until(e.At); wait > 0 {
		life += wait
	}
	return []any{
		asynqTaskPrefix(e.Lane), e.id.stem(), strconv.FormatUint(e.id.Generation, 10), e.call.message,
		e.call.score, since, int64(life / time.Second), int64(onceLife / time.Second),
	}
}

// guess returns the ID the demand will probably have: the one after the last
// we saw, which has started by now or still waits and is then joined, or a
// generation made of the time.
func (p *Producer) guess(d *Demand) ID {
	id := ID{Lane: d.Lane, Digest: d.Digest}
	p.mu.Lock()
	last, ok := p.next[id.stem()]
	p.mu.Unlock()
	if ok {
		id.Generation = last + 1
	} else {
		id.Generation = uint64(time.Now().UnixMicro())
	}
	return id
}

func (p *Producer) remember(id ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.next) >= guesses {
		clear(p.next) // a wrong guess costs one round trip, no more
	}
	p.next[id.stem()] = id.Generation
}

// wholeSeconds rounds up: asynq cuts to seconds and takes zero for 30 minutes.
func wholeSeconds(d time.Duration) time.Duration {
	return max(time.Second, (d + time.Second - 1).Truncate(time.Second))
}

// ceilSecond rounds up: asynq cuts to seconds, which would run a task early.
func ceilSecond(t time.Time) time.Time {
	if cut := t.Truncate(time.Second); !cut.Equal(t) {
		return cut.Add(time.Second)
	}
	return t
}

// backoff is a full-jitter wait before try n, which counts from 1.
func backoff(n int, base, limit time.Duration) time.Duration {
	return rand.N(min(limit, base<<min(n, 16))) + time.Millisecond
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
