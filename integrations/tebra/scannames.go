package tebra

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// tagName is a name as it is written in tags.
type tagName struct{ raw, prefix, local string }

// binding is a namespace declaration of the element at a depth.
type binding struct {
	prefix, uri string
	depth       int
}

// Limits of the names that are remembered. Responses have about a hundred names.
const (
	maxNames    = 1024
	maxNameKept = 64
)

// attributes checks the attributes of a start tag and adds the namespaces that they declare.
func (s *scanner) attributes(rest []byte) error {
	for {
		trimmed := bytes.TrimLeft(rest, xmlSpace)
		if len(trimmed) == 0 {
			return nil
		}
		n := nameLength(trimmed)
		name, after := trimmed[:n], bytes.TrimLeft(trimmed[n:], xmlSpace)
		if len(trimmed) == len(rest) || !validName(name) || len(after) < 2 || after[0] != '=' {
			return malformedError("syntax")
		}
		after = bytes.TrimLeft(after[1:], xmlSpace)
		if len(after) < 2 || after[0] != '"' && after[0] != '\'' {
			return malformedError("syntax")
		}
		end := bytes.IndexByte(after[1:], after[0])
		if end < 0 {
			return malformedError("syntax")
		}
		value := after[1 : 1+end]
		if plainLength(value) != len(value) {
			var text repair
			if value = text.decode(value, true); text.count > 0 {
				return malformedError("syntax")
			}
		}
		s.declare(name, value)
		rest = after[2+end:]
	}
}

// declare adds a namespace if the attribute declares one.
func (s *scanner) declare(name, value []byte) {
	prefix, ok := bytes.CutPrefix(name, []byte("xmlns"))
	switch {
	case !ok:
	case len(prefix) == 0:
		s.bindings = append(s.bindings, binding{"", s.text.intern(value), len(s.open)})
	case prefix[0] == ':':
		s.bindings = append(s.bindings, binding{s.text.intern(prefix[1:]), s.text.intern(value), len(s.open)})
	}
}

// namespace returns the namespace that a prefix stands for, or the prefix itself if it is not
// declared. The default namespace is "" if it is not declared.
func (s *scanner) namespace(prefix string) string {
	for _, b := range slices.Backward(s.bindings) {
		if b.prefix == prefix {
			return b.uri
		}
	}
	return prefix
}

// name returns a name in a tag. ok is false if it is not a name.
func (s *scanner) name(raw []byte) (name *tagName, ok bool) {
	if name, ok := s.names[string(raw)]; ok {
		return name, true
	}
	if !validName(raw) {
		return nil, false
	}
	name = &tagName{raw: string(raw)}
	name.local = name.raw
	if i := bytes.IndexByte(raw, ':'); i >= 0 {
		name.prefix, name.local = name.raw[:i], name.raw[i+1:]
	}
	if len(s.names) < maxNames && len(raw) <= maxNameKept {
		s.names[name.raw] = name
	}
	return name, true
}

// tagName returns the name in the next tag, or the first maxNameKept bytes of a longer one.
func (s *scanner) tagName() string {
	s.ensure(maxNameKept + 1) // there may be less
	tag := s.buf[s.pos+1 : min(s.pos+1+maxNameKept, s.end)]
	return string(tag[:nameLength(tag)])
}

// isNameByte reports that a byte may be part of a name. All characters beyond ASCII may be.
var isNameByte = classOf(func(b byte) bool {
	return isNameStart(b) || b >= '0' && b <= '9' || b == '-' || b == '.'
})

func isNameStart(b byte) bool {
	return b|0x20 >= 'a' && b|0x20 <= 'z' || b == '_' || b == ':' || b >= utf8.RuneSelf
}

// nameLength returns how many bytes at the beginning of text may be a name.
func nameLength(text []byte) int {
	for i, b := range text {
		if !isNameByte[b] {
			return i
		}
	}
	return len(text)
}

// validName reports whether text is a name with at most one prefix.
func validName(text []byte) bool {
	prefix, local, found := bytes.Cut(text, []byte(":"))
	if !found {
		local = prefix
	}
	return len(prefix) > 0 && len(local) > 0 && isNameStart(prefix[0]) && isNameStart(local[0]) &&
		bytes.IndexByte(local, ':') < 0 && utf8.Valid(text)
}
