package practice

import (
	"slices"
	"strings"

	"github.com/workflow-bolt/rounds/integrations/tebra"
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

// entryTypeOf maps the vendor's word, which is "P" in some places and "Patient" in others.
func entryTypeOf(row *tebra.Appointment) EntryType {
	if namesPatient(row) {
		return Visit
	}
	switch strings.ToLower(strings.TrimSpace(row.Type)) {
	case "p", "patient":
		return Visit
	case "o", "other":
		return Other
	}
	return UnknownEntry
}

// namesPatient reports whether a row names a patient in any column, even in one that could not be
// read.
func namesPatient(row *tebra.Appointment) bool {
	for _, value := range []phi.Text{row.PatientID, row.PatientName, row.CaseID, row.CaseName} {
		if strings.TrimSpace(value.Reveal()) != "" {
			return true
		}
	}
	return slices.ContainsFunc(row.Unread, func(column string) bool { return strings.HasPrefix(column, "Patient") })
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
