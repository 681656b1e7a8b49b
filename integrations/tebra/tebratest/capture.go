package tebratest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Recorder is an http.RoundTripper that sends requests through Next and writes them and their
// responses to Dir, as <Operation>.request.xml and <Operation>.response.xml. A later call of an
// operation overwrites an earlier one. Recorder buffers both in memory and records credentials, so
// use it with the simulator only.
type Recorder struct {
	Dir  string
	Next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c Recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close() // every operation has a body
	_, op, _ := strings.Cut(strings.Trim(r.Header.Get("SOAPAction"), `"`), "/KareoServices/")
	if op == "" || filepath.Base(op) != op {
		return nil, errors.New("record: request has no operation")
	}
	request, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("record: read request: %w", err)
	}
	inner := r.Clone(r.Context())
	inner.Body = io.NopCloser(bytes.NewReader(request))
	resp, err := c.Next.RoundTrip(inner)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	response, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("record: read response: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(response))
	for side, content := range map[string][]byte{"request": request, "response": response} {
		if err := os.WriteFile(filepath.Join(c.Dir, op+"."+side+".xml"), content, 0o600); err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
	}
	return resp, nil
}

// Capture calls every operation of the client against its own simulator and writes the envelopes to
// dir. It creates dir if necessary and leaves other files in it unchanged.
func Capture(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	s, err := New(Config{Seed: 1})
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	clinic := s.clinics[0]
	client, err := tebra.New(tebra.Options{
		Account: "capture", Credentials: clinic.Account().Credentials(),
		HTTPClient: &http.Client{Transport: Recorder{Dir: dir, Next: Transport{Handler: s}}},
	})
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	for _, op := range tebra.Operations() {
		call, ok := exampleCalls[op.Name]
		if !ok {
			return fmt.Errorf("capture: %s has no example call", op.Name)
		}
		if err := call(ctx, client, clinic); err != nil {
			return fmt.Errorf("capture: %w", err)
		}
	}
	return nil
}

