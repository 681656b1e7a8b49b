package tasks

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

const mask = "[phi]"

// PatientID is the vendor's identifier of a patient. Only the sealed payload of a task contains it.
// Wherever it is printed, logged or marshaled, a mask appears in its place:
//
//	[phi]
type PatientID string

// Reveal returns the identifier itself.
func (id PatientID) Reveal() string { return string(id) }

// Format writes the mask, whatever the verb.
func (PatientID) Format(s fmt.State, _ rune) { writeMask(s) }

// String returns the mask.
func (PatientID) String() string { return mask }

// LogValue returns the mask.
func (PatientID) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns the mask.
func (PatientID) MarshalText() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText sets the identifier to the text. It never fails.
func (id *PatientID) UnmarshalText(text []byte) error { *id = PatientID(text); return nil }

// EntityID is the vendor's identifier of any record, which may belong to a person. It masks itself
// like PatientID.
type EntityID string

// Reveal returns the identifier itself.
func (id EntityID) Reveal() string { return string(id) }

// Format writes the mask, whatever the verb.
func (EntityID) Format(s fmt.State, _ rune) { writeMask(s) }

// String returns the mask.
func (EntityID) String() string { return mask }

// LogValue returns the mask.
func (EntityID) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns the mask.
func (EntityID) MarshalText() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText sets the identifier to the text. It never fails.
func (id *EntityID) UnmarshalText(text []byte) error { *id = EntityID(text); return nil }

func writeMask(s fmt.State) { _, _ = io.WriteString(s, mask) }

// maxID is the longest identifier in bytes.
const maxID = 64

// checkID rejects what the vendor cannot have issued: an identifier that is empty, too long, zero,
// negative or above the range of its numbers, or that contains anything but ASCII letters, digits,
// '-' and '_'.
func checkID(field, id string) error {
	_, err := strconv.ParseInt(id, 10, 64)
	if id == "" || id == "0" || id[0] == '-' || len(id) > maxID || errors.Is(err, strconv.ErrRange) {
		return errors.New(field + " is not an identifier")
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return errors.New(field + " is not an identifier")
		}
	}
	return nil
}
