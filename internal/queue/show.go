package queue

import (
	"strings"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// longestWord is the maximum length of a shown name, in bytes.
const longestWord = 96

// word returns s if it has the form of a name in code (letters, digits, a few separators), else "":
// other programs can write to Redis, and free text may contain PHI.
func word(s string) string {
	if len(s) > longestWord {
		return ""
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-._:/+", c) < 0 {
			return ""
		}
	}
	return s
}

// KindOf returns a task's type if it has the form of a kind, else codes.Hidden. An empty type stays
// empty.
func KindOf(text string) string {
	if text == "" || word(text) != "" {
		return text
	}
	return string(codes.Hidden)
}

// IDOf returns a task's ID if it is one of this package, else codes.Hidden.
func IDOf(text string) string {
	if _, err := ParseID(text); err != nil {
		return string(codes.Hidden)
	}
	return text
}

// alias returns s if it is a valid tenant ID, else "".
func alias(s string) string {
	id, err := tenant.Parse(s)
	if err != nil {
		return ""
	}
	return id.String()
}
