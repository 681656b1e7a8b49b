package phi

import (
	"fmt"
	"io"
	"log/slog"
)

// Mask is the text that replaces every Text.
const Mask = "[phi]"

// Text is a string that identifies or describes a person: a name, a date of birth, a note, a record
// number. Every ordinary way of printing, logging or marshaling it gives Mask, also for the empty
// Text, because "has no phone number" is a fact about the person too. Comparison and length work as
// for a string.
//
// There is one exception in encoding/json: it writes map keys of a string kind unmasked. Never use
// Text as the key of a map that is marshaled.
type Text string

// Reveal returns the value itself. At each call PHI loses its protection: it goes to the vendor,
// into bytes about to be sealed, or to an authorized reader.
func (t Text) Reveal() string { return string(t) }

// String returns Mask.
func (t Text) String() string { return Mask }

// GoString returns Mask.
func (t Text) GoString() string { return Mask }

// Format writes Mask for every verb and flag, including %x and %q.
func (t Text) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, Mask) }

// LogValue returns Mask.
func (t Text) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText returns Mask; encoding/xml and others use it. It never fails.
func (t Text) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// MarshalJSON returns Mask as a JSON string; only this package's Marshal reveals the value. It
// never fails.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }
