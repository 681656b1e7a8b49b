package gateway

import "strings"

// matchesETag reports whether an If-None-Match header matches an ETag, by weak comparison. The
// value is "*" alone or a list of entity tags (RFC 9110, section 13.1.2). A value with another
// syntax matches nothing, because a 304 has no body for a caller that has no copy.
func matchesETag(header, etag string) bool {
	if strings.Trim(header, " \t") == "*" {
		return true
	}
	found := false
	for rest := strings.TrimLeft(header, " \t,"); rest != ""; { // a list may have empty elements
		tag, after, ok := cutEntityTag(rest)
		if !ok {
			return false
		}
		found = found || tag == etag
		after = strings.TrimLeft(after, " \t")
		if after != "" && after[0] != ',' {
			return false
		}
		rest = strings.TrimLeft(after, " \t,")
	}
	return found
}

// cutEntityTag returns the entity tag at the start of s, with its quotes and without the mark of a
// weak one, and the text after it. A comma within the quotes is part of the tag.
func cutEntityTag(s string) (tag, after string, ok bool) {
	s = strings.TrimPrefix(s, "W/")
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:], true
		case c <= ' ' || c == 0x7f:
			return "", "", false
		}
	}
	return "", "", false
}
