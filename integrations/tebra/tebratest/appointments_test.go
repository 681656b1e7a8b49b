package tebratest

import (
	"strings"
	"testing"
	"time"
)

// A search covers the days that can contain matching visits, and never more than five years.
func TestSearchDays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 2, 24, 18, 0, 0, 0, time.UTC)
	s, err := New(Config{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	c := s.clinics[0]
	today := dayNumber(now)
	for _, tt := range []struct {
		name        string
		filter      message
		first, last int
	}{
		{"a day", message{"StartDate": "2026-02-24", "EndDate": "2026-02-24"}, today, today},
		{"changes of a day", message{"FromLastModifiedDate": "2026-02-24", "ToLastModifiedDate": "2026-02-24"}, today - 60, today + 60},
		{"changes until now", message{"FromLastModifiedDate": "2026-02-14"}, today - 10 - 60, today + 60},
		{"changes of all time", message{"ToCreatedDate": "2026-02-24"}, today - 5*365 - 1 - 60, today + 60},
		{"changes of a century", message{"FromCreatedDate": "1926-02-24", "ToCreatedDate": "2026-02-24"}, today + 60 - maxSearchDays, today + 60},
		{"visits of a century", message{"StartDate": "1926-02-24", "EndDate": "2026-02-24"}, today - maxSearchDays, today},
		{"end before start", message{"StartDate": "2026-02-24", "EndDate": "2026-02-20"}, today, today - 4},
		{"invalid offset", message{"StartDate": "2026-02-24", "EndDate": "2026-02-24", "TimeZoneOffsetFromGMT": "99999"}, today, today},
	} {
		q, err := c.query(tt.filter)
		if err != nil && !strings.Contains(tt.name, "century") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if first, last := c.searchDays(q); first != tt.first || last != tt.last {
			t.Errorf("%s: from %d to %d days from today, want %d to %d", tt.name, first-today, last-today, tt.first-today, tt.last-today)
		}
	}
}
