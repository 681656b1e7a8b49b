package phi

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// maxKeyset bounds a keyset file; one key takes about 300 bytes.
const maxKeyset = 64 << 10

// maxSealers bounds the derived keys kept in memory. Beyond it they are derived again, which takes
// microseconds.
const maxSealers = 10_000

// ErrKeyset is returned by Parse for anything that is not a usable keyset. It contains nothing of
// the file.
var ErrKeyset = errors.New("phi: not a Tink keyset of PRF keys in JSON form")

// Keys holds the keyset from which all keys of all tenants are derived. It is safe for concurrent
// use. The zero value is not usable; there is no default keyset.
type Keys struct {
	handle *keyset.Handle
	set    *prf.Set
	first  uint32 // the key of refs

	mu      sync.Mutex
	sealers map[string]*Sealer
}

// Generate makes a new keyset with one key, for demos, tests and the first setup of a deployment.
func Generate() (*Keys, error) {
	h, err := keyset.NewHandle(prf.HKDFSHA256PRFKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("phi: generate keyset: %w", err)
	}
	return newKeys(h)
}

// Parse reads a cleartext Tink keyset in JSON form (type HkdfPrfKey), as JSON or Tink's own tools
// write it. Protect its file like a password file.
func Parse(data []byte) (*Keys, error) {
	if len(data) == 0 || len(data) > maxKeyset {
		return nil, ErrKeyset
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(data)))
	if err != nil {
		return nil, ErrKeyset // the cause may quote the file
	}
	return newKeys(h)
}

func newKeys(h *keyset.Handle) (*Keys, error) {
	set, err := prf.NewPRFSet(h)
	if err != nil {
		return nil, ErrKeyset
	}
	first, err := h.Entry(0)
	if err != nil {
		return nil, ErrKeyset
	}
	if _, ok := set.PRFs[first.KeyID()]; !ok {
		return nil, fmt.Errorf("%w: its first key must stay enabled, refs are derived from it", ErrKeyset)
	}
	return &Keys{handle: h, set: set, first: first.KeyID(), sealers: map[string]*Sealer{}}, nil
}

// JSON returns the keyset in the form that Parse reads. The bytes are secret.
func (k *Keys) JSON() ([]byte, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.handle, keyset.NewJSONWriter(&b)); err != nil {
		return nil, fmt.Errorf("phi: write keyset: %w", err)
	}
	return b.Bytes(), nil
}

// ID returns the id of the primary key, which Seal uses. It is not secret.
func (k *Keys) ID() string { return strconv.FormatUint(uint64(k.set.PrimaryID), 10) }

// Has reports whether the key with this ID is in the set and enabled.
func (k *Keys) Has(id string) bool {
	n, err := strconv.ParseUint(id, 10, 32)
	_, ok := k.set.PRFs[uint32(n)]
	return err == nil && ok
}

// For returns the sealer of one tenant. It is cheap after the first call for that tenant.
func (k *Keys) For(tenant string) *Sealer {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, ok := k.sealers[tenant]; ok {
		return s
	}
	if len(k.sealers) >= maxSealers {
		clear(k.sealers)
	}
	s := newSealer(k, tenant)
	k.sealers[tenant] = s
	return s
}

// derive returns 32 bytes for one purpose and tenant. Both PRF and length are fixed, so it can fail
// only if Tink's invariants are broken.
func (k *Keys) derive(id uint32, purpose, tenant string) []byte {
	out, err := k.set.PRFs[id].ComputePRF(frame([]string{purpose, tenant}), 32)
	if err != nil {
		panic("phi: derive: the PRF rejected a length of 32 bytes")
	}
	return out
}
