// Package tenant names the tenants and spells every key that belongs to one.
//
// A tenant is one account at the vendor. Its ID is an alias chosen by the practice's operator (clinic-a); it is shown
// to operators and stands in keys in clear, so it must say nothing about a person.
//
// Key and GlobalKey are the only places where a Redis key of ours is put together. Both encode each part injectively,
// so two different lists of parts never give the same key, and a part can neither end the hash tag nor start another.
// The hash tag keeps everything one script touches on one slot of a Redis cluster.
package tenant

import (
	"errors"
	"strings"
)

// MaxLen is the longest tenant ID in bytes.
const MaxLen = 40

// ErrInvalid is returned by Parse for anything that is not a tenant ID. It does not repeat the value.
var ErrInvalid = errors.New("tenant: id must be 1 to 40 of a-z, 0-9 and '-', and start with a letter or digit")

// ID is the alias of one tenant. The zero value is not valid: nothing in this system has a default tenant.
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

// Key spells a key of this tenant: space:{tenant}:part:part. The space names the wire format and owner ("c1" is the
// cache's first format, "f1" flow's). It panics for an ID that Parse would refuse: such a key would belong to nobody,
// and building one is a fault in the caller, never a matter of input.
func (id ID) Key(space string, parts ...string) string {
	if _, err := Parse(string(id)); err != nil {
		panic("tenant: key for an invalid id")
	}
	return join(space, string(id), parts)
}

// GlobalKey spells a key that belongs to no tenant: space:{slot}:part:part. The slot decides the cluster slot; a lane's
// name puts the key beside that lane's queue, so that one script can touch both.
//
// A space must be used either with GlobalKey or with ID.Key, never with both: the two give the same key for a slot that
// looks like a tenant.
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

// encode leaves letters, digits, '-', '_' and '.' alone and writes every other byte as %XX. '%' itself is encoded, which
// makes the mapping injective.
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
