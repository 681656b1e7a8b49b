// Package secret holds the type of values that must not be printed.
package secret

import (
	"fmt"
	"log/slog"
)

// Mask is what every secret prints.
const Mask = "[secret]"

// Value is a string that must not be printed: formatting, logging and encoding it all give Mask.
// The zero value is an empty secret, which prints the same.
type Value string

// Reveal returns the string itself. Pass it only to code that needs it.
func (v Value) Reveal() string { return string(v) }

// String returns Mask.
func (Value) String() string { return Mask }

// Format writes Mask for every verb, including %x and %#v.
func (Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Mask)) }

// LogValue returns Mask.
func (Value) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText returns Mask, for JSON and YAML too.
func (Value) MarshalText() ([]byte, error) { return []byte(Mask), nil }
