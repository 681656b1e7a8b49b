package tebra_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// Repeat sends the last request that succeeded, and no other.
func TestRepeat(t *testing.T) {
	t.Parallel()
	g := &gate{}
	client, sim := simClient(t, tebratest.Config{Throttles: tebratest.Throttles{Off: true}}, nil, func(o *tebra.Options) { o.Gate, o.Login = g, "first" })
	for _, operation := range []string{"GetPatient", "GetAppointments", "CreatePatient", "NoSuch", ""} {
		if err := client.Repeat(t.Context(), operation); !errors.Is(err, tebra.ErrNothingToRepeat) {
			t.Errorf("%q: %v", operation, err)
		}
	}
	if err := client.Repeat(t.Context(), "GetThrottles"); err != nil {
		t.Errorf("the bare operation: %v", err)
	}
	patient := sim.Clinics()[0].Patients()[0]
	if _, err := client.Patients.Get(t.Context(), patient.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Patients.Get(t.Context(), "999999999"); err == nil {
		t.Fatal("a patient that does not exist")
	}
	for range 2 {
		if err := client.Repeat(t.Context(), "GetPatient"); err != nil {
			t.Error(err)
		}
	}
	calls := g.calls[len(g.calls)-4:]
	if calls[0].Fingerprint != calls[2].Fingerprint || calls[2].Fingerprint != calls[3].Fingerprint || calls[1].Fingerprint == calls[0].Fingerprint {
		t.Error("another request than the last that succeeded was repeated")
	}
	if calls[0].Login != "first" {
		t.Errorf("the login is %q", calls[0].Login)
	}
	sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultOutage}}})
	var e *tebra.Error
	if err := client.Repeat(t.Context(), "GetPatient"); !errors.As(err, &e) || e.Fingerprint != calls[0].Fingerprint || e.Code != tebra.Unavailable {
		t.Errorf("in an outage: %+v", e)
	}
}

// A list is repeated whatever it is about, and a request that is too long to remember is not.
func TestRepeatedListsAreRead(t *testing.T) {
	t.Parallel()
	client, sim := simClient(t, tebratest.Config{Throttles: tebratest.Throttles{Off: true}}, nil, nil)
	clinic := sim.Clinics()[0]
	day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	list := func(practice string) error {
		for _, err := range client.Appointments.Windows(t.Context(), tebra.ListAppointmentsRequest{
			PracticeName: practice, From: day, To: day, Location: clinic.Location(),
		}) {
			return err
		}
		return nil
	}
	if err := list(clinic.Practice().Name + strings.Repeat(" ", 70<<10)); err != nil {
		t.Fatal(err)
	}
	if err := client.Repeat(t.Context(), "GetAppointments"); !errors.Is(err, tebra.ErrNothingToRepeat) {
		t.Errorf("a request of 70 kB is remembered: %v", err)
	}
	if err := list(clinic.Practice().Name); err != nil {
		t.Fatal(err)
	}
	if err := client.Repeat(t.Context(), "GetAppointments"); err != nil {
		t.Error(err)
	}
}
