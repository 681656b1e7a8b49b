// Package peer runs workers of plain asynq that read patients from the simulator, as a peer of the
// project's workers.
package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/workflow-bolt/rounds/integrations/tebra"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// The peers' ways of keeping the vendor's limit.
const (
	Backoff = "backoff" // call at once, and retry refused calls ever later
	Bucket  = "bucket"  // take a token from a bucket in Redis first, and come back later without one
)

// Configs describe the ways.
var Configs = map[string]string{
	Backoff: "calls at once; a refused call is retried after an exponential back-off with full jitter, 1 s to 1 min",
	Bucket: "a bucket of one token in Redis for each account, filled after the documented interval and a twentieth; " +
		"without a token the task comes back within 10 s, as asynq's documents recommend",
}

// Slots is how many tasks one peer's process works on, as many as a worker.
const Slots = 20

// settings are those of a peer's process.
type settings struct {
	Mode     string            `json:"mode"`
	Redis    string            `json:"redis"` // host:port
	Endpoint string            `json:"endpoint"`
	Accounts []process.Account `json:"accounts"`
}

// Role is a worker of plain asynq. Its result is the number of its pick-ups.
var Role = process.Role{Name: "peer", Run: func(ctx context.Context, raw []byte, report func(any) error) error {
	var p settings
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	return p.run(ctx, report)
}}

const kind = "patient"

type task struct{ Tenant, Patient string }

// errNoToken sends a task back without counting an attempt.
var errNoToken = errors.New("no token")

func (p settings) run(ctx context.Context, report func(any) error) error {
	rdb := redis.NewClient(&redis.Options{Addr: p.Redis, DisableIdentity: true})
	defer func() { _ = rdb.Close() }()
	clients := map[string]*tebra.Client{}
	for _, a := range p.Accounts {
		c, err := tebra.New(tebra.Options{
			Endpoint: p.Endpoint, Insecure: true, Account: a.Tenant, Credentials: a.Credentials(),
			HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: Slots}},
		})
		if err != nil {
			return err
		}
		clients[a.Tenant] = c
	}
	srv := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency: Slots, LogLevel: asynq.ErrorLevel,
		TaskCheckInterval: 100 * time.Millisecond, DelayedTaskCheckInterval: time.Second, // as our workers
		RetryDelayFunc: retryDelay,
		IsFailure:      func(err error) bool { return !errors.Is(err, errNoToken) },
	})
	var picked atomic.Int64
	err := srv.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		picked.Add(1)
		var read task
		if err := json.Unmarshal(t.Payload(), &read); err != nil {
			return fmt.Errorf("%w: %w", asynq.SkipRetry, err)
		}
		if p.Mode == Bucket {
			if err := takeToken(ctx, rdb, read.Tenant, p.interval()); err != nil {
				return err
			}
		}
		_, err := clients[read.Tenant].Patients.Get(ctx, read.Patient)
		return err
	}))
	if err != nil {
		return err
	}
	if err := report("ready"); err != nil {
		return err
	}
	<-ctx.Done()
	srv.Shutdown()
	return report(picked.Load())
}

// interval is what the peer has from the vendor's documents: all accounts have the same.
func (p settings) interval() time.Duration { return p.Accounts[0].Interval }

// retryDelay is exponential with full jitter for a failure, from a second to a minute. Without a
// token it is what asynq's documents recommend for rate limits: a random number of seconds up to
// ten.
func retryDelay(failures int, err error, _ *asynq.Task) time.Duration {
	longest := min(time.Minute, time.Second<<min(failures, 10))
	if errors.Is(err, errNoToken) {
		longest = 10 * time.Second
	}
	return time.Duration(rand.Int64N(int64(longest)) + 1)
}

// tokenScript takes the only token of a bucket that a new token fills after one interval and a
// twentieth of it.
var tokenScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local full = tonumber(redis.call('GET', KEYS[1]) or '0')
if now < full then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', now + ARGV[1]), 'PX', 60000)
return 1`)

func takeToken(ctx context.Context, rdb *redis.Client, tenant string, interval time.Duration) error {
	taken, err := tokenScript.Run(ctx, rdb, []string{"bucket:" + tenant}, (interval + interval/20).Microseconds()).Bool()
	if err == nil && !taken {
		err = errNoToken
	}
	return err
}

// Version returns the version of asynq that this program was built with.
func Version() string {
	info, _ := debug.ReadBuildInfo()
	for _, d := range info.Deps {
		if d.Path == "github.com/hibiken/asynq" {
			return d.Version
		}
	}
	return ""
}
