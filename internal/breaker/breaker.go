package breaker

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	space     = "f1"               // of a tenant's keys, shared with budgets
	hostSpace = "f1h"              // of the host's keys
	keyLife   = 7 * 24 * time.Hour // of a breaker that is not used
	limit     = time.Second        // for one script
)

// Scopes that are no operation.
const (
	Host       = "host"       // of the vendor, for all tenants
	Credential = "credential" // of one tenant
)

// Name identifies a breaker. For the host the tenant is empty.
type Name struct {
	Tenant tenant.ID
	Scope  string // Host, Credential or the vendor's name of an operation
}

// String returns the scope, after the tenant if there is one: "clinic-a GetPatient".
func (n Name) String() string {
	if n.Tenant == "" {
		return n.Scope
	}
	return n.Tenant.String() + " " + n.Scope
}

// Concerns reports whether a tenant's calls of an operation need the breaker to be closed.
func (n Name) Concerns(id tenant.ID, operation string) bool {
	return n.Scope == Host || n.Tenant == id && (n.Scope == Credential || n.Scope == operation)
}

func (n Name) keys() []string {
	if n.Scope == Host {
		return []string{tenant.GlobalKey(hostSpace, "vendor", "b"), tenant.GlobalKey(hostSpace, "vendor", "b", "probe")}
	}
	return []string{n.Tenant.Key(space, "b", n.Scope), n.Tenant.Key(space, "b", n.Scope, "probe")}
}

// Shared is the part of a breaker's state that decides about calls, on this process's clock.
type Shared struct {
	Until  time.Time // zero when closed
	Since  time.Time // of the first opening in a row; zero when it was never open
	Closed time.Time // of the last closing by a probe; zero when unknown
	Opens  int64     // openings in a row
	Gen    int64     // the generation
	Reason string    // the code of the failure that opened it last
	Login  string    // the login that it is open for; "" for all
	Proven string    // the login that last worked; "" when none did
	Asked  time.Time // before the request to Redis; zero when it was never read
}

// IsOpen reports whether the breaker is open, or waits for its probe, for a login.
func (s Shared) IsOpen(login string) bool {
	return !s.Until.IsZero() && (login == "" || s.Login == "" || s.Login == login)
}

var (
	//go:embed lua/breaker.lua
	head string
	//go:embed lua/read.lua
	readSource string
	//go:embed lua/open.lua
	openSource string
	//go:embed lua/close.lua
	closeSource string
	//go:embed lua/probe.lua
	probeSource string
	//go:embed lua/force.lua
	forceSource string
	//go:embed lua/release.lua
	releaseSource string

	readScript    = redis.NewScript(head + readSource)
	openScript    = redis.NewScript(head + openSource)
	closeScript   = redis.NewScript(head + closeSource)
	probeScript   = redis.NewScript(head + probeSource)
	forceScript   = redis.NewScript(head + forceSource)
	releaseScript = redis.NewScript(releaseSource)
)

// Read returns the state.
func (n Name) Read(ctx context.Context, rdb redis.Scripter) (Shared, error) {
	return n.run(ctx, rdb, readScript)
}

// Opening says why a breaker opens, and for how long.
type Opening struct {
	First, Longest time.Duration // of the first opening in a row, and the longest
	// Forget is how long after a closing an opening counts as the first one again.
	Forget time.Duration
	// Later adds the jitter instead of spreading it in both directions; it is a fifth.
	Later    bool
	Reason   string // the code of the failure
	Evidence string // what opened it, in words, without names of anything but operations
	Login    string // the login that was refused; "" if the breaker is not about one
}

// Open publishes a conclusion from the generation gen.
func (n Name) Open(ctx context.Context, rdb redis.Scripter, gen int64, o Opening) (Shared, error) {
	jitter := 800 + rand.Int64N(401)
	if o.Later {
		jitter = 1000 + rand.Int64N(201)
	}
	return n.run(ctx, rdb, openScript, o.First.Microseconds(), o.Longest.Microseconds(), jitter,
		o.Forget.Microseconds(), o.Reason, o.Evidence, o.Login, gen, keyLife.Milliseconds())
}

// Close publishes that a probe of the generation gen succeeded, with a login if it proves one.
func (n Name) Close(ctx context.Context, rdb redis.Scripter, gen int64, login string) (Shared, error) {
	return n.run(ctx, rdb, closeScript, gen, login, keyLife.Milliseconds())
}

// Probe asks for the permission to send the fleet's one probe, or the first call of a login, which
// is valid for life. It returns the permission's token, or how long another probe may take at most;
// neither, if the breaker has changed since gen was read.
func (n Name) Probe(ctx context.Context, rdb redis.Scripter, gen int64, login string, life time.Duration) (token string, wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	token = uuid.NewString()
	v, err := probeScript.Run(ctx, rdb, n.keys(), token, life.Milliseconds(), gen, login).Int64Slice()
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("probe: %w", redisconn.Clean(err))
	case len(v) != 2:
		return "", 0, fmt.Errorf("probe: %d values", len(v))
	case v[0] == 1:
		return token, 0, nil
	case v[0] == 2:
		return "", 0, nil
	}
	return "", max(micros(v[1]), time.Microsecond), nil
}

// Return gives up the permission of a probe without an outcome. After an error the permission
// remains until it expires.
func (n Name) Return(ctx context.Context, rdb redis.Scripter, token string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := releaseScript.Run(ctx, rdb, n.keys()[1:], token).Err(); err != nil {
		return fmt.Errorf("return probe: %w", redisconn.Clean(err))
	}
	return nil
}

// run runs a script that returns the state.
func (n Name) run(ctx context.Context, rdb redis.Scripter, script *redis.Script, args ...any) (Shared, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	asked := time.Now()
	reply, err := script.Run(ctx, rdb, n.keys(), args...).Slice()
	if err != nil {
		return Shared{}, fmt.Errorf("breaker: %w", redisconn.Clean(err))
	}
	return parse(reply, asked)
}

func parse(reply []any, asked time.Time) (Shared, error) {
	if len(reply) != 9 {
		return Shared{}, fmt.Errorf("breaker: %d values", len(reply))
	}
	var n [6]int64
	for i := range n {
		v, ok := reply[i].(int64)
		if !ok {
			return Shared{}, fmt.Errorf("breaker: value %d is no number", i)
		}
		n[i] = v
	}
	text := func(i int) string { s, _ := reply[i].(string); return s }
	on := func(at int64) time.Time {
		if at <= 0 {
			return time.Time{}
		}
		return asked.Add(micros(at - n[0]))
	}
	return Shared{
		Until: on(n[1]), Since: on(n[2]), Opens: n[3], Closed: on(n[4]), Gen: n[5],
		Reason: text(6), Login: text(7), Proven: text(8), Asked: asked,
	}, nil
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
