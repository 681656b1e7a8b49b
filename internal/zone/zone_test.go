package zone

import (
	"errors"
	"testing"
	"time"
	_ "time/tzdata" // the test must not depend on the host's zones
)

func TestLoad(t *testing.T) {
	t.Parallel()
	first, err := Load("America/Chicago")
	second, err2 := Load("America/Chicago")
	if err != nil || err2 != nil || first != second || first.String() != "America/Chicago" {
		t.Errorf("%v, %v and %v, %v", first, err, second, err2)
	}
	for _, name := range []string{"", "Local", "America/Sampleton", "../America/Chicago", "CST6CDT "} {
		for range 2 {
			if got, err := Load(name); !errors.Is(err, ErrUnknown) || got != nil {
				t.Errorf("%q: %v, %v", name, got, err)
			}
		}
	}
}

func TestDiffers(t *testing.T) {
	t.Parallel()
	summer := time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		zone, state string
		want        bool
	}{
		{"America/Chicago", "TX", false},
		{"America/Denver", "TX", false}, // El Paso
		{"America/New_York", "TX", true},
		{"America/New_York", "tx ", true},
		{"America/Detroit", "MI", false},
		{"America/Indiana/Knox", "IN", false},
		{"America/Phoenix", "AZ", false},
		{"America/Denver", "AZ", false}, // the Navajo Nation
		{"America/Phoenix", "CO", true}, // alike in winter
		{"America/Los_Angeles", "AZ", true},
		{"Asia/Kathmandu", "CA", true},
		{"America/Chicago", "", false},
		{"America/Chicago", "ON", false},
		{"America/Chicago", "Texas", false},
		{"America/Chicago", "Y ", false},
		{"America/Chicago", "L A", false},
		{"America/Chicago", " C", false},
	} {
		z, err := Load(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := Differs(z, c.state, summer); got != c.want {
			t.Errorf("%s and %q: differs is %t, want %t", c.zone, c.state, got, c.want)
		}
	}
}

// Every state has a zone, and every zone of the table exists.
func TestStates(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, row := range states {
		if _, err := Load(row.zone); err != nil {
			t.Errorf("%s: %v", row.zone, err)
		}
		for i := 0; i+2 <= len(row.states); i += 3 {
			seen[row.states[i:i+2]] = true
		}
	}
	if len(seen) != 50+1+5 { // with the District of Columbia and five territories
		t.Errorf("%d states", len(seen))
	}
}