// exampleCalls call each operation once, with every part of its request set.
var exampleCalls = map[string]func(ctx context.Context, c *tebra.Client, at *Clinic) error{
	"GetPatient": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Patients.Get(ctx, at.Patients()[0].ID)
		return err
	},
	"GetPatients": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		p, today := at.Patients()[0], time.Now()
		_, err := c.Patients.List(ctx, tebra.ListPatientsRequest{
			PracticeName: at.practice.Name, PracticeID: at.practiceID(), FirstName: phi.Text(p.FirstName), LastName: phi.Text(p.LastName),
			FullName: phi.Text(p.Name()), BornFrom: phi.Text(p.BirthDate.Format(time.DateOnly)),
			BornTo: phi.Text(p.BirthDate.Format(time.DateOnly)), CreatedFrom: today.AddDate(-9, 0, 0), CreatedTo: today,
			ModifiedFrom: today.AddDate(-9, 0, 0), ModifiedTo: today,
		})
		return err
	},
	"GetAllPatients": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Patients.Page(ctx, tebra.PatientPagesRequest{PracticeID: at.practiceID(), From: phi.Text(at.Patients()[10].ID), Size: 5})
		return err
	},
	"GetAppointment": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Appointments.Get(ctx, at.Appointments(time.Now())[0].ID, at.zone)
		return err
	},
	"GetAppointments": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		today := time.Now().In(at.zone)
		_, err := c.Appointments.List(ctx, tebra.ListAppointmentsRequest{
			PracticeName: at.practice.Name, From: today, To: today.AddDate(0, 0, 1),
			ModifiedFrom: today.AddDate(0, 0, -59), ModifiedTo: today, Location: at.zone,
		})
		return err
	},
	"GetPractices": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Directory.Practices(ctx, tebra.PracticesRequest{ID: at.practiceID(), Name: at.practice.Name})
		return err
	},
	"GetProviders": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Directory.Providers(ctx, tebra.ProvidersRequest{PracticeName: at.practice.Name})
		return err
	},
	"GetServiceLocations": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Directory.ServiceLocations(ctx, tebra.ServiceLocationsRequest{ID: at.locationID(), PracticeName: at.practice.Name})
		return err
	},
	"GetProcedureCodes": func(ctx context.Context, c *tebra.Client, _ *Clinic) error {
		_, err := c.Directory.ProcedureCodes(ctx, tebra.ProcedureCodesRequest{ID: "1", Code: "SIM01", ActiveOnly: true})
		return err
	},
	"CreatePatient": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Patients.Create(ctx, at.practiceID(), syntheticFields("Created"))
		return err
	},
	"UpdatePatient": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		fields := syntheticFields("Updated")
		fields.MaritalStatus = tebra.Clear()
		return c.Patients.Update(ctx, at.Patients()[1].ID, at.practiceID(), fields)
	},
	"UpdatePatientsExternalID": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		p := at.Patients()
		return c.Patients.SetExternalIDs(ctx, []tebra.ExternalID{
			{PatientID: phi.Text(p[2].ID), PracticeID: at.practiceID(), VendorID: "1", ID: "ext-2"},
			{PatientID: phi.Text(p[3].ID), PracticeID: at.practiceID(), VendorID: "1", ID: "ext-3"},
		})
	},
	"CreateAppointment": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		p, start := at.Patients(), time.Now().AddDate(0, 0, 7)
		_, err := c.Appointments.Create(ctx, tebra.NewAppointment{
			PracticeID: at.practiceID(), ServiceLocationID: at.locationID(), Start: start, End: start.Add(time.Hour), Status: tebra.StatusScheduled,
			Mode: "InOffice", Name: "Group", Notes: "Bring <forms>", Attendees: []phi.Text{phi.Text(p[4].ID), phi.Text(p[5].ID)},
			MaxAttendees: 5, ReasonID: "1", ProviderID: phi.Text(at.provider(0).id), ResourceIDs: []phi.Text{phi.Text(at.provider(0).id)},
			Recurrence: &tebra.Recurrence{Start: start, End: start.AddDate(0, 2, 0), EveryDays: 7, Occurrences: 8, Weekdays: []string{"Monday"}},
		}, at.zone)
		return err
	},
	"UpdateAppointment": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		v := at.Appointments(time.Now())[1]
		_, err := c.Appointments.Update(ctx, tebra.AppointmentUpdate{
			ID: phi.Text(v.ID), Patient: phi.Text(v.PatientID), ServiceLocationID: at.locationID(), Start: v.Start, End: v.End,
			Status: tebra.StatusRoomed, Mode: v.Mode, Name: "Visit", Notes: "Roomed & ready", CaseID: phi.Text(v.CaseID), ReasonID: reasonIDByName(v.Reason),
			ProviderID: phi.Text(v.ProviderID), ResourceIDs: []phi.Text{phi.Text(v.ProviderID)},
		}, at.zone)
		return err
	},
	"UpdateAppointmentStatus": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		return c.Appointments.SetStatus(ctx, at.Appointments(time.Now())[2].ID, tebra.StatusCheckedIn)
	},
	"DeleteAppointment": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		return c.Appointments.Delete(ctx, at.Appointments(time.Now())[3].ID)
	},
	"GetAppointmentReasons": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Appointments.Reasons(ctx, at.practiceID())
		return err
	},
	"GetCustomerIdFromKey": func(ctx context.Context, c *tebra.Client, _ *Clinic) error {
		_, err := c.System.CustomerID(ctx)
		return err
	},
	"GetThrottles": func(ctx context.Context, c *tebra.Client, _ *Clinic) error {
		_, err := c.System.Throttles(ctx)
		return err
	},
}

// syntheticFields sets every member of a patient that the client writes.
func syntheticFields(first phi.Text) tebra.PatientFields {
	return tebra.PatientFields{
		Address1: tebra.Set("1 Sample Street"), Address2: tebra.Set("Unit 2"), City: tebra.Set("Sampleton"), State: tebra.Set("TX"),
		ZipCode: tebra.Set("00000"), Country: tebra.Set("USA"), BirthDate: tebra.Set("1980-07-04"), Prefix: tebra.Set("Dr."),
		FirstName: tebra.Set(first), MiddleName: tebra.Set("Q"), LastName: tebra.Set("<Angle> & Sons"), Suffix: tebra.Set("Jr."),
		Gender: tebra.Set("Unknown"), HomePhone: tebra.Set("(555) 555-0101"), HomePhoneExt: tebra.Set("1"),
		MobilePhone: tebra.Set("5555550102"), WorkPhone: tebra.Set("(555) 555-0103"), WorkPhoneExt: tebra.Set("3"),
		Email: tebra.Set("created@example.test"), EmergencyName: tebra.Set("Emergency Contact"), EmergencyPhone: tebra.Set("(555) 555-0104"),
		MaritalStatus: tebra.Set("S"), MedicalRecordNumber: tebra.Set("MRN1"), Note: tebra.Set("a note"), AlertShown: tebra.Set("an alert"),
	}
}
