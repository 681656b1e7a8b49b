package tasks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Errors that callers tell apart, beside ErrInvalid.
var (
	// ErrUnavailable: Redis did not answer. The task may have been accepted;
	// asking again is safe.
	ErrUnavailable = redisconn.ErrUnavailable
	// ErrReused: the idempotency key was used for another task.
	ErrReused = queue.ErrReused
	// ErrID: the string is not a task's ID.
	ErrID = queue.ErrID
)

var errNoRedis = errors.New("tasks client has no Redis")

// ClientOptions says where tasks go.
type ClientOptions struct {
	// Redis is the queue's, and stays the caller's. Without it only Seal
	// works. Set MaxRetries to -1 on it: the client repeats by itself, and
	// knows when it may.
	Redis redis.UniversalClient
	// Keys is the Tink keyset (JSON, a PRF keyset) that workers have too.
	// Required.
	Keys []byte
}

// Client enqueues tasks and answers how they are. It is safe for concurrent
// use.
type Client struct {
	rdb      redis.UniversalClient
	keys     *phi.Keys
	producer *queue.Producer
	runs     *queue.Runs
}

// NewClient returns a Client. It does not talk to Redis.
func NewClient(o ClientOptions) (*Client, error) {
	keys, err := phi.Parse(o.Keys)
	if err != nil {
		return nil, fmt.Errorf("new tasks client: %w", err)
	}
	return &Client{rdb: o.Redis, keys: keys, producer: queue.NewProducer(o.Redis), runs: queue.NewRuns(o.Redis)}, nil
}

// Receipt says which task does, or did, what was asked for.
type Receipt struct {
	// ID is the task's ID, for Status. It tells nothing about the arguments.
	ID string
	// Joined: an equal task waited already.
	Joined bool
	// Repeated: the idempotency key had been used; ID is the first call's.
	Repeated bool
}

// Enqueue asks for one task of a tenant. Give ctx a deadline: without Redis it
// takes some two seconds to say so. It fails with ErrInvalid before anything is
// sent; later with ErrUnavailable, ErrReused, the first word of what Redis
// answered ("redis refused: OOM"), or the context's error.
func (c *Client) Enqueue(ctx context.Context, tenant string, args Args, opts ...Option) (Receipt, error) {
	receipts, err := c.EnqueueMany(ctx, tenant, []Args{args}, opts...)
	if err != nil {
		return Receipt{}, err
	}
	return receipts[0], nil
}

// EnqueueMany asks for many tasks in few round trips. One that is invalid
// refuses all, before anything is sent. On another error the receipts that have
// an ID were accepted. The options apply to each.
func (c *Client) EnqueueMany(ctx context.Context, tenant string, args []Args, opts ...Option) (_ []Receipt, err error) {
	if c.rdb == nil {
		return nil, errNoRedis
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
	got, err := c.producer.Enqueue(ctx, demands)
	receipts := make([]Receipt, len(got))
	for i, r := range got {
		receipts[i] = Receipt(r)
	}
	return receipts, err
}

// Seal returns a task as a worker would receive it, without enqueueing it: for
// tests of workers.
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

// demand checks everything about one task and makes it ready to be sealed.
func (c *Client) demand(ctx context.Context, owner string, a Args, index int, opts []Option) (queue.Demand, error) {
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
		Lane: s.lane, Kind: kind, At: s.at, Timeout: o.Timeout + handlerGrace,
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

func onceRef(s *phi.Sealer, key string, index int) string {
	if index > 0 {
		key += "\x00" + strconv.Itoa(index)
	}
	return string(s.Ref("once", key))
}
