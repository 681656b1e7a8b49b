package practice

import (
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// The vendor lists a visit that begins in a skipped hour before midnight under the day before, so
// that is the board on which it is sought.
func TestVisitStaysOnItsListedDay(t *testing.T) {
	t.Parallel()
	nuuk, err := time.LoadLocation("America/Nuuk")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2027, 3, 28, 0, 30, 0, 0, nuuk)
	listed := time.Date(2027, 3, 27, 0, 0, 0, 0, time.UTC)
	visit, err := FromAppointment("7", tebra.Appointment{ID: "1", Start: start, Day: listed}, nuuk)
	if err != nil || visit.Day.String() != "2027-03-27" {
		t.Errorf("on %v, %v", visit.Day, err)
	}
	detail, err := FromDetail("7", &tebra.AppointmentDetail{ID: "1", Start: start, Day: listed}, nuuk)
	if err != nil || detail.Day != visit.Day {
		t.Errorf("on %v, %v", detail.Day, err)
	}
	if visit, err = FromAppointment("7", tebra.Appointment{ID: "1", Start: start}, nuuk); err != nil || visit.Day.String() != "2027-03-28" {
		t.Errorf("without a listed day on %v, %v", visit.Day, err)
	}
}
