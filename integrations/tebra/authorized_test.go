package tebra_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// A list is read whatever the security part states about practices.
func TestListsStateWhichPracticesTheUserMayAccess(t *testing.T) {
	t.Parallel()
	const arrays = ` xmlns:a="http://schemas.microsoft.com/2003/10/Serialization/Arrays"`
	for name, tt := range map[string]struct {
		part string
		want []string
	}{
		"as in the contract": {"<PracticesAuthorized><PracticeID" + arrays + "><a:int>1</a:int><a:int> 22 </a:int></PracticeID></PracticesAuthorized>", []string{"1", "22"}},
		"other namespace":    {`<PracticesAuthorized><PracticeID><int xmlns="urn:other">7</int></PracticeID></PracticesAuthorized>`, []string{"7"}},
		"without an array":   {"<PracticesAuthorized><PracticeID>1</PracticeID><PracticeID>2</PracticeID></PracticesAuthorized>", []string{"1", "2"}},
		"text alone":         {"<PracticesAuthorized>3</PracticesAuthorized>", []string{"3"}},
		"absent":             {"", nil},
		"nil":                {`<PracticesAuthorized xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>`, nil},
		"no element":         {"<PracticesAuthorized></PracticesAuthorized>", nil},
		"empty":              {"<PracticesAuthorized><PracticeID" + arrays + "/></PracticesAuthorized>", []string{}},
		"one is no number":   {"<PracticesAuthorized><PracticeID" + arrays + "><a:int>1</a:int><a:int>" + canary + "</a:int></PracticeID></PracticesAuthorized>", nil},
		"endless":            {"<PracticesAuthorized>" + strings.Repeat("<PracticeID>1</PracticeID>", 1001) + "</PracticesAuthorized>", nil},
	} {
		security := "<SecurityResponse><Authenticated>true</Authenticated><Authorized>true</Authorized>" + tt.part + "</SecurityResponse>"
		respond := func(op, payload string) *tebra.Client {
			body := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><` + op + `Response xmlns="http://www.kareo.com/api/schemas/"><` + op +
				"Result><ErrorResponse><IsError>false</IsError></ErrorResponse>" + security + payload + "</" + op + "Result></" + op + "Response></s:Body></s:Envelope>"
			return newClient(t, always(200, xmlType, body), nil)
		}
		check := func(list string, got []string, rows int, err error) {
			t.Helper()
			if err != nil || rows != 1 || !slices.Equal(got, tt.want) || (got == nil) != (tt.want == nil) {
				t.Errorf("%s, %s: %d rows, authorized %q, %v; want %q", name, list, rows, got, err, tt.want)
			}
		}
		practices, err := respond("GetPractices", "<Practices><PracticeData><ID>1</ID></PracticeData></Practices>").
			Directory.Practices(t.Context(), tebra.PracticesRequest{})
		check("practices", practices.Authorized, len(practices.Rows), err)
		day := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
		for w, err := range respond("GetAppointments", "<Appointments><AppointmentData><ID>1</ID><StartDate>3/2/2026 8:00:00 AM</StartDate></AppointmentData></Appointments>").
			Appointments.Windows(t.Context(), tebra.ListAppointmentsRequest{PracticeName: "P", From: day, To: day, Location: time.UTC}) {
			check("appointments", w.Authorized, len(w.Rows), err)
		}
		for w, err := range respond("GetPatients", "<Patients><PatientData><ID>1</ID></PatientData></Patients>").
			Patients.Windows(t.Context(), tebra.ListPatientsRequest{PracticeName: "P", ModifiedFrom: day, ModifiedTo: day}) {
			check("patients", w.Authorized, len(w.Rows), err)
		}
	}
}
