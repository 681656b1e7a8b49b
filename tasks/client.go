package tasks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Errors of Client that callers may want to distinguish, besides ErrInvalid.
var (
	// ErrUnavailable means that Redis did not answer. A task may have been accepted nevertheless;
	// repeating the call is safe.
	ErrUnavailable = redisconn.ErrUnavailable
	// ErrReused means that the idempotency key was used for another task.
	ErrReused = queue.ErrReused
	// ErrID means that the string is not a task's ID.
	ErrID = queue.ErrID
)

var (
	errNoRedis = errors.New("tasks client has no Redis")
	errNoKeys  = errors.New("tasks client has no keyset")
)

// ClientOptions configure a Client.
type ClientOptions struct {
	// Redis is a client of the queue's Redis. The caller closes it. Without it every method but
	// Seal fails. Set its MaxRetries to -1: Client itself repeats the commands that may be
	// repeated.
	Redis redis.UniversalClient
	// Keys is the Tink keyset in JSON, a PRF keyset, that workers also have. Required.
	Keys []byte
}

// Client enqueues tasks and reports their status. It is safe for concurrent use.
type Client struct {
	rdb      redis.UniversalClient
	keys     *phi.Keys // nil if it only reads
	producer *queue.Producer
	runs     *queue.Runs
	calendar *budget.Calendar // nil without Redis
}

// NewClient returns a Client. It fails if the keyset is invalid, and does not connect to Redis.
func NewClient(o ClientOptions) (*Client, error) {
	keys, err := phi.Parse(o.Keys)
	if err != nil {
		return nil, fmt.Errorf("new tasks client: %w", err)
	}
	c := NewReader(o.Redis)
	c.keys, c.producer = keys, queue.NewProducer(o.Redis)
	if o.Redis != nil {
		if c.calendar, err = budget.NewCalendar(budget.Options{Redis: o.Redis}); err != nil {
			return nil, fmt.Errorf("new tasks client: %w", err)
		}
	}
	return c, nil
}

// NewReader returns a Client without a keyset, of which only Status and Explain work: they read no
// payload. It does not connect to Redis.
func NewReader(rdb redis.UniversalClient) *Client {
	return &Client{rdb: rdb, runs: queue.NewRuns(rdb)}
}

// Receipt identifies the task that a call of Enqueue added or found.
type Receipt struct {
	// ID is the task's ID, for Status. It reveals nothing about the arguments.
	ID string
	// Joined reports whether an equal task was already waiting. ID is then that task's.
	Joined bool
	// Repeated reports whether the idempotency key had been used. ID is then that of the first
	// call's task.
	Repeated bool
}

// Enqueue demands one task for a tenant, which is named by its alias. Give ctx a deadline: if Redis
// does not answer, Enqueue tries for about two seconds. It fails with ErrInvalid before anything is
// sent, and otherwise with ErrUnavailable, ErrReused, the first word of the error that Redis
// replied ("redis refused: OOM"), or the error of ctx.
func (c *Client) Enqueue(ctx context.Context, tenant string, args Args, opts ...Option) (Receipt, error) {
	receipts, err := c.EnqueueMany(ctx, tenant, []Args{args}, opts...)
	if err != nil {
		return Receipt{}, err
	}
	return receipts[0], nil
}

