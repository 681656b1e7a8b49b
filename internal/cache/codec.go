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

// MaxValue is the largest value in bytes that one entry may hold.
const MaxValue = 1 << 20

// compressFrom is the size from which values are compressed; below it the frame costs more than it saves.
const compressFrom = 1 << 10

// keyMemo is how long a tenant's data key is used before it is asked for again, and so how long after its deletion a
// running process can still open entries.
const keyTTL = 5 * time.Minute

var errBroken = errors.New("cache: entry does not open")

// vault turns values into entries and back.
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

func (v *codec) dataKey(ctx context.Context, id tenant.ID) (*phi.DataKey, error) {
	now := time.Now()
	v.mu.Lock()
	kept, ok := v.keys[id]
	v.mu.Unlock()
	if ok && now.Before(kept.until) {
		return kept.key, nil
	}
	key, err := v.key(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("get data key: %w", err)
	}
	v.mu.Lock()
	v.keys[id] = cachedKey{key: key, until: now.Add(keyTTL)}
	v.mu.Unlock()
	return key, nil
}

// contentHash is keyed and bound to the entry's name: it tells only that the same entry holds the same bytes again.
func (v *codec) contentHash(k Key, val Value) [16]byte {
	noun := "cached:"
	if val.Negative {
		noun = "cached-absence:"
	}
	sum, _ := v.sealer(string(k.Tenant)).Ref(noun+k.entry(), string(val.Bytes)).Bytes()
	return sum
}

// seal completes the header and returns the whole entry.
func (v *codec) seal(ctx context.Context, k Key, h *header, val Value) ([]byte, error) {
	key, err := v.dataKey(ctx, k.Tenant)
	if err != nil {
		return nil, err
	}
	h.keyID, h.hash = key.ID(), v.contentHash(k, val)
	plain := val.Bytes
	if val.Negative {
		h.flags |= flagNegative
		plain = nil
	}
	if len(plain) > compressFrom {
		if small := v.enc.EncodeAll(plain, nil); len(small) < len(plain) {
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

// open returns the value of an entry; errBroken when it is damaged, another key's or another tenant's.
func (v *codec) open(ctx context.Context, k Key, h *header, entry string) ([]byte, error) {
	key, err := v.dataKey(ctx, k.Tenant)
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
		if plain, err = v.dec.DecodeAll(plain, nil); err != nil {
			return nil, errBroken
		}
	}
	return plain, nil
}

// associated binds a sealed value to its full key and header. The length in front keeps the two apart.
func associated(k Key, head []byte) []byte {
	name := k.entry()
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(name)+len(head)), uint32(len(name))) // a key
	b = append(b, name...)
	return append(b, head...)
}
