package cache

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// MaxHard is the longest time an entry may live. Sweep removes versions once no entry can be older
// than this, so it is part of the wire format: all processes must agree on it.
const MaxHard = 7 * 24 * time.Hour

// maxFillAge is the greatest age of a stamp under which an entry may be stored, and so the longest
// a load may take.
const maxFillAge = 10 * time.Minute

const (
	defaultLease    = 20 * time.Second
	defaultNegative = 30 * time.Second
)

// Class holds the settings that entries of one kind share. Classes are created once, at start, and
// not changed afterwards; two classes of one Cache never share a name.
type Class struct {
	// Name appears in keys and metrics: a-z and '-', at most 40 bytes.
	Name string
	// Schema is the version of the value's encoding. Each schema has its own keys; all schemas
	// share the tags.
	Schema int
	// Soft is how long after its load began an entry counts as fresh. Zero means until Hard.
	Soft time.Duration
	// Hard is how long an entry is kept; required, at most MaxHard.
	Hard time.Duration
	// Negative is how long the absence of a thing is cached. Zero means 30 s.
	Negative time.Duration
	// Lease is how long one caller may load before another may start too; set it to twice what slow
	// loads take. Zero means 20 s. It only limits stampedes: a fill that arrives after its lease is
	// refused only if it raced a change.
	Lease time.Duration
}

func (c *Class) check() error {
	switch {
	case c == nil:
		return errors.New("cache: key without a class")
	case !isClassName(c.Name):
		return errors.New("cache: class name must be 1 to 40 of a-z and '-'")
	case c.Schema < 0:
		return fmt.Errorf("cache: class %s: schema is negative", c.Name)
	case c.Hard < time.Millisecond || c.Hard > MaxHard:
		return fmt.Errorf("cache: class %s: hard must be 1 ms to %v", c.Name, MaxHard)
	case c.Soft < 0 || c.Soft > c.Hard:
		return fmt.Errorf("cache: class %s: soft must be 0 to hard", c.Name)
	case c.Negative < 0 || c.Negative > c.Hard:
		return fmt.Errorf("cache: class %s: negative must be 0 to hard", c.Name)
	case c.Lease < 0 || c.Lease > maxFillAge:
		return fmt.Errorf("cache: class %s: lease must be 0 to %v", c.Name, maxFillAge)
	}
	return nil
}

func isClassName(s string) bool {
	for _, r := range []byte(s) {
		if (r < 'a' || r > 'z') && r != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

// soft is the time from the load until the entry is no longer fresh.
func (c *Class) soft(negative bool) time.Duration {
	switch {
	case negative:
		return c.hard(true)
	case c.Soft == 0:
		return c.Hard
	}
	return c.Soft
}

// hard is the time from the fill until the entry expires.
func (c *Class) hard(negative bool) time.Duration {
	switch {
	case !negative:
		return c.Hard
	case c.Negative == 0:
		return min(defaultNegative, c.Hard)
	}
	return c.Negative
}

func (c *Class) lease() time.Duration {
	if c.Lease == 0 {
		return defaultLease
	}
	return c.Lease
}

// Key names one entry. All fields are required.
type Key struct {
	Tenant tenant.ID
	Class  *Class
	// ID identifies the cached document, or the parameters of a view.
	ID phi.Ref
}

func (k Key) check() error {
	if _, err := tenant.Parse(string(k.Tenant)); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if k.ID == "" {
		return errors.New("cache: key without an id")
	}
	return k.Class.check()
}

func (k Key) entry() string { return k.redisKey("d") }

func (k Key) lease() string { return k.redisKey("l") }

func (k Key) redisKey(part string) string {
	return k.Tenant.Key("c1", part, k.Class.Name, strconv.Itoa(k.Class.Schema), "-", string(k.ID))
}

func metaKey(id tenant.ID) string { return id.Key("c1", "m") }

func lastSeenKey(id tenant.ID, name string) string { return id.Key("c1", "s", name) }

// Tag names something that entries depend on.
type Tag = events.Tag

// TagOf returns the tag of what a ref stands for: a document, or a collection such as the
// appointments of one provider's day. Two refs with the same tag (one pair in 2^64) cost an
// unnecessary miss.
func TagOf(ref phi.Ref) Tag {
	sum := sha256.Sum256([]byte(ref))
	return Tag(sum[:8])
}

// classes holds every class that has been used, by name.
type classes struct {
	mu sync.RWMutex
	m  map[string]*Class
}

// check returns an error for an invalid key, and for a second class of the same name. A name
// belongs to the first class that used it.
func (cs *classes) check(k Key) error {
	if err := k.check(); err != nil {
		return err
	}
	cs.mu.RLock()
	first := cs.m[k.Class.Name]
	cs.mu.RUnlock()
	if first == nil {
		first = cs.add(k.Class)
	}
	if first != k.Class && *first != *k.Class {
		return fmt.Errorf("cache: two classes named %s", k.Class.Name)
	}
	return nil
}

func (cs *classes) add(c *Class) *Class {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if first := cs.m[c.Name]; first != nil {
		return first
	}
	if cs.m == nil {
		cs.m = make(map[string]*Class)
	}
	cs.m[c.Name] = c
	return c
}
