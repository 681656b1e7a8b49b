package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

var (
	enqueueScript = newScript("enqueue")
	urgeScript    = newScript("urge")
)

const (
	// generationLife is how long a generation outlives its last use.
	generationLife = 7 * 24 * time.Hour
	// onceLife is how long an idempotency key is kept.
	onceLife = 48 * time.Hour
	// maxRetry keeps asynq from archiving tasks: on the last attempt it archives even a task that
	// did not fail. The router decides instead.
	maxRetry = 1 << 30
	// batch is the number of scripts in one pipeline.
	batch = 200
	// rounds bounds the tries of a batch: wrong guesses, a flushed script cache and lost
	// connections cost a round each, and a restart of Redis breaks every pooled connection. Without
	// Redis a batch fails after about two seconds.
	rounds = 20
	// maxWaiting is the number of equal tasks that wait at once for different times. Further
	// demands for later times move the last of them.
	maxWaiting = 16
	// shortLine is the longest line of pending tasks in which an urgent demand's twin is searched.
	shortLine = 20_000
)

// ErrReused is returned for an idempotency key that was used for another task.
var ErrReused = errors.New("idempotency key was used for another task")

// Demand is a request for one task.
type Demand struct {
	// Lane is the lane. Required.
	Lane string
	// Digest identifies the work; equal digests in a lane are one task while it waits. 26
	// characters of base32. Required.
	Digest string
	// Kind is the task's type in asynq. Required.
	Kind string
	// Timeout is asynq's limit for an attempt, in whole seconds. Required.
	Timeout time.Duration
	// At is when to run, rounded up to the second. Zero means now.
	At time.Time
	// Booked reports whether the demand has a place in the vendor's budget, and Wait is how long
	// from now that is, by Redis' clock. A task with a place later than At is scheduled for it.
	Booked bool
	Wait   time.Duration
	// Twin is another lane in which an equal task is brought forward if it waits. Empty means none.
	Twin string
	// Once is the ref of an idempotency key, which is kept for 48 hours in its lane. Empty means
	// none.
	Once string
	// Encode returns the payload and headers for the ID. It is called again with another ID after a
	// wrong guess. Required.
	Encode func(id string) (payload []byte, headers map[string]string, err error)
}

// Receipt is the result of a Demand.
type Receipt struct {
	// ID is the task that does, or did, the work.
	ID string
	// Joined reports that the task already waited.
	Joined bool
	// Repeated reports that the idempotency key was used before; ID is that of the first call.
	Repeated bool
	// Unneeded reports that the demand's own place is not needed, because the task has an earlier
	// one or runs anyway.
	Unneeded bool
	// Former is the place that the task had before it took the demand's, in microseconds of Redis'
	// clock. 0 means none.
	Former int64
}

// Producer adds one or many tasks in one round trip. It is safe for concurrent use.
type Producer struct {
	rdb    redis.UniversalClient
	client *asynq.Client
}

// NewProducer returns a Producer on rdb, which the caller closes.
func NewProducer(rdb redis.UniversalClient) *Producer {
	return &Producer{rdb: rdb, client: asynq.NewClientFromRedisClient(recorder{})}
}

// Enqueue adds every demand or joins it to an equal waiting task. After an error, receipts with an
// ID belong to accepted demands; the others may have been accepted, and repeating them is safe. The
// demands of one call are added in order.
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

// entry is a demand in progress.
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
		waiting[i] = &entry{Demand: d, receipt: &receipts[i], id: guess(d)}
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
		return clean(last)
	}
	return errors.New("generations change too fast")
}

// firstError returns the first error of the entries' commands, or nil if they only need another
// generation.
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

// record returns the data that asynq would store for a task. A zero time means now.
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

// send runs the scripts of all entries in one pipeline and returns the entries that need another
// round.
func (p *Producer) send(ctx context.Context, entries []*entry) ([]*entry, error) {
	pipe := p.rdb.Pipeline()
	known := map[string]bool{}
	for _, e := range entries {
		if !known[e.Lane] {
			known[e.Lane] = true
			pipe.SAdd(ctx, asynqQueues, e.Lane)
		}
		e.cmd = enqueueScript.EvalSha(ctx, pipe, laneKeys(e.Lane, e.keys()...), laneArgs(e.Lane, e.args()...)...)
		if e.Twin != "" && e.Twin != e.Lane {
			// Best effort: it has no effect while the server lacks the script.
			urgeScript.EvalSha(ctx, pipe, laneKeys(e.Twin), laneArgs(e.Twin, e.Digest, shortLine)...)
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	var again []*entry
	load := false
	for _, e := range entries {
		done, err := p.readReply(e)
		if err != nil {
			return nil, err
		}
		if !done {
			load = load || missingScript(e.cmd.Err())
			again = append(again, e)
		}
	}
	if load {
		for _, script := range []laneScript{enqueueScript, urgeScript} {
			if err := script.Load(ctx, p.rdb).Err(); err != nil && !transient(err) {
				return nil, clean(err)
			}
		}
	}
	return again, nil
}

// readReply reads one reply. False means another round, which sends the same bytes again unless the
// generation was wrong, so that a command whose reply was lost finds its own task.
func (p *Producer) readReply(e *entry) (bool, error) {
	reply, err := e.cmd.StringSlice()
	switch {
	case missingScript(err) || transient(err):
		return false, nil
	case err != nil:
		return false, clean(err)
	case len(reply) != 3:
		return false, errors.New("enqueue script returned an unknown reply")
	}
	if reply[0] == "repeated" {
		first, err := ParseID(reply[1])
		if err != nil || first.Digest != e.Digest {
			return false, ErrReused
		}
		*e.receipt = Receipt{ID: reply[1], Repeated: true, Unneeded: e.Booked}
		return true, nil
	}
	if reply[0] == "stale" {
		g, err := strconv.ParseUint(reply[1], 10, 64)
		if err != nil {
			return false, errors.New("generation is not a number")
		}
		e.id.Generation, e.encoded = g, false
		return false, nil
	}
	*e.receipt = Receipt{ID: reply[1], Joined: reply[0] == "joined", Unneeded: e.Booked && reply[2] == "own"}
	if !e.receipt.Unneeded {
		e.receipt.Former, _ = strconv.ParseInt(reply[2], 10, 64) // 0 for none
	}
	return true, nil
}

func (e *entry) keys() []string {
	keys := []string{e.id.formerKey()}
	if e.Once != "" {
		keys = append(keys, onceKey(e.Lane, e.Once), formerOnceKey(e.Lane, e.Once))
	}
	return keys
}

func (e *entry) args() []any {
	since := e.call.pendingSince
	if since == 0 {
		since = time.Now().UnixNano()
	}
	life := generationLife
	if wait := max(time.Until(e.At), e.Wait); wait > 0 {
		life += wait
	}
	urgent := ""
	if IsInteractive(e.Lane) {
		urgent = "urgent"
	}
	place := ""
	if e.Booked {
		place = strconv.FormatInt(max(0, e.Wait).Microseconds(), 10)
	}
	return []any{
		e.Digest, e.Lane, strconv.FormatUint(e.id.Generation, 10), e.call.message, e.call.score, since,
		int64(life / time.Second), int64(onceLife / time.Second), urgent, maxWaiting, place,
	}
}

// guess returns the probable ID of the demand's task. Generations are times in microseconds, so a
// guess is too low only if another producer's clock was ahead a moment ago.
func guess(d *Demand) ID {
	return ID{Lane: d.Lane, Digest: d.Digest, Generation: uint64(time.Now().UnixMicro())}
}
