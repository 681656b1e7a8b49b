package queue

import (
	"strings"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// longestWord is the longest name that is shown, in bytes.
const longestWord = 96

// word returns s when it is a name given in code (letters, digits, a few
// separators), else "": what lies in Redis may come from anybody, and a free
// text may tell of a person.
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

// KindOf returns what may be shown of a task's type: the kind that it is, else
// codes.Hidden. Empty stays empty.
func KindOf(text string) string {
	if text == "" || word(text) != "" {
		return text
	}
	return string(codes.Hidden)
}

// alias returns s when it is a tenant's ID, else "".
func alias(s string) string {
	id, err := tenant.Parse(s)
	if err != nil {
		return ""
	}
	return id.String()
}
