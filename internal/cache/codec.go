package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// MaxValue is the largest value of an entry in bytes.
const MaxValue = 1 << 20

// compressFrom is the size above which values are compressed; below it the frame costs more than it
// saves.
const compressFrom = 1 << 10

// keyTTL is how long a tenant's data key is cached, and so how long a running process can open
// entries after the key is deleted.
const keyTTL = 5 * time.Minute

var errBroken = errors.New("cache: entry does not open")

// codec compresses and seals values into entries, and opens them.
type codec struct {
	key    func(context.Context, tenant.ID) (*phi.DataKey, error)
	sealer func(tenant string) *phi.Sealer
	enc    *zstd.Encoder
	dec    *zstd.Decoder

	mu   sync.Mutex
	keys map[tenant.ID]cachedKey
}

type cachedKey struct {
	key   *phi.DataKey
	until time.Time
}

func newCodec(o Options) (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxValue))
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	return &codec{key: o.Key, sealer: o.Sealer, enc: enc, dec: dec, keys: make(map[tenant.ID]cachedKey)}, nil
}

func (c *codec) dataKey(ctx context.Context, id tenant.ID) (*phi.DataKey, error) {
	now := time.Now()
	c.mu.Lock()
	cached, ok := c.keys[id]
	c.mu.Unlock()
	if ok && now.Before(cached.until) {
		return cached.key, nil
	}
	key, err := c.key(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("get data key: %w", err)
	}
	c.mu.Lock()
	c.keys[id] = cachedKey{key: key, until: now.Add(keyTTL)}
	c.mu.Unlock()
	return key, nil
}

// contentHash is keyed and bound to the entry's key: it only shows that one entry holds the same
// bytes again.
func (c *codec) contentHash(k Key, val Value) [16]byte {
	noun := "cached:"
	if val.Negative {
		noun = "cached-absence:"
	}
	sum, _ := c.sealer(string(k.Tenant)).Ref(noun+k.entry(), string(val.Bytes)).Bytes()
	return sum
}

// seal completes the header and returns the whole entry.
func (c *codec) seal(ctx context.Context, k Key, h *header, val Value) ([]byte, error) {
	key, err := c.dataKey(ctx, k.Tenant)
	if err != nil {
		return nil, err
	}
	h.keyID, h.hash = key.ID(), c.contentHash(k, val)
	plain := val.Bytes
	if val.Negative {
		h.flags |= flagNegative
		plain = nil
	}
	if len(plain) > compressFrom {
		if small := c.enc.EncodeAll(plain, nil); len(small) < len(plain) {
			h.flags |= flagZstd
			plain = small
		}
	}
	out := h.append(make([]byte, 0, h.size()+len(plain)+32))
	sealed, err := key.Seal(plain, associated(k, out))
	if err != nil {
		return nil, fmt.Errorf("seal entry: %w", err)
	}
	return append(out, sealed...), nil
}

// open returns the value of an entry, or errBroken if it is damaged or belongs to another key or
// tenant.
func (c *codec) open(ctx context.Context, k Key, h *header, entry string) ([]byte, error) {
	key, err := c.dataKey(ctx, k.Tenant)
	if err != nil {
		return nil, err
	}
	if h.keyID != key.ID() {
		return nil, errBroken
	}
	n := h.size()
	plain, err := key.Open([]byte(entry[n:]), associated(k, []byte(entry[:n])))
	if err != nil {
		return nil, errBroken
	}
	if h.flags&flagZstd != 0 {
		if plain, err = c.dec.DecodeAll(plain, nil); err != nil {
			return nil, errBroken
		}
	}
	return plain, nil
}

// associated returns the data that binds a sealed value to its full key and header. The length
// prefix separates the two.
func associated(k Key, head []byte) []byte {
	name := k.entry()
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(name)+len(head)), uint32(len(name))) // a key
	b = append(b, name...)
	return append(b, head...)
}
