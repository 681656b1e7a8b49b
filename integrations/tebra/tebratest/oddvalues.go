package tebratest

import (
	"maps"
	"time"
)

// The oddities of values in rows.
const (
	OddControlCharacters Oddity = "control-characters"
	OddUndecodable       Oddity = "undecodable-byte"
	OddEntity            Oddity = "unknown-entity"
	OddLastModified      Oddity = "bad-last-modified"
	OddEnd               Oddity = "bad-end"
	OddStart             Oddity = "bad-start"
	OddHalfOfDay         Oddity = "no-am-pm"
	OddNarrowSpace       Oddity = "date-narrow-space"
	OddLowerCase         Oddity = "date-lower-case"
	OddTwentyFourHours   Oddity = "date-24-hours"
	OddSQLServer         Oddity = "date-sql-server"
	OddISO               Oddity = "date-iso"
	OddBoolean           Oddity = "bad-boolean"
	OddNumber            Oddity = "bad-number"
	OddNoDuration        Oddity = "no-duration"
	OddDuration          Oddity = "bad-duration"
	OddNoID              Oddity = "no-id"
	OddID                Oddity = "bad-id"
	OddTypeName          Oddity = "type-name"
	OddTypeUnknown       Oddity = "type-unknown"
)

// The oddities of rows that share an ID.
const (
	OddRepeatedRow Oddity = "repeated-row"
	OddRepeatedID  Oddity = "repeated-id"
	OddGroupRows   Oddity = "group-rows"
)

// valueOddities are rows of the table of oddities.
var valueOddities = []oddity{
	{
		OddityInfo: OddityInfo{OddControlCharacters, "texts contain vertical tabs, as a raw byte and as &#xB;, which XML 1.0 forbids"},
		row:        inPlace(addControlCharacters),
	},
	{
		OddityInfo: OddityInfo{OddUndecodable, "a name contains a byte of Latin-1, which is not UTF-8"},
		row:        inPlace(func(r record) { appendText(r, "PatientFullName", "\xe9") }),
	},
	{
		OddityInfo: OddityInfo{OddEntity, "a name contains references to entities that XML does not know"},
		row:        inPlace(func(r record) { appendText(r, "PatientFullName", "&nbsp;&bogus;") }),
	},
	{
		OddityInfo: OddityInfo{OddLastModified, "LastModifiedDate is not a date"},
		row:        inPlace(func(r record) { replaceText(r, "LastModifiedDate", "13/32/2026 25:61:00 PM") }),
	},
	{
		OddityInfo: OddityInfo{OddEnd, "EndDate is a day that does not exist"},
		row:        inPlace(func(r record) { replaceText(r, "EndDate", "2/30/2026 9:00:00 AM") }),
	},
	{
		OddityInfo: OddityInfo{OddStart, "StartDate is a day that does not exist"},
		row:        inPlace(func(r record) { replaceText(r, "StartDate", "2/30/2026 9:00:00 AM") }),
		unreadable: true,
	},
	{
		OddityInfo: OddityInfo{OddHalfOfDay, "EndDate has 12 hours, but neither AM nor PM"},
		row:        inPlace(func(r record) { rewriteDates(r, "1/2/2006 3:04:05", "EndDate") }),
	},
	{
		OddityInfo: OddityInfo{OddNarrowSpace, "dates have a narrow no-break space before AM and PM, as newer versions of .NET write them"},
		row:        inPlace(func(r record) { rewriteDates(r, "1/2/2006 3:04:05\u202fPM", dateMembers...) }),
	},
	{
		OddityInfo: OddityInfo{OddLowerCase, "dates have am and pm in lower case"},
		row:        inPlace(func(r record) { rewriteDates(r, "1/2/2006 3:04:05 pm", dateMembers...) }),
	},
	{
		OddityInfo: OddityInfo{OddTwentyFourHours, "dates have 24 hours"},
		row:        inPlace(writeTwentyFourHours),
	},
	{
		OddityInfo: OddityInfo{OddSQLServer, "dates have the form that SQL Server writes by default, without seconds"},
		row:        inPlace(func(r record) { rewriteDates(r, "Jan _2 2006  3:04PM", dateMembers...) }),
	},
	{
		OddityInfo: OddityInfo{OddISO, "dates have the form of ISO 8601, without zone and seconds"},
		row:        inPlace(func(r record) { rewriteDates(r, "2006-01-02T15:04", dateMembers...) }),
	},
	{
		OddityInfo: OddityInfo{OddBoolean, "AllDay is neither true nor false"},
		row:        inPlace(func(r record) { replaceText(r, "AllDay", "maybe") }),
	},
	{
		OddityInfo: OddityInfo{OddNumber, "PatientCaseID is not a whole number"},
		row:        inPlace(func(r record) { replaceText(r, "PatientCaseID", "1.5E3") }),
	},
	{
		OddityInfo: OddityInfo{OddNoDuration, "AppointmentDuration is left out"},
		row:        inPlace(func(r record) { delete(r, "AppointmentDuration") }),
	},
	{
		OddityInfo: OddityInfo{OddDuration, "AppointmentDuration is not a number of minutes"},
		row:        inPlace(func(r record) { replaceText(r, "AppointmentDuration", "half an hour") }),
	},
	{
		OddityInfo: OddityInfo{OddNoID, "an appointment has no ID"},
		row:        inPlace(func(r record) { ofAppointment(r, func() { delete(r, "ID") }) }),
		unreadable: true,
	},
	{
		OddityInfo: OddityInfo{OddID, "the ID of an appointment is not a number"},
		row:        inPlace(func(r record) { ofAppointment(r, func() { replaceText(r, "ID", "none") }) }),
		unreadable: true,
	},
	{
		OddityInfo: OddityInfo{OddTypeName, "Type is written out"},
		row: inPlace(func(r record) {
			ofAppointment(r, func() {
				replaceText(r, "Type", map[any]string{"P": "Patient", "O": "Other", "U": "Unknown"}[r["Type"]])
			})
		}),
	},
	{
		OddityInfo: OddityInfo{OddTypeUnknown, "Type is U, for unknown"},
		row:        inPlace(func(r record) { ofAppointment(r, func() { replaceText(r, "Type", "U") }) }),
	},
	{
		OddityInfo: OddityInfo{OddRepeatedRow, "a row is in the list twice"},
		row:        func(odd oddRow) []record { return []record{odd.record, maps.Clone(odd.record)} },
	},
	{
		OddityInfo: OddityInfo{OddRepeatedID, "two appointments of a day have the same ID and other times"},
		row:        repeatLater,
	},
	{
		OddityInfo: OddityInfo{OddGroupRows, "a group appointment has one row for each of its patients, all with the same ID"},
		row:        repeatForPatients,
	},
}

