package config

import (
	"fmt"
	"log/slog"
)

const mask = "[secret]"

// Secret is a value that may not be printed: every way of formatting, logging or encoding it gives "[secret]". The zero
// value is an empty secret, which prints the same.
type Secret string

// Reveal returns the value itself. Hand it to what needs it and to nothing else.
func (s Secret) Reveal() string { return string(s) }

// String returns the mask.
func (Secret) String() string { return mask }

// Format writes the mask for every verb, %x and %#v included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mask)) }

// LogValue returns the mask.
func (Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns the mask, which also covers JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }
