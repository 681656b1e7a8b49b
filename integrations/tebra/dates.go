package tebra

import "time"

// This file contains the zones of times, and the forms of dates in requests. datetext.go contains
// those in responses.
//
// Time zones. Values in rows have no zone, and integrators contradict each other about the zone
// that is meant. Without TimeZoneOffsetFromGMT in the filter, this client reads them as the
// practice's local time; with it, as the time at that offset. Options.Zones selects one of the two.
// In both cases the caller passes the practice's *time.Location, and times are returned in it. A
// value that states its zone is used as stated. Values of single appointments state UTC, according
// to the guide and as this client writes them; Options.TypedWall selects how they are read if they
// state no zone. Reads without a location (patients, providers) return the local time as if it were
// UTC; they have no offset to request.
//
// walltime.go contains the rules for local times that do not exist and ambiguous ones. With
// Greenwich neither occurs.

// Zones selects the zone in which the vendor is asked to write the times of lists of appointments.
type Zones uint8

// The values of Zones. The vendor's handling of an offset is known only from other integrators'
// code, so the zero value sends none. The only offset that can be sent is 0: whole hours do not
// represent every zone, and a fixed offset is wrong for part of a range that includes a change to
// or from daylight saving time.
const (
	PracticeWall Zones = iota // no offset is sent; rows are read as the practice's local time
	Greenwich                 // the offset 0 is sent; rows are read as UTC
)

// zonePair contains the zone of times in a response and the zone of the times returned to the
// caller.
type zonePair struct{ wire, local *time.Location }

// pair returns the zones for lists of a practice in zone.
func (z Zones) pair(zone *time.Location) zonePair {
	if z == Greenwich {
		return zonePair{wire: time.UTC, local: zone}
	}
	return zonePair{wire: zone, local: zone}
}

// typedPair returns the zones for single appointments, which cannot be requested at an offset.
func (o *Options) typedPair(zone *time.Location) zonePair {
	if o.TypedWall {
		return zonePair{wire: zone, local: zone}
	}
	return zonePair{wire: time.UTC, local: zone}
}

// filterLayout is the form in which this client writes times in filters.
const filterLayout = "1/2/2006 3:04:05 PM"

// startOfDay and endOfDay return the first and last second of the calendar day that t shows in its
// own location; where the clocks skip that second, a time outside the day. How the vendor reads a
// plain date as the upper bound is unknown, so a time of day is always sent.
func (z zonePair) startOfDay(t time.Time) string {
	return z.format(t, day(t), func(early, _ time.Time) time.Time { return early })
}

func (z zonePair) endOfDay(t time.Time) string {
	return z.format(t, day(t).Add(24*time.Hour-time.Second), func(_, late time.Time) time.Time { return late })
}

func (z zonePair) format(t, wall time.Time, which func(early, late time.Time) time.Time) string {
	if t.IsZero() {
		return ""
	}
	if z.wire != z.local { // formatting a local time needs no zone
		early, late, _ := instants(wall, z.local)
		wall = which(early, late).In(z.wire)
	}
	return wall.Format(filterLayout)
}

// utcPair is used where the filter has no offset and the caller names no zone.
var utcPair = zonePair{wire: time.UTC, local: time.UTC}

// typedTime formats an xs:dateTime. The vendor's deserializer rejects the US form.
func typedTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// typedDate returns the xs:dateTime of a calendar day. ok is false unless date has the form
// 2006-01-02 and a year from 1900 to 2199.
func typedDate(date string) (text string, ok bool) {
	t, err := time.Parse(time.DateOnly, date)
	return t.Format("2006-01-02T15:04:05"), err == nil && t.Year() >= 1900 && t.Year() <= 2199
}

// days counts the calendar days from from to to, both included. It returns less than 1 if they are
// reversed.
func days(from, to time.Time) int {
	return int(day(to).Sub(day(from))/(24*time.Hour)) + 1
}

// day returns the calendar day that t shows in its own location, as midnight UTC.
func day(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}
