package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Digest is the SHA-256 of an API key.
type Digest [sha256.Size]byte

// DigestOf returns the digest of the key that a caller presents.
func DigestOf(key string) Digest { return sha256.Sum256([]byte(key)) }

// Key is one caller of the API. Only its owner has the key itself.
type Key struct {
	Name   string    // names the caller in logs and limits; unique in the file
	Tenant tenant.ID // the one tenant whose data the caller can reach
	Digest Digest
}

// Matches reports whether d is this key's digest, in constant time.
func (k Key) Matches(d Digest) bool { return subtle.ConstantTimeCompare(k.Digest[:], d[:]) == 1 }

// NewKey generates a key for a caller. It returns the key beside its entry; nothing else keeps it.
// The error says which of name and tenant is invalid.
func NewKey(name, tenantID string) (Key, secret.Value, error) {
	id, err := tenant.Parse(tenantID)
	if err != nil || !validName(name) {
		return Key{}, "", errors.New("name and tenant are 1 to 40 of a-z, 0-9 and '-', a letter or digit first")
	}
	key := "rounds_" + rand.Text() // the prefix shows a finder what the key is for
	return Key{Name: name, Tenant: id, Digest: DigestOf(key)}, secret.Value(key), nil
}

// Line returns the key's line for the file.
func (k Key) Line() string {
	return k.Name + " " + k.Tenant.String() + " " + hex.EncodeToString(k.Digest[:])
}

// maxKeys bounds the key file.
const maxKeys = 1000

// ParseKeys parses a key file. It returns either the keys, at least one, or the faults.
func ParseKeys(text string) ([]Key, []Fault) {
	var keys []Key
	var faults []Fault
	names, digests := map[string]bool{}, map[Digest]bool{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, wrong, fix := parseKey(line)
		switch {
		case wrong != "":
		case names[k.Name]:
			wrong, fix = "has the name of an earlier one", "give each key a name of its own"
		case digests[k.Digest]:
			wrong, fix = "has the key of an earlier one", "give each caller a key of its own"
		}
		if wrong != "" {
			faults = append(faults, Fault{fmt.Sprintf("line %d %s", number, wrong), fix})
			if len(faults) == maxFaults {
				break
			}
			continue
		}
		names[k.Name], digests[k.Digest] = true, true
		keys = append(keys, k)
	}
	switch {
	case len(keys) > maxKeys:
		faults = append(faults, Fault{fmt.Sprintf("lists more than %d keys", maxKeys), "remove keys that are not used"})
	case len(keys) == 0 && len(faults) == 0:
		faults = append(faults, Fault{"lists no key", `add a line that "rounds apikey new" prints`})
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return keys, nil
}

func parseKey(line string) (k Key, wrong, fix string) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return k, "is not a name, a tenant and a hash", `write it like "front-desk clinic-a SHA256-OF-KEY"`
	}
	id, err := tenant.Parse(fields[1])
	digest, notHex := hex.DecodeString(fields[2])
	switch {
	case !validName(fields[0]):
		return k, "has no usable name", "use 1 to 40 of a-z, 0-9 and '-', a letter or digit first"
	case err != nil:
		return k, "has no usable tenant", "use the tenant's id"
	case notHex != nil || len(digest) != sha256.Size:
		return k, "has no SHA-256", `use 64 hexadecimal digits, as "sha256sum" prints them; never the key itself`
	}
	k = Key{Name: fields[0], Tenant: id, Digest: Digest(digest)}
	if k.Digest == DigestOf("") {
		return k, "has the SHA-256 of nothing", `let "rounds apikey new" make key and line`
	}
	return k, "", ""
}