// dateMembers are the members of rows that have a date and a time.
var dateMembers = []string{"StartDate", "EndDate", "CreatedDate", "LastModifiedDate"}

// rewriteDates writes dates in another form.
func rewriteDates(r record, layout string, members ...string) {
	for _, name := range members {
		text, _ := r[name].(string)
		if t, err := time.Parse(usLayout, text); err == nil {
			r[name] = t.Format(layout)
		}
	}
}

// writeTwentyFourHours writes dates with 24 hours. One of them is in the afternoon, without which
// 10:00 could be of either form.
func writeTwentyFourHours(r record) {
	text, _ := r["CreatedDate"].(string)
	if t, err := time.Parse(usLayout, text); err == nil {
		r["CreatedDate"] = usDate(time.Date(t.Year(), t.Month(), t.Day(), 13, 5, 0, 0, time.UTC))
	}
	rewriteDates(r, "1/2/2006 15:04:05", dateMembers...)
}

// replaceText replaces a member that has a value.
func replaceText(r record, member, by string) {
	if text, _ := r[member].(string); text != "" {
		r[member] = by
	}
}

// appendText appends a text that is not escaped to a member that has a value.
func appendText(r record, member, suffix string) {
	switch text := r[member].(type) {
	case string:
		if text != "" {
			r[member] = verbatim(escaped(text) + suffix)
		}
	case verbatim:
		r[member] = text + verbatim(suffix)
	}
}

// ofAppointment calls change if the row is of an appointment.
func ofAppointment(r record, change func()) {
	if _, ok := r["StartDate"]; ok {
		change()
	}
}

// addControlCharacters adds a reference to a vertical tab to a name and the tab itself to the
// notes.
func addControlCharacters(r record) {
	for _, name := range []string{"PatientFullName", "Name", "FullName"} {
		appendText(r, name, "&#xB;")
	}
	notes := "Notes"
	if _, ok := r[notes]; !ok {
		notes = "AlertMessage"
	}
	text, _ := r[notes].(string)
	r[notes] = verbatim(escaped(text) + "Line one\vline two")
}

// repeatLater adds a row with the same ID, one hour later.
func repeatLater(odd oddRow) []record {
	second := maps.Clone(odd.record)
	for _, name := range []string{"StartDate", "EndDate"} {
		text, _ := second[name].(string)
		t, err := time.Parse(usLayout, text)
		if err != nil {
			return []record{odd.record}
		}
		second[name] = usDate(t.Add(time.Hour))
	}
	return []record{odd.record, second}
}

// repeatForPatients adds a row with the same ID for each of two more patients.
func repeatForPatients(odd oddRow) []record {
	all := []record{odd.record}
	if odd.clinic == nil {
		return all
	}
	first, ok := odd.clinic.patientIndex(odd.visit.PatientID)
	for i := range 2 {
		if n := (first + 1 + i) % max(odd.clinic.patients, 1); ok && n != first {
			p := odd.clinic.patient(n)
			other := maps.Clone(odd.record)
			other["PatientID"], other["PatientFullName"] = p.ID, p.Name()
			other["PatientCaseID"] = odd.clinic.caseID(n)
			all = append(all, other)
		}
	}
	return all
}
