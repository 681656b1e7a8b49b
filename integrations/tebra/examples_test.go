package tebra_test

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// examples call every operation: under its own name with every member of the request set, and under
// names with a suffix in other ways. The golden files contain their requests.
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
	"GetAllPatients.two": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Patients.Page(ctx, tebra.PatientPagesRequest{Size: 2})
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
		_, err := c.Appointments.List(ctx, oneDay())
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
		_, err := c.Directory.ProcedureCodes(ctx, tebra.ProcedureCodesRequest{ID: "1", Code: "SIM01", ActiveOnly: true})
		return err
	},
	"CreatePatient": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Patients.Create(ctx, "1", allFields())
		return err
	},
	"UpdatePatient": func(ctx context.Context, c *tebra.Client) error {
		return c.Patients.Update(ctx, "1001", "1", allFields())
	},
	"UpdatePatient.clear": func(ctx context.Context, c *tebra.Client) error {
		return c.Patients.Update(ctx, "1001", "1", tebra.PatientFields{BirthDate: tebra.Clear(), HomePhone: tebra.Set("(555) 555-0100"), Email: tebra.Set(""), AlertShown: tebra.Clear()})
	},
	"UpdatePatientsExternalID": func(ctx context.Context, c *tebra.Client) error {
		return c.Patients.SetExternalIDs(ctx, []tebra.ExternalID{
			{PatientID: "1001", PracticeID: "1", VendorID: "5", ID: "ext-1"}, {PatientID: "1002", PracticeID: "1", VendorID: "5", ID: "ext-2"},
		})
	},
	"GetPatient.external": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Patients.GetByExternalID(ctx, "5", "ext-1")
		return err
	},
	"CreateAppointment": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Appointments.Create(ctx, tebra.NewAppointment{
			PracticeID: "1", ServiceLocationID: "3", Start: exampleDay, End: exampleDay.Add(time.Hour), Status: tebra.StatusConfirmed,
			Mode: "InOffice", Name: "Group & more", Notes: "a <note>", Attendees: []phi.Text{"1001", "1002"}, MaxAttendees: 5, CaseID: "7",
			ReasonID: "2", ProviderID: "7", ResourceIDs: []phi.Text{"7", "8"},
			Recurrence: &tebra.Recurrence{
				Start: exampleDay, End: exampleDay.AddDate(0, 2, 0), EveryDays: 7, EveryMonths: 1, Occurrences: 8, Weekdays: []string{"Tuesday"},
				DayOfMonth: 3, NumberOfTimes: 2,
			},
		}, time.UTC)
		return err
	},
	"CreateAppointment.least": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Appointments.Create(ctx, tebra.NewAppointment{
			PracticeID: "1", ServiceLocationID: "3", Start: exampleDay, End: exampleDay.Add(time.Hour), Patient: "1001", ProviderID: "7",
		}, time.UTC)
		return err
	},
	"UpdateAppointment": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Appointments.Update(ctx, tebra.AppointmentUpdate{
			ID: "900001", Patient: "1001", ServiceLocationID: "3", Start: exampleDay, End: exampleDay.Add(time.Hour), Status: tebra.StatusRoomed,
			Mode: "Telehealth", Name: "Name", Notes: "a <note>", CaseID: "7", AuthorizationID: "9", ReasonID: "2", ProviderID: "7", ResourceID: "8",
			ResourceIDs: []phi.Text{"7"}, MaxAttendees: 2, Recurring: true, OccurrenceID: "12",
		}, time.UTC)
		return err
	},
	"UpdateAppointmentStatus": func(ctx context.Context, c *tebra.Client) error {
		return c.Appointments.SetStatus(ctx, "900001", tebra.StatusCheckedIn)
	},
	"DeleteAppointment": func(ctx context.Context, c *tebra.Client) error {
		return c.Appointments.Delete(ctx, "900001")
	},
	"GetAppointmentReasons": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.Appointments.Reasons(ctx, "1")
		return err
	},
	"GetCustomerIdFromKey": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.System.CustomerID(ctx)
		return err
	},
	"GetThrottles": func(ctx context.Context, c *tebra.Client) error {
		_, err := c.System.Throttles(ctx)
		return err
	},
}

var exampleDay = time.Date(2026, 2, 24, 15, 0, 0, 0, time.UTC)

// allFields sets every member of a patient that the client writes.
func allFields() tebra.PatientFields {
	return tebra.PatientFields{
		Address1: tebra.Set("1 Sample Street"), Address2: tebra.Set("Unit <2>"), City: tebra.Set("Sampleton"), State: tebra.Set("TX"),
		ZipCode: tebra.Set("00000"), Country: tebra.Set("USA"), BirthDate: tebra.Set("1980-07-04"), Prefix: tebra.Set("Dr."),
		FirstName: tebra.Set("Test"), MiddleName: tebra.Set("Q"), LastName: tebra.Set("O'Patient & Sons"), Suffix: tebra.Set("Jr."),
		Gender: tebra.Set("Unknown"), HomePhone: tebra.Set("(555) 555-0101"), HomePhoneExt: tebra.Set("1"),
		MobilePhone: tebra.Set("5555550102"), WorkPhone: tebra.Set("(555) 555-0103"), WorkPhoneExt: tebra.Set("3"),
		Email: tebra.Set("test@example.test"), EmergencyName: tebra.Set("Somebody Else"), EmergencyPhone: tebra.Set("(555) 555-0104"),
		MaritalStatus: tebra.Set("S"), MedicalRecordNumber: tebra.Set("MRN1"), Note: tebra.Set("a note"), AlertShown: tebra.Set("an alert"),
	}
}
