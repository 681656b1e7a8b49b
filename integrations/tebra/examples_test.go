package tebra_test

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// examples call every operation once: by its name with as much as its request can hold, and by its name with a suffix in
// other ways. What they send is golden.
var examples = map[string]func(context.Context, *tebra.Client) error{
	"GetPatient": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Patients.Get(ctx, "1001")
		return err
	},
	"GetPatients": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Patients.List(ctx, tebra.ListPatientsRequest{
			PracticeName: "Example Practice", PracticeID: "1", FirstName: "Test", LastName: `O'Pa<tient`, FullName: "Test O'Patient",
			BornFrom: "1980-07-04", BornTo: "1980-07-31", CreatedFrom: exampleDay, CreatedTo: exampleDay,
			ModifiedFrom: exampleDay.AddDate(0, 0, -2), ModifiedTo: exampleDay,
		})
		return err
	},
	"GetPatients.least": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Patients.List(ctx, tebra.ListPatientsRequest{PracticeID: "1"})
		return err
	},
	"GetAllPatients": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Patients.Page(ctx, tebra.PatientPagesRequest{PracticeID: "1", From: "1001", Size: 1000})
		return err
	},
	"GetAllPatients.least": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Patients.Page(ctx, tebra.PatientPagesRequest{})
		return err
	},
	"GetAppointment": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Appointments.Get(ctx, "900001", time.UTC)
		return err
	},
	"GetAppointments": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Appointments.List(ctx, tebra.ListAppointmentsRequest{
			PracticeName: `Smith & "Sons" <Practice>`, From: exampleDay, To: exampleDay.AddDate(0, 0, 1), PatientID: "1001",
			ModifiedFrom: exampleDay.AddDate(0, 0, -2), ModifiedTo: exampleDay, Location: time.UTC,
		})
		return err
	},
	"GetAppointments.least": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Appointments.List(ctx, someDay())
		return err
	},
	"GetPractices": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Directory.Practices(ctx, tebra.PracticesRequest{ID: "1", Name: "Example Practice"})
		return err
	},
	"GetPractices.least": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Directory.Practices(ctx, tebra.PracticesRequest{})
		return err
	},
	"GetProviders": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Directory.Providers(ctx, tebra.ProvidersRequest{PracticeName: "Example Practice"})
		return err
	},
	"GetServiceLocations": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Directory.ServiceLocations(ctx, tebra.ServiceLocationsRequest{PracticeName: "Example Practice", ID: "3"})
		return err
	},
	"GetProcedureCodes": func(ctx context.Context, c *tebra.Client) error {
		_, _, err := c.Directory.ProcedureCodes(ctx, tebra.ProcedureCodesRequest{ID: "1", Code: "SIM01", ActiveOnly: true})
		return err
	},
	"GetThrottles": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.System.Throttles(ctx)
		return err
	},
}

var exampleDay = time.Date(2026, 2, 24, 15, 0, 0, 0, time.UTC)
