package phi

import (
	"fmt"
	"io"
	"log/slog"
)

// Mask is what a Text shows of itself.
const Mask = "[phi]"

// Text is a string that identifies or describes a person: a name, a date of birth, a note, a record number. Every
// ordinary way of printing, logging or marshalling it gives Mask, also for the empty Text, because "has no phone number"
// is a fact about the person too. Comparison and length work as for a string.
//
// One hole is encoding/json's: it writes the keys of a map whose key type is a string kind as they are. Never use Text
// as the key of a map that is marshalled.
type Text string

// Reveal returns the value itself. Each call is a place where PHI leaves its wrapping: towards the vendor, into bytes
// about to be sealed, or to a reader who may see it.
func (t Text) Reveal() string { return string(t) }

// String returns Mask.
func (t Text) String() string { return Mask }

// GoString returns Mask.
func (t Text) GoString() string { return Mask }

// Format writes Mask for every verb and flag, so that %x and %q tell nothing either.
func (t Text) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, Mask) }

// LogValue returns Mask.
func (t Text) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText returns Mask; encoding/xml and others use it. It never fails.
func (t Text) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// MarshalJSON returns Mask as a JSON string. Marshal of this package is the one encoder that reveals. It never fails.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }
