package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// State is one breaker as an operator sees it: names and codes only.
type State struct {
	Scope     string    // host, credential, read_one, read_list, write or system
	Tenant    tenant.ID // empty for the host
	Condition Condition
	Until     time.Time // open: when a probe is due, on this process's clock; zero otherwise
	Opens     int       // openings in a row; not reset before the ramp ends
	Reason    string    // code of the failure that opened it last; empty if none did
}

// Concerns reports whether calls of the class need the breaker to be closed.
func (s State) Concerns(c tebra.Class) bool {
	return s.Scope == scope{kind: hostScope}.String() || s.Scope == scope{kind: credentialScope}.String() || s.Scope == c.String()
}

// Condition is which calls a breaker lets through.
type Condition string

// The conditions.
const (
	Closed  Condition = "closed"  // every call passes
	Open    Condition = "open"    // no call passes
	Probing Condition = "probing" // one call of the fleet may be sent
	Ramp    Condition = "ramp"    // closed recently: calls are slower than usual
)

// States reads the breakers that the fleet shares: the host's, and those of the given tenants that
// are not closed.
func (f *Flow) States(ctx context.Context, ids ...tenant.ID) ([]State, error) {
	scopes := []scope{{kind: hostScope}}
	for _, id := range ids {
		scopes = append(scopes, scope{kind: credentialScope, tenant: id})
		for c := tebra.ReadOne; c <= tebra.System; c++ {
			scopes = append(scopes, scope{kind: classScope, tenant: id, class: c})
		}
	}
	keys := make([]string, len(scopes))
	for i, s := range scopes {
		keys[i] = s.key()
	}
	asked := time.Now()
	snapshots, err := redisconn.ReadSnapshots(ctx, f.options.Redis, keys, "until", "opens", "closed", "reason")
	if err != nil {
		return nil, fmt.Errorf("read breakers: %w", redisconn.Clean(err))
	}
	var out []State
	for i, s := range scopes {
		hash := snapshots[i]
		fleet := fleetState{opens: hash.Int("opens"), reason: hash.Text("reason"), asked: asked}
		if hash.Int("until") > 0 {
			fleet.until = asked.Add(hash.Until("until"))
		}
		if hash.Int("closed") > 0 {
			fleet.closed = asked.Add(hash.Until("closed"))
		}
		if st := f.state(s, fleet); s.kind == hostScope || st.Condition != Closed {
			out = append(out, st)
		}
	}
	return out, nil
}

func (f *Flow) state(s scope, fleet fleetState) State {
	st := State{Scope: s.String(), Tenant: s.tenant, Condition: Closed, Opens: int(fleet.opens), Reason: fleet.reason}
	now := time.Now()
	switch {
	case fleet.until.After(now):
		st.Condition, st.Until = Open, fleet.until
	case !fleet.until.IsZero():
		st.Condition = Probing
	case !fleet.closed.IsZero() && now.Before(fleet.closed.Add(2*f.options.Breakers.Ramp)):
		st.Condition = Ramp
	}
	return st
}
