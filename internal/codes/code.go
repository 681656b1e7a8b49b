// Package codes holds every code that says why a task waits, why it died, or why the API refused a
// request, each with its meaning in words.
//
// A code is declared by its row in the table (task.go, problem.go): there is no way to declare one
// here without a meaning. Programs decide by codes, and Redis, the ledger and clients keep them, so
// the text of a released code never changes.
//
// A Code is also an error. An error carries a code when it is one, wraps one, or has a method
// ErrorCode() string; [Of] finds it. The text of an error is never taken for a code: a text may
// name a person.
package codes

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
)

// Code says why something happened, in one word for programs: "pace", "vendor_denied". The zero
// Code stands for no failure at all: a task without a code waits its turn, or ended well.
type Code string

// maxLength is the length of the longest code in bytes.
const maxLength = 48

// Error returns the code itself, which makes a Code an error that may be shown and stored.
func (c Code) Error() string { return string(c) }

// ErrorCode returns the code itself; see [Of].
func (c Code) ErrorCode() string { return string(c) }

// LogValue logs the code as a word, not as the text of an error.
func (c Code) LogValue() slog.Value { return slog.StringValue(string(c)) }

// Valid reports whether c is spelled as a code: 1 to 48 lower-case letters and underscores. Digits
// are not allowed, so that the number of a record never passes for a code.
func (c Code) Valid() bool {
	for i := range len(c) {
		if b := c[i]; (b < 'a' || b > 'z') && b != '_' {
			return false
		}
	}
	return c != "" && len(c) <= maxLength
}

// Meaning explains the code in words that complete a sentence about the task or the request. It
// returns "" for a code that is not in the table, such as that of another module's task.
func (c Code) Meaning() string { return meanings[c] }

// Shown returns the code as it may be displayed after it was read from a store: the code itself if
// it is spelled as one, [Hidden] otherwise. The zero Code stays as it is.
func (c Code) Shown() Code {
	if c == "" || c.Valid() {
		return c
	}
	return Hidden
}

// Of returns the code that an error carries: that of the first error in its tree that has a method
// ErrorCode() string. It returns "" when there is none, and when the code is not valid.
func Of(err error) Code {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		if c := Code(coded.ErrorCode()); c.Valid() {
			return c
		}
	}
	return ""
}

// OfTasks returns every code in the table that a task can wait or die with, in order.
func OfTasks() []Code { return slices.Sorted(maps.Keys(ofTasks)) }

// The table, filled while the package is initialized.
var (
	meanings = map[Code]string{"": "it waits for a free worker"}
	ofTasks  = map[Code]bool{}
)

// define declares a code by its row in the table.
func define(c Code, meaning string) Code {
	if !c.Valid() || meaning == "" || meanings[c] != "" {
		panic("codes: " + string(c) + " is malformed, defined twice, or has no meaning") //nolint:forbidigo // the table is part of the program
	}
	meanings[c] = meaning
	return c
}

// task declares a code that tasks wait or die with.
func task(c Code, meaning string) Code {
	ofTasks[c] = true
	return define(c, meaning)
}
