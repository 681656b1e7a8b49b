//go:build soak

package flow

import "testing"

// A worker that stands still between the last look at the clock and the first byte of a request
// sends it too late. That may happen once in 500 stops.
func TestSoakStoppedWorkers(t *testing.T) { //nolint:paralleltest // other tests would disturb the pace
	s := full
	s.stops = 500
	rows, err := allParts.Measure(t.Context(), s, []string{"stopped"}, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		t.Logf("%s: %v (%s)", r.Name, r.Ours, r.Note)
		if !r.Pass() {
			t.Errorf("%s is %v, want %v", r.Name, r.Ours, *r.Floor)
		}
	}
}
