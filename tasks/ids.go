package tasks

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

const mask = "[phi]"

// PatientID is the vendor's identifier of a patient. It shows itself as
// "[phi]" wherever it is printed, logged or marshalled; only the bytes that are
// sealed hold it.
type PatientID string

// Reveal returns the identifier itself.
func (id PatientID) Reveal() string { return string(id) }

// Format writes "[phi]" for every verb.
func (PatientID) Format(s fmt.State, _ rune) { writeMask(s) }

// String returns "[phi]".
func (PatientID) String() string { return mask }

// LogValue returns "[phi]".
func (PatientID) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns "[phi]".
func (PatientID) MarshalText() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText takes the identifier.
func (id *PatientID) UnmarshalText(text []byte) error { *id = PatientID(text); return nil }

// EntityID is the vendor's identifier of any record, which may belong to a
// person. It masks itself as PatientID does.
type EntityID string

// Reveal returns the identifier itself.
func (id EntityID) Reveal() string { return string(id) }

// Format writes "[phi]" for every verb.
func (EntityID) Format(s fmt.State, _ rune) { writeMask(s) }

// String returns "[phi]".
func (EntityID) String() string { return mask }

// LogValue returns "[phi]".
func (EntityID) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns "[phi]".
func (EntityID) MarshalText() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText takes the identifier.
func (id *EntityID) UnmarshalText(text []byte) error { *id = EntityID(text); return nil }

func writeMask(s fmt.State) { _, _ = io.WriteString(s, mask) }

// maxID is the longest identifier in bytes.
const maxID = 64

// checkID refuses what is no identifier of the vendor's: empty, long, zero,
// negative, above the largest of its numbers, or with anything but letters,
// digits, '-' and '_'.
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
