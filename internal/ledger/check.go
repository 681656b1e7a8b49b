package ledger

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

const maxCode = 200 // bytes of a schedule, a watermark's name, a kind or a code

func checkTenant(id tenant.ID) error {
	if _, err := tenant.Parse(string(id)); err != nil {
		return invalid("tenant id")
	}
	return nil
}

// checkText accepts up to limit bytes that both databases store unchanged: valid UTF-8 without
// control characters.
func checkText(what, s string, limit int) error {
	if len(s) > limit {
		return invalid("%s is longer than %d bytes", what, limit)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return invalid("%s contains bytes that are not printable text", what)
	}
	return nil
}

// checkName is checkText for a value that must not be empty.
func checkName(what, s string, limit int) error {
	if s == "" {
		return invalid("%s is empty", what)
	}
	return checkText(what, s, limit)
}

// checkTime rejects the zero time, which is a missing field, and times that overflow.
func checkTime(what string, t time.Time) error {
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return invalid("%s is not set, or not between the years 1 and 9999", what)
	}
	return nil
}

func checkBytes(what string, b []byte, limit int) error {
	if len(b) > limit {
		return invalid("%s is longer than %d bytes", what, limit)
	}
	return nil
}
