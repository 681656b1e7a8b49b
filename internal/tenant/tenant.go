// Package tenant defines the ID of a tenant and builds every Redis key.
//
// A tenant is one account at the vendor. Its ID is an alias chosen by the practice's operator
// (clinic-a). Operators see it and keys contain it in clear, so it must not identify a person.
//
// [ID.Key] and [GlobalKey] are the only functions that build Redis keys. Both encode each part
// injectively: different lists of parts never result in the same key, and a part can neither end
// the hash tag nor start another. The hash tag keeps all keys of one script on one slot of a Redis
// cluster.
package tenant

import (
	"errors"
	"strings"
)

// MaxLen is the longest tenant ID in bytes.
const MaxLen = 40

// ErrInvalid is returned by Parse for a string that is not a tenant ID. It does not repeat the
// value.
var ErrInvalid = errors.New("tenant: id must be 1 to 40 of a-z, 0-9 and '-', and start with a letter or digit")

// ID is the alias of one tenant. The zero value is not valid: there is no default tenant.
type ID string

// Parse checks s and returns it as an ID, or ErrInvalid.
func Parse(s string) (ID, error) {
	if len(s) == 0 || len(s) > MaxLen || s[0] == '-' {
		return "", ErrInvalid
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return "", ErrInvalid
		}
	}
	return ID(s), nil
}

// String returns the alias.
func (id ID) String() string { return string(id) }

// Key returns a key of this tenant: space:{tenant}:part:part. The space names the owner of the key
// and the version of its format ("c1" is the cache's first format, "f1" flow's). Key panics for an
// ID that Parse would refuse. Such an ID is a bug in the caller, never a matter of input.
func (id ID) Key(space string, parts ...string) string {
	if _, err := Parse(string(id)); err != nil {
		panic("tenant: key for an invalid id")
	}
	return join(space, string(id), parts)
}

// GlobalKey returns a key that belongs to no tenant: space:{slot}:part:part. The slot determines
// the cluster slot. The name of a lane puts the key on the slot of that lane's queue, so that one
// script can use both.
//
// Use a space either with GlobalKey or with ID.Key, never with both: for a slot that looks like a
// tenant they return the same key.
func GlobalKey(space, slot string, parts ...string) string {
	return join(space, encode(slot), parts)
}

func join(space, slot string, parts []string) string {
	n := len(space) + len(slot) + 3
	for _, p := range parts {
		n += len(p) + 1
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteString(space)
	b.WriteString(":{")
	b.WriteString(slot)
	b.WriteByte('}')
	for _, p := range parts {
		b.WriteByte(':')
		b.WriteString(encode(p))
	}
	return b.String()
}

// encode keeps letters, digits, '-', '_' and '.', and writes every other byte as %XX. It encodes
// '%' itself too, which makes the mapping injective.
func encode(s string) string {
	clean := true
	for i := range len(s) {
		if !plain(s[i]) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}
