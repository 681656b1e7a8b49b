package phi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// ErrOpen is returned when sealed bytes do not open: they belong to another tenant or other
// associated data, or were tampered with or truncated. The cause cannot be determined.
var ErrOpen = errors.New("phi: sealed bytes do not open")

// ErrUnknownKey is the ErrOpen of bytes that name a key outside of the set. A process with another
// keyset may open them, unless the name itself was tampered with.
var ErrUnknownKey error = unknownKey{}

type unknownKey struct{}

func (unknownKey) Error() string     { return "phi: the key of sealed bytes is not in the keyset" }
func (unknownKey) ErrorCode() string { return "unknown_key" }
func (unknownKey) Unwrap() error     { return ErrOpen }

// format is the first byte of all sealed bytes, followed by the id of the key.
const (
	format     = 1
	lastFormat = 7 // of later releases
	headerSize = 5
)

// Sealer seals, opens and makes refs for one tenant. It is safe for concurrent use.
type Sealer struct {
	primary uint32
	aeads   map[uint32]*subtle.AESGCM
	refKey  []byte
}

func newSealer(k *Keys, tenant string) *Sealer {
	s := &Sealer{
		primary: k.set.PrimaryID,
		aeads:   make(map[uint32]*subtle.AESGCM, len(k.set.PRFs)),
		refKey:  k.derive(k.first, "rounds/1/ref", tenant),
	}
	for id := range k.set.PRFs {
		a, err := subtle.NewAESGCM(k.derive(id, "rounds/1/seal", tenant))
		if err != nil {
			panic("phi: AES-256-GCM rejected a key of 32 bytes")
		}
		s.aeads[id] = a
	}
	return s
}

// Seal encrypts plain and binds it to the associated data, whose parts are framed so that
// ("a","bc") and ("ab","c") are different. The result starts with the id of the key and is 33 bytes
// longer than plain.
func (s *Sealer) Seal(plain []byte, ad ...string) ([]byte, error) {
	box, err := s.aeads[s.primary].Encrypt(plain, frame(ad))
	if err != nil {
		return nil, errors.New("phi: seal: plaintext too large")
	}
	out := make([]byte, 0, headerSize+len(box))
	out = append(out, format)
	out = binary.BigEndian.AppendUint32(out, s.primary)
	return append(out, box...), nil
}

// IsSealed reports whether b has the form of sealed bytes: of this format, or of another one in the
// first bytes that no text begins with.
func IsSealed(b []byte) bool {
	return len(b) >= headerSize+subtle.AESGCMIVSize+subtle.AESGCMTagSize && b[0] >= format && b[0] <= lastFormat
}

// Open returns the plaintext that Seal encrypted, or ErrOpen, which may be ErrUnknownKey.
func (s *Sealer) Open(sealed []byte, ad ...string) ([]byte, error) {
	if len(sealed) < headerSize || sealed[0] != format {
		return nil, ErrOpen
	}
	a, ok := s.aeads[binary.BigEndian.Uint32(sealed[1:])]
	if !ok {
		return nil, ErrUnknownKey
	}
	plain, err := a.Decrypt(sealed[headerSize:], frame(ad))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Ref is a keyed digest of an identifier: 26 characters of lower-case base32 (128 bits). The same
// identifier of the same tenant and noun always has the same Ref. Without the keyset it reveals
// nothing, even if every possible identifier is tried.
type Ref string

// refSize is the length of a digest in bytes before encoding.
const refSize = 16

var refEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Ref returns the reference of an identifier. The noun ("patient", "appointment", "content")
// separates equal identifiers of different things.
func (s *Sealer) Ref(noun, id string) Ref {
	m := hmac.New(sha256.New, s.refKey)
	m.Write(frame([]string{noun, id}))
	return Ref(refEncoding.EncodeToString(m.Sum(nil)[:refSize]))
}

// Bytes returns the 16 bytes of the digest, and false if r is not a Ref.
func (r Ref) Bytes() ([refSize]byte, bool) {
	var out [refSize]byte
	raw, err := refEncoding.DecodeString(string(r))
	if err != nil || len(raw) != refSize {
		return out, false
	}
	return [refSize]byte(raw), true
}

// frame joins parts injectively: each is preceded by its length.
func frame(parts []string) []byte {
	n := 0
	for _, p := range parts {
		n += 4 + len(p)
	}
	out := make([]byte, 0, n)
	for _, p := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
		out = append(out, p...)
	}
	return out
}
