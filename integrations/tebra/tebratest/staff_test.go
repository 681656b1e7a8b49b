package tebratest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

func TestEditsMatchTheReferenceDay(t *testing.T) {
	t.Parallel()
	c := newServer(t, tebratest.Config{Seed: 3}).Clinics()[0]
	day := noon.AddDate(0, 0, 1)
	visits, changes, moved, registered := 0, 0, 0, 0
	for d := range 30 {
		for _, e := range c.Edits(day.AddDate(0, 0, d)) {
			switch e.What {
			case "status":
				changes++
			case "move", "cancel":
				moved++
			case "register":
				registered++
			}
		}
		visits += 90
	}
	if share := float64(moved) / float64(visits); share < 0.06 || share > 0.10 {
		t.Errorf("%.3f of the visits are moved or cancelled, want about 0.08", share)
	}
	if share := float64(registered) / float64(visits); share < 0.035 || share > 0.065 {
		t.Errorf("%.3f new patients per visit, want about 0.05", share)
	}
	if changes != 6*(visits-moved) {
		t.Errorf("%d status changes of %d remaining visits, want 6 each", changes, visits-moved)
	}
	if diff := cmp.Diff(c.Edits(day), c.Edits(day)); diff != "" {
		t.Error("Edits returns different edits for the same day")
	}
	for _, never := range []time.Time{day.AddDate(2000, 0, 0), day.AddDate(-2000, 0, 0)} {
		if edits := c.Edits(never); len(edits) != 0 {
			t.Errorf("%d edits in the year %d, which has no visits", len(edits), never.Year())
		}
	}
}

func TestPlayInParts(t *testing.T) {
	t.Parallel()
	now := noon.AddDate(0, 0, 1)
	play := func(steps int) ([]tebratest.Visit, int) {
		c := newServer(t, tebratest.Config{Now: func() time.Time { return now }}).Clinics()[0]
		day := c.Appointments(now)[0].Start
		from, made := time.Time{}, 0
		for i := range steps {
			until := day.Add(time.Duration(i+1) * 12 * time.Hour / time.Duration(steps))
			made += c.Play(day, from, until)
			from = until
		}
		return c.Appointments(now), made
	}
	full, edits := play(1)
	parts, same := play(7)
	if diff := cmp.Diff(full, parts); diff != "" || edits != same || edits < 450 {
		t.Errorf("%d edits in one step, %d in seven:\n%s", edits, same, diff)
	}
	done := 0
	for _, v := range full {
		if v.Status == tebratest.CheckedOut {
			done++
		}
	}
	if done < 70 || len(full) >= 90 {
		t.Errorf("%d of %d visits are checked out at the end of the day", done, len(full))
	}
}
