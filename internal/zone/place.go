package zone

import (
	"strings"
	"time"
)

// states lists the states and territories of the United States by their postal abbreviations, with
// the zones in use there. A state with two zones is in two rows. Zones that differ only in the past
// count as one.
var states = []struct{ zone, states string }{
	{"America/New_York", "AL CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC TN VA VT WV"},
	{"America/Chicago", "AL AR FL IA IL IN KS KY LA MI MN MO MS ND NE OK SD TN TX WI"},
	{"America/Denver", "AZ CO ID KS MT ND NE NM NV OK OR SD TX UT WY"},
	{"America/Los_Angeles", "CA ID NV OR WA"},
	{"America/Phoenix", "AZ"},
	{"America/Anchorage", "AK"},
	{"America/Adak", "AK"},
	{"Pacific/Honolulu", "HI"},
	{"America/Puerto_Rico", "PR VI"},
	{"Pacific/Guam", "GU MP"},
	{"Pacific/Pago_Pago", "AS"},
}

// Differs reports whether the clocks of a state show another time than those of a zone, in winter
// or in summer of the year of now. It is false for a text that is not the abbreviation of a state
// of the United States: nothing is known about other places.
func Differs(z *time.Location, state string, now time.Time) bool {
	state = strings.ToUpper(strings.TrimSpace(state))
	known := false
	for _, row := range states {
		if len(state) != 2 || !strings.Contains(row.states, state) {
			continue
		}
		there, err := Load(row.zone)
		if err != nil {
			continue
		}
		known = true
		if alike(z, there, now.Year()) {
			return false
		}
	}
	return known
}

// alike reports whether the clocks of two zones show the same in the middle of each month of a
// year.
func alike(a, b *time.Location, year int) bool {
	for month := time.January; month <= time.December; month++ {
		at := time.Date(year, month, 15, 12, 0, 0, 0, time.UTC)
		_, inA := at.In(a).Zone()
		_, inB := at.In(b).Zone()
		if inA != inB {
			return false
		}
	}
	return true
}
