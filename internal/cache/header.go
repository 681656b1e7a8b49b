package cache

import (
	"encoding/binary"
	"errors"
)

// MaxTags is the largest number of tags of one entry. An entry that depends on more uses tags of
// larger things.
const MaxTags = 32

// The header's layout. The scripts read the same bytes, counting from one.
const (
	headerFormat = 1
	headerFixed  = 49
	maxClock     = 1 << 53 // beyond it Lua's numbers are not exact
)

const (
	flagNegative = 1 << iota
	flagZstd
	flagsKnown = flagNegative | flagZstd
)

var errHeader = errors.New("cache: not an entry")

// header is the part of an entry that is stored in clear, so that scripts can classify it without a
// key:
//
//	format 1 | flags 1 | key id 2 | stamp 8 | epoch 8 | soft expiry 8 | load ms 4 | content hash 16 | k 1 | k × tag 8
//
// The sealed value that follows authenticates it together with the full key.
type header struct {
	flags byte
	keyID uint16
	stamp uint64
	epoch [8]byte
	soft  uint64
	cost  uint32
	hash  [16]byte
	tags  []Tag
}

func (h *header) size() int { return headerFixed + len(h.tags)*8 }

func (h *header) append(b []byte) []byte {
	b = append(b, headerFormat, h.flags)
	b = binary.BigEndian.AppendUint16(b, h.keyID)
	b = binary.BigEndian.AppendUint64(b, h.stamp)
	b = append(b, h.epoch[:]...)
	b = binary.BigEndian.AppendUint64(b, h.soft)
	b = binary.BigEndian.AppendUint32(b, h.cost)
	b = append(b, h.hash[:]...)
	b = append(b, byte(len(h.tags))) // at most MaxTags
	for i := range h.tags {
		b = append(b, h.tags[i][:]...)
	}
	return b
}

// parseHeader reads the header at the start of an entry; the sealed value begins at its size.
func parseHeader(b string) (header, error) {
	if len(b) < headerFixed || b[0] != headerFormat || b[1]&^byte(flagsKnown) != 0 {
		return header{}, errHeader
	}
	fixed := []byte(b[:headerFixed])
	h := header{
		flags: fixed[1],
		keyID: binary.BigEndian.Uint16(fixed[2:]),
		stamp: binary.BigEndian.Uint64(fixed[4:]),
		epoch: [8]byte(fixed[12:20]),
		soft:  binary.BigEndian.Uint64(fixed[20:]),
		cost:  binary.BigEndian.Uint32(fixed[28:]),
		hash:  [16]byte(fixed[32:48]),
	}
	k := int(fixed[48])
	if k > MaxTags || len(b) < headerFixed+k*8 || h.stamp >= maxClock || h.soft >= maxClock {
		return header{}, errHeader
	}
	h.tags = make([]Tag, k)
	for i := range h.tags {
		h.tags[i] = Tag([]byte(b[headerFixed+i*8:][:8]))
	}
	return h, nil
}
