package practice

import "strings"

// Status is the stage of a visit. The zero value and Unknown both mean that the vendor's word is
// not recognized.
type Status string

// The statuses, in the order of a visit.
const (
	Unknown         Status = "unknown"
	Tentative       Status = "tentative"
	Scheduled       Status = "scheduled"
	ReminderSent    Status = "reminder-sent"
	Confirmed       Status = "confirmed"
	CheckedIn       Status = "checked-in"
	Roomed          Status = "roomed"
	Ready           Status = "ready"
	CheckedOut      Status = "checked-out"
	NoShow          Status = "no-show"
	NeedsReschedule Status = "needs-reschedule"
	Rescheduled     Status = "rescheduled"
	Cancelled       Status = "cancelled"
)

// statuses maps the vendor's words, reduced to lower-case letters. The vendor spells them
// differently in different places ("No Show", "No-show", "NoShow"; "Check-in" in filters,
// "CheckedIn" in typed answers).
var statuses = map[string]Status{
	"tentative": Tentative, "scheduled": Scheduled, "remindersent": ReminderSent, "confirmed": Confirmed,
	"checkin": CheckedIn, "checkedin": CheckedIn, "arrived": CheckedIn, "roomed": Roomed, "readytobeseen": Ready,
	"checkout": CheckedOut, "checkedout": CheckedOut, "noshow": NoShow, "needsreschedule": NeedsReschedule,
	"rescheduled": Rescheduled, "cancelled": Cancelled, "canceled": Cancelled,
}

// ParseStatus maps the vendor's word, and returns Unknown for an unexpected one, which must not
// keep a day's board from being shown.
func ParseStatus(word string) Status {
	letters := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, word)
	if s, ok := statuses[letters]; ok {
		return s
	}
	return Unknown
}
