package phi

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
)

// DataKey is a random AES-256-GCM key for the cached values of one tenant. It is safe for
// concurrent use. The zero value is not usable.
type DataKey struct {
	aead cipher.AEAD
	raw  [32]byte
	id   uint16
}

// NewDataKey makes a new random key.
func NewDataKey() (*DataKey, error) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand)
	return newDataKey(raw), nil
}

func newDataKey(raw [32]byte) *DataKey {
	block, err := aes.NewCipher(raw[:])
	if err != nil {
		panic("phi: AES-256 rejected a key of 32 bytes")
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("phi: GCM rejected AES-256")
	}
	sum := sha256.Sum256(raw[:])
	return &DataKey{aead: aead, raw: raw, id: binary.BigEndian.Uint16(sum[:])}
}

// ID distinguishes the keys of one tenant after a rotation. It is derived from the key and not
// secret.
func (d *DataKey) ID() uint16 { return d.id }

// Seal encrypts plain bound to ad; the result is 28 bytes longer. It never fails for values below
// 64 GiB.
func (d *DataKey) Seal(plain, ad []byte) ([]byte, error) {
	return d.aead.Seal(make([]byte, 0, len(plain)+d.aead.Overhead()), nil, plain, ad), nil //nolint:gosec // no nonce: the AEAD draws its own
}

// Open returns the plaintext that Seal encrypted, or ErrOpen.
func (d *DataKey) Open(sealed, ad []byte) ([]byte, error) {
	if len(sealed) < d.aead.Overhead() {
		return nil, ErrOpen
	}
	plain, err := d.aead.Open(make([]byte, 0, len(sealed)), nil, sealed, ad)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Wrap seals a data key for storage.
func (s *Sealer) Wrap(d *DataKey) ([]byte, error) { return s.Seal(d.raw[:], "data-key") }

// Unwrap opens a data key that Wrap sealed for the same tenant; otherwise its
// error is that of Open.
func (s *Sealer) Unwrap(wrapped []byte) (*DataKey, error) {
	raw, err := s.Open(wrapped, "data-key")
	switch {
	case err != nil:
		return nil, err
	case len(raw) != len(DataKey{}.raw):
		return nil, ErrOpen
	}
	return newDataKey([32]byte(raw)), nil
}
