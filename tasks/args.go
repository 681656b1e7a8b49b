package tasks

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// ErrInvalid is the error of Enqueue for a task that the program must correct first. Its text says
// what is wrong and repeats no value of the task.
var ErrInvalid = errors.New("invalid task")

// maxKind is the longest kind in bytes.
const maxKind = 64

// validKind reports whether k has the form noun.verb: two or more words of a-z and 0-9, joined by
// dots, none of which begins with a digit.
func validKind(k string) bool {
	words, start := 1, true
	for i := range len(k) {
		switch c := k[i]; {
		case c >= 'a' && c <= 'z':
			start = false
		case start:
			return false
		case c == '.':
			words, start = words+1, true
		case c < '0' || c > '9':
			return false
		}
	}
	return words >= 2 && !start && len(k) <= maxKind
}

// optionsOf returns the options of the args with defaults filled in.
func optionsOf(a Args) (Options, error) {
	var o Options
	if a, ok := a.(Optioned); ok {
		o = a.Options()
	}
	if o.Lane == "" {
		o.Lane = LaneSync
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxAttempts == 0 {
		o.MaxAttempts = defaultAttempts
	}
	switch {
	case !queue.KnownLane(o.Lane), queue.IsQuarantine(o.Lane):
		return o, fmt.Errorf("%w: unknown lane", ErrInvalid)
	case o.Timeout < time.Second || o.Timeout > MaxTimeout:
		return o, fmt.Errorf("%w: timeout is not between 1s and %v", ErrInvalid, MaxTimeout)
	case o.MaxAttempts < 0:
		return o, fmt.Errorf("%w: MaxAttempts is negative", ErrInvalid)
	}
	return o, nil
}

func versionOf(a Args) int {
	if a, ok := a.(Versioned); ok {
		return a.Version()
	}
	return 1
}

func aliasesOf(a Args) []string {
	if a, ok := a.(Aliased); ok {
		return a.Aliases()
	}
	return nil
}

func validate(a Args) error {
	v, ok := a.(Validator)
	if !ok {
		return nil
	}
	if err := v.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// encode returns the JSON to be sealed, and the text that equal args share.
func encode(a Args) (plain []byte, unique string, err error) {
	if !validKind(a.Kind()) {
		return nil, "", fmt.Errorf("%w: kind is not noun.verb", ErrInvalid)
	}
	if err := validate(a); err != nil {
		return nil, "", err
	}
	plain, err = phi.Marshal(a)
	if err != nil {
		return nil, "", fmt.Errorf("%w: arguments are not JSON", ErrInvalid)
	}
	if len(plain) > MaxPayload {
		return nil, "", fmt.Errorf("%w: arguments are larger than %d bytes", ErrInvalid, MaxPayload)
	}
	if a, ok := a.(UniqueKeyed); ok {
		return plain, a.UniqueKey(), nil
	}
	canonical := jsontext.Value(plain).Clone()
	// Numbers stay as they are, because as canonical floats different large IDs would be equal.
	if err := canonical.Format(jsontext.ReorderRawObjects(true), jsontext.CanonicalizeRawInts(false)); err != nil {
		return nil, "", fmt.Errorf("%w: arguments are not JSON", ErrInvalid)
	}
	return plain, string(canonical), nil
}
