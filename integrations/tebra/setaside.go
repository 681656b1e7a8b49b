package tebra

import "time"

// SetAside is a row of a list that this client could not read as a record. It exists at the vendor,
// so that a list with any is incomplete: records that it does not contain have not necessarily been
// deleted.
type SetAside struct {
	// Reason is one of the constants below.
	Reason string
	// Start is when the appointment starts, in the request's Location; zero if that could not be
	// read, and for other records.
	Start time.Time
	// End is when it ends, and Start if the row has no end. It is zero if the end could not be
	// read, or if Start is zero.
	End time.Time
}

// Why a row is set aside.
const (
	SetAsideID       = "id"       // it has no identifier, or an invalid one
	SetAsideDate     = "date"     // the appointment's start is not a time
	SetAsideNumber   = "number"   // the interval of a throttle is not a number
	SetAsideRepeated = "repeated" // a column occurs twice
	SetAsideRow      = "row"      // it is no element of the list's rows, or has text between its members
)
