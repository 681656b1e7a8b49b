package cache

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// rejectPrefix is how many bytes identify an entry that does not open: header and nonce, which are unique.
const rejectPrefix = headerFixed + MaxTags*8 + 12

// Grant is the right to store what is loaded from now on. Its stamp is drawn from the tenant's clock before the load
// begins, so that Fill detects any later invalidation. The zero value grants nothing.
type Grant struct {
	// Stamp and Epoch go into the entry.
	Stamp uint64
	Epoch [8]byte
	// Token identifies the caller's lease; empty for a grant of Invalidate or Begin, which have none.
	Token string
	// Held reports that there is no grant, because another caller holds the lease for at most Wait.
	Held bool
	// Failed reports, together with Held, that no load is in progress: the last one failed, and Wait is the pause after it.
	Failed bool
	Wait   time.Duration
}

// usable reports whether a fill may use the grant.
func (g Grant) usable() bool { return !g.Held && g.Stamp > 0 }

// Read returns the entry of a key and, unless it is Fresh, a grant to load it, which is Held if another caller loads. With
// wantStale it also returns the value of a Stale or Suspect entry and keeps the entry; without, it deletes a Stale one.
//
// A caller that receives a grant must load the value and call Fill, or call Release if the load fails; otherwise other
// callers wait until the lease expires.
func (c *Cache) Read(ctx context.Context, k Key, wantStale bool) (Entry, Grant, error) {
	return c.read(ctx, k, wantStale, func(Entry) bool { return true })
}

// read is Read that deletes an entry that accept refuses, and treats it as one that does not open.
func (c *Cache) read(ctx context.Context, k Key, wantStale bool, accept func(Entry) bool) (Entry, Grant, error) {
	if err := c.classes.check(k); err != nil {
		return Entry{}, Grant{}, err
	}
	reject := ""
	for {
		raw, state, g, now, err := c.readOnce(ctx, k, wantStale, reject)
		if err != nil {
			return Entry{}, Grant{}, err
		}
		if raw == "" {
			return Entry{State: state}, g, nil
		}
		e, err := c.decode(ctx, k, raw, state, now)
		if err != nil {
			return Entry{}, Grant{}, fmt.Errorf("open cache entry: %w", err)
		}
		if e.present && accept(e) {
			c.hints.learn(k.entry(), nil, e.Tags)
			return e, g, nil
		}
		reject = raw[:min(len(raw), rejectPrefix)]
	}
}

func (c *Cache) readOnce(ctx context.Context, k Key, wantStale bool, reject string) (raw string, state State, g Grant, now uint64, err error) {
	token := random(16)
	want := "0"
	if wantStale {
		want = "1"
	}
	args := []any{token, k.Class.lease().Milliseconds(), c.runID(), random(8), want, reject}
	for t := range c.hints.of([]string{k.entry()}) {
		args = append(args, string(t[:]))
	}
	keys := []string{k.entry(), metaKey(k.Tenant), k.lease()}
	out, err := readScript.Run(ctx, c.rdb, keys, args...).Slice()
	if err != nil {
		return "", 0, Grant{}, 0, fmt.Errorf("read cache: %w", err)
	}
	if len(out) != 7 {
		return "", 0, Grant{}, 0, errReply
	}
	n, _ := out[0].(int64)
	held, _ := out[1].(int64)
	raw, _ = out[2].(string)
	stamp, _ := out[3].(string)
	epoch, _ := out[4].(string)
	wait, _ := out[5].(int64)
	at, _ := out[6].(string)
	if now, err = strconv.ParseUint(at, 10, 64); err != nil || n < 0 || n > int64(Suspect) {
		return "", 0, Grant{}, 0, errReply
	}
	state = State(n) // checked
	switch {
	case held != 0:
		g = Grant{Held: true, Failed: held == 2, Wait: time.Duration(wait) * time.Millisecond}
	case state != Fresh:
		if g, err = parseGrant(stamp, epoch, token); err != nil {
			return "", 0, Grant{}, 0, err
		}
	}
	return raw, state, g, now, nil
}

func parseGrant(stamp, epoch, token string) (Grant, error) {
	n, err := strconv.ParseUint(stamp, 10, 64)
	if err != nil || n == 0 || n >= maxClock || len(epoch) != 8 {
		return Grant{}, errReply
	}
	return Grant{Stamp: n, Epoch: [8]byte([]byte(epoch)), Token: token}, nil
}

// Release ends the lease of a grant of Read after a load without a value. During the pause callers get Held and Failed
// instead of a grant, so that a source that just failed is not asked again at once. Release does nothing for a grant
// without a lease, or if another caller holds the lease now.
func (c *Cache) Release(ctx context.Context, k Key, g Grant, pause time.Duration) error {
	if err := k.check(); err != nil {
		return err
	}
	if g.Token == "" {
		return nil
	}
	err := releaseScript.Run(ctx, c.rdb, []string{k.lease()}, g.Token, max(pause, 0).Milliseconds()).Err()
	if err != nil {
		return fmt.Errorf("release cache lease: %w", err)
	}
	return nil
}

// LastSeen returns the last-seen records of the named things, in their order; nil for one without a record.
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
		return nil, fmt.Errorf("read last-seen records: %w", err)
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
