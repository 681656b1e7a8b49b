package practice

import (
	"strings"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// EntryType is what kind of entry an appointment is. The zero value is a patient's visit.
type EntryType string

// The types. An entry that names a patient is a visit, whatever the vendor calls it: it must not
// be left out where visits are counted.
const (
	Visit        EntryType = ""
	Other        EntryType = "other"   // blocked time, a meeting
	UnknownEntry EntryType = "unknown" // without a patient, and the vendor's word is not recognized
)

// EntryTypes lists the words that String returns.
var EntryTypes = []string{Visit.String(), string(Other), string(UnknownEntry)}

// String returns the type's word, which is "patient" for a visit.
func (t EntryType) String() string {
	if t == Visit {
		return "patient"
	}
	return string(t)
}

// parseEntryType maps the vendor's word, which is "P" in some places and "Patient" in others.
func parseEntryType(word string, patient phi.Text) EntryType {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "p", "patient":
		return Visit
	case "o", "other":
		if patient == "" {
			return Other
		}
	}
	if patient != "" {
		return Visit
	}
	return UnknownEntry
}

// maxNote is the length in runes to which a note is cut.
const maxNote = 120

// noteOf returns the first line of an entry's notes. Staff write the reason of blocked time there,
// and may write a patient's name.
func noteOf(notes phi.Text) phi.Text {
	line, _, _ := strings.Cut(strings.TrimSpace(notes.Reveal()), "\n")
	runes := []rune(strings.TrimSpace(line))
	return phi.Text(runes[:min(len(runes), maxNote)])
}
