package cache

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// rejectPrefix is how many bytes identify an entry that does not open: header and nonce, which are
// unique.
const rejectPrefix = headerFixed + MaxTags*8 + 12

// Grant is the right to store what is loaded from now on. Its stamp is drawn from the tenant's
// clock before the load begins, so that the fill detects any later invalidation. The zero value
// grants nothing.
type Grant struct {
	// Stamp and Epoch go into the entry.
	Stamp uint64
	Epoch [8]byte

	token string        // of the caller's lease; empty for a grant of Invalidate or Begin
	held  bool          // no grant: another caller holds the lease for at most wait
	wait  time.Duration // see held
}

// usable reports whether a fill may use the grant.
func (g Grant) usable() bool { return !g.held && g.Stamp > 0 }

// read returns the entry of a key and, unless it is Fresh, a grant to load it, which is held if
// another caller loads. It returns the values of Fresh and Soft entries only. It deletes an entry
// that is Stale, and one that does not open or that accept refuses, which counts as a Miss.
//
// A caller that receives a grant must load the value and store it, or call release if the load
// fails; otherwise other callers wait until the lease expires.
func (c *Cache) read(ctx context.Context, k Key, accept func(Entry) bool) (Entry, Grant, error) {
	reject := ""
	for {
		r, err := c.runRead(ctx, k, reject)
		if err != nil {
			return Entry{}, Grant{}, err
		}
		if r.raw == "" {
			return Entry{State: r.state}, r.grant, nil
		}
		e, _, err := c.decode(ctx, k, r.raw, r.state, r.now)
		if err != nil {
			return Entry{}, Grant{}, err
		}
		if e.present && accept(e) {
			c.hints.learn(k.entry(), nil, e.Tags)
			return e, r.grant, nil
		}
		reject = r.raw[:min(len(r.raw), rejectPrefix)]
	}
}

// reading is the reply of the read script.
type reading struct {
	raw   string // the entry; empty if there is none to return
	state State
	grant Grant
	now   uint64
}

func (c *Cache) runRead(ctx context.Context, k Key, reject string) (reading, error) {
	token := random(16)
	args := []any{token, k.Class.lease().Milliseconds(), random(8), reject}
	for t := range c.hints.of([]string{k.entry()}) {
		args = append(args, string(t[:]))
	}
	keys := []string{k.entry(), metaKey(k.Tenant), k.lease()}
	out, err := readScript.Run(ctx, c.rdb, keys, args...).Slice()
	if err != nil {
		return reading{}, failed("read cache", err)
	}
	return parseReading(out, token)
}

func parseReading(out []any, token string) (reading, error) {
	if len(out) != 7 {
		return reading{}, errReply
	}
	n, _ := out[0].(int64)
	held, _ := out[1].(int64)
	raw, _ := out[2].(string)
	stamp, _ := out[3].(string)
	epoch, _ := out[4].(string)
	wait, _ := out[5].(int64)
	at, _ := out[6].(string)
	now, err := strconv.ParseUint(at, 10, 64)
	if err != nil || n < 0 || n > int64(Suspect) {
		return reading{}, errReply
	}
	r := reading{raw: raw, state: State(n), now: now} // checked
	switch {
	case held != 0:
		r.grant = Grant{held: true, wait: time.Duration(wait) * time.Millisecond}
	case r.state != Fresh:
		r.grant, err = parseGrant(stamp, epoch, token)
	}
	return r, err
}

func parseGrant(stamp, epoch, token string) (Grant, error) {
	n, err := strconv.ParseUint(stamp, 10, 64)
	if err != nil || n == 0 || n >= maxClock || len(epoch) != 8 {
		return Grant{}, errReply
	}
	return Grant{Stamp: n, Epoch: [8]byte([]byte(epoch)), token: token}, nil
}

// release ends the lease of a grant of read after a load without a value. It does nothing for a
// grant without a lease, or if another caller holds the lease now.
func (c *Cache) release(ctx context.Context, k Key, g Grant) error {
	if g.token == "" {
		return nil
	}
	err := releaseScript.Run(ctx, c.rdb, []string{k.lease()}, g.token).Err()
	if err != nil {
		return failed("release cache lease", err)
	}
	return nil
}

// LastSeen returns the last-seen records of the named things, in their order; nil for one without a
// record.
func (c *Cache) LastSeen(ctx context.Context, id tenant.ID, names ...string) ([][]byte, error) {
	if len(names) == 0 {
		return nil, nil
	}
	if _, err := tenant.Parse(string(id)); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	keys := make([]string, len(names))
	for i, n := range names {
		keys[i] = lastSeenKey(id, n)
	}
	vals, err := c.rdb.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, failed("read last-seen records", err)
	}
	if len(vals) != len(names) {
		return nil, errReply
	}
	out := make([][]byte, len(names))
	for i, v := range vals {
		if s, ok := v.(string); ok {
			out[i] = []byte(s)
		}
	}
	return out, nil
}