// EnqueueMany demands many tasks for a tenant in few round trips, and returns their receipts in the
// order of args. A task for which no person waits, and whose kind calls the vendor, is scheduled
// for its place in the vendor's budget. The options apply to each task. If one task is invalid,
// EnqueueMany fails with ErrInvalid and sends none. After another error the tasks whose receipts
// have an ID were accepted; the others may have been.
func (c *Client) EnqueueMany(ctx context.Context, tenant string, args []Args, opts ...Option) (_ []Receipt, err error) {
	if c.rdb == nil {
		return nil, errNoRedis
	}
	if c.keys == nil {
		return nil, errNoKeys
	}
	ctx, span := telemetry.Start(ctx, telemetry.SpanEnqueue, telemetry.Tenant(tenant), telemetry.Rows(len(args)))
	defer func() { span.End(codeIf(err)) }()
	demands := make([]queue.Demand, len(args))
	for i, a := range args {
		d, err := c.demand(ctx, tenant, a, i, opts)
		if err != nil {
			return nil, fmt.Errorf("enqueue: %w", err)
		}
		demands[i] = d
	}
	booked := c.book(ctx, tenant, demands, args)
	got, err := c.producer.Enqueue(ctx, demands)
	booked.release(ctx, got)
	receipts := make([]Receipt, len(got))
	for i, r := range got {
		receipts[i] = Receipt{ID: r.ID, Joined: r.Joined, Repeated: r.Repeated}
	}
	return receipts, err
}

// Seal returns the task as a worker would receive it, and does not enqueue it. It is for tests of
// workers. It fails with ErrInvalid as Enqueue does.
func (c *Client) Seal(ctx context.Context, tenant string, args Args, opts ...Option) (Delivery, error) {
	d, err := c.demand(ctx, tenant, args, 0, opts)
	if err != nil {
		return Delivery{}, fmt.Errorf("seal: %w", err)
	}
	id := queue.ID{Lane: d.Lane, Digest: d.Digest, Generation: uint64(time.Now().UnixMicro())}
	payload, headers, err := d.Encode(id.String())
	if err != nil {
		return Delivery{}, fmt.Errorf("seal: %w", err)
	}
	return Delivery{ID: id.String(), Lane: d.Lane, Kind: d.Kind, Payload: payload, Headers: headers}, nil
}

// demand validates one task and prepares it for sealing.
func (c *Client) demand(ctx context.Context, owner string, a Args, index int, opts []Option) (queue.Demand, error) {
	if c.keys == nil {
		return queue.Demand{}, errNoKeys
	}
	t, err := tenant.Parse(owner)
	if err != nil {
		return queue.Demand{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if a == nil {
		return queue.Demand{}, fmt.Errorf("%w: no arguments", ErrInvalid)
	}
	o, err := optionsOf(a)
	if err != nil {
		return queue.Demand{}, err
	}
	s := settings{lane: o.Lane}
	for _, opt := range opts {
		if opt.apply == nil {
			continue
		}
		if err := opt.apply(&s); err != nil {
			return queue.Demand{}, err
		}
	}
	plain, unique, err := encode(a)
	if err != nil {
		return queue.Demand{}, err
	}
	sealer := c.keys.For(t.String())
	kind := a.Kind()
	d := queue.Demand{
		Lane: s.lane, Twin: twin(o.Lane, s.lane), Kind: kind, At: s.at, Timeout: o.Timeout + handlerGrace,
		Digest: string(sealer.Ref("task", kind+"\x00"+unique)),
	}
	if s.once != "" {
		d.Once = onceRef(sealer, s.once, index)
	}
	headers := map[string]string{
		headerTenant: t.String(), headerVersion: strconv.Itoa(versionOf(a)), headerKey: c.keys.ID(),
		headerEnqueuedAt: time.Now().UTC().Format(time.RFC3339Nano),
	}
	telemetry.Inject(ctx, headers)
	d.Encode = func(id string) ([]byte, map[string]string, error) {
		sealed, err := sealer.Seal(plain, t.String(), kind, id)
		return sealed, headers, err
	}
	return d, nil
}

// twin returns the lane in which an equal task may wait for which no person waits: the kind's own,
// if the demand goes to the interactive lane instead.
func twin(own, lane string) string {
	if own == lane {
		return ""
	}
	return own
}

func onceRef(s *phi.Sealer, key string, index int) string {
	if index > 0 {
		key += "\x00" + strconv.Itoa(index)
	}
	return string(s.Ref("once", key))
}
