package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// A shadow is what is remembered of a record after its cached copy is gone: the hash by which "unchanged" is known, and
// the facts by which its collections are found. Shadows are sealed, and change only together with the tags that they
// explain (cache.Change).

type visitShadow struct {
	Hash     phi.Ref `json:"hash"`
	Practice string  `json:"practice"`
	Day      Date    `json:"day"`
}

type dayShadow struct {
	Visits []phi.Text `json:"visits"`
	// Doubt is the hash of a roster that was less than half as large as this one. It is believed when it comes again.
	Doubt phi.Ref `json:"doubt,omitzero"`
}

type recordShadow struct {
	Hash phi.Ref `json:"hash"`
}

// shadow is one remembered record: raw as it lies in Redis (nil: none), and opened.
type shadow[T any] struct {
	name  string
	raw   []byte
	facts T
	known bool
}

// keep is how long a record is remembered after its last change. What is looked at later than that counts as new, which
// costs one invalidation.
const keep = 30 * 24 * time.Hour

// next is the compare-and-set that replaces a shadow with facts, or removes it when facts is nil.
func (s shadow[T]) next(seal *phi.Sealer, facts *T) (cache.Shadow, error) {
	out := cache.Shadow{Name: s.name, Expect: s.raw, Keep: keep}
	if facts == nil {
		return out, nil
	}
	data, err := phi.Marshal(facts)
	if err != nil {
		return cache.Shadow{}, fmt.Errorf("encode shadow: %w", err)
	}
	out.Next, err = seal.Seal(data, "shadow", s.name)
	return out, err
}

// readShadows reads many at once. One that does not open counts as unknown, which makes its record look changed: that
// costs an invalidation and heals it.
func readShadows[T any](ctx context.Context, c *cache.Cache, seal *phi.Sealer, t tenant.ID, refs []phi.Ref) ([]shadow[T], error) {
	if len(refs) == 0 {
		return nil, nil
	}
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = string(r)
	}
	raw, err := c.Shadows(ctx, t, names...)
	if err != nil {
		return nil, fmt.Errorf("read shadows: %w", err)
	}
	out := make([]shadow[T], len(names))
	for i, name := range names {
		out[i] = shadow[T]{name: name, raw: raw[i]}
		if raw[i] == nil {
			continue
		}
		data, err := seal.Open(raw[i], "shadow", name)
		if err == nil {
			out[i].known = phi.Unmarshal(data, &out[i].facts) == nil
		}
	}
	return out, nil
}

func readShadow[T any](ctx context.Context, c *cache.Cache, seal *phi.Sealer, t tenant.ID, ref phi.Ref) (shadow[T], error) {
	all, err := readShadows[T](ctx, c, seal, t, []phi.Ref{ref})
	if err != nil {
		return shadow[T]{}, err
	}
	return all[0], nil
}
