package tebra_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
)

func TestReadAppointmentRows(t *testing.T) {
	t.Parallel()
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	rows := `<AppointmentData><AllDay>False</AllDay><AppointmentReason1>Follow Up</AppointmentReason1>` +
		`<AppointmentReason10>Tenth</AppointmentReason10><AppointmentReasonID1>11</AppointmentReasonID1>` +
		`<ConfirmationStatus>No Show </ConfirmationStatus><CreatedDate>2/1/2026 9:15:00 AM</CreatedDate>` +
		`<EndDate>2/24/2026 11:30:00 AM</EndDate><FutureMember>x</FutureMember><ID>90<!-- c -->00<![CDATA[01]]></ID>` +
		`<LastModifiedDate>1/1/0001 12:00:00 AM</LastModifiedDate><Notes>&lt;b&gt; ]]&gt; &amp; שלום</Notes>` +
		`<PatientCaseID>5</PatientCaseID><PatientFullName>Test O'Patient</PatientFullName><PatientID>1001</PatientID>` +
		`<PracticeID>1</PracticeID><PracticeName>Example Practice</PracticeName><Recurring>True</Recurring>` +
		`<ResourceID1>7</ResourceID1><ResourceID2>70</ResourceID2><ResourceName1>Dr Example</ResourceName1>` +
		`<ResourceTypeID1>1</ResourceTypeID1><ResourceTypeID2>2</ResourceTypeID2><ServiceLocationID>3</ServiceLocationID>` +
		`<ServiceLocationName>Main</ServiceLocationName><StartDate>2/24/2026 11:00:00 AM</StartDate><Type>P</Type></AppointmentData>` +
		`<AppointmentData><ID>900002</ID><PatientID> 01002 </PatientID><PatientCaseID>0</PatientCaseID></AppointmentData>`
	q := oneDay()
	q.Location = chicago
	got, err := newClient(t, always(200, xmlType, appointments(rows)), nil).Appointments.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	want := tebra.Appointments{Rows: []tebra.Appointment{{
		ID: "900001", PatientID: "1001", PatientName: "Test O'Patient", CaseID: "5",
		Start: time.Date(2026, 2, 24, 17, 0, 0, 0, time.UTC), End: time.Date(2026, 2, 24, 17, 30, 0, 0, time.UTC),
		Duration: 30 * time.Minute, Day: time.Date(2026, 2, 24, 0, 0, 0, 0, time.UTC),
		Status: "No Show ", Type: "P", Resources: []tebra.Resource{{ID: "7", Name: "Dr Example", Type: "1"}, {ID: "70", Type: "2"}},
		Reasons:           []tebra.Reason{{ID: "11", Name: "Follow Up"}, {Name: "Tenth"}},
		ServiceLocationID: "3", ServiceLocationName: "Main", PracticeID: "1", PracticeName: "Example Practice",
		Notes: "<b> ]]> & שלום", Recurring: true, Created: time.Date(2026, 2, 1, 15, 15, 0, 0, time.UTC),
	}, {ID: "900002", PatientID: "1002"}}}
	if diff := cmp.Diff(want, got, revealed); diff != "" {
		t.Error(diff)
	}
	if doctors := got.Rows[0].Providers(); len(doctors) != 1 || doctors[0].ID != "7" {
		t.Errorf("providers are %d, want the one doctor", len(doctors))
	}
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, "900001") || strings.Contains(text, "Patient ") {
		t.Error("a printed row identifies the patient")
	}
}

// revealed lets go-cmp show differences in masked texts. All data is synthetic.
var revealed = cmp.Transformer("reveal", phi.Text.Reveal)

// Options.Zones has no effect on single appointments, which have no filter. Options.TypedWall
// selects the zone, and an update writes the same times that were read.
func TestSingleAppointmentsWithoutAZone(t *testing.T) {
	t.Parallel()
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		start string
		wall  bool
		want  string
	}{
		{"2026-02-24T09:00:00", false, "2026-02-24T09:00:00Z"},
		{"2026-02-24T09:00:00", true, "2026-02-24T15:00:00Z"},
		{"2026-02-24T09:00:00Z", true, "2026-02-24T09:00:00Z"},
		{"2026-02-24T09:00:00-05:00", true, "2026-02-24T14:00:00Z"},
		{"2026-02-24T09:00:00-05:00", false, "2026-02-24T14:00:00Z"},
	} {
		for _, zones := range []tebra.Zones{tebra.PracticeWall, tebra.Greenwich} {
			members := "<Appointment><AppointmentId>1</AppointmentId><EndTime>2026-02-25T09:00:00Z</EndTime>" +
				"<AppointmentStatus>Scheduled</AppointmentStatus><ServiceLocationId>3</ServiceLocationId><StartTime>" + tt.start + "</StartTime></Appointment>"
			var sent string
			c := newClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(r.Body)
				if sent = string(body); strings.Contains(sent, "UpdateAppointment") {
					return respond(503, "", http.NoBody), err
				}
				return respond(200, xmlType, strings.NewReader(responseTo("GetAppointment", noError+authorized+members))), err
			}), func(o *tebra.Options) { o.Zones, o.TypedWall = zones, tt.wall })
			a, err := c.Appointments.Get(t.Context(), "1", chicago)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Start.UTC().Format(time.RFC3339); got != tt.want || a.Start.Location() != chicago {
				t.Errorf("%s, zones %d, wall %t: got %s in %s, want %s", tt.start, zones, tt.wall, got, a.Start.Location(), tt.want)
			}
			_, _ = c.Appointments.Update(t.Context(), a.Update(), chicago)
			if !strings.Contains(sent, "<k:StartTime>"+tt.want+"</k:StartTime>") {
				t.Errorf("%s, wall %t: written back as %s", tt.start, tt.wall, sent)
			}
		}
	}
}

func patientResponse(members string) string {
	return responseTo("GetPatient", noError+authorized+members)
}

func TestReadPatient(t *testing.T) {
	t.Parallel()
	body := patientResponse(`<Patient><AddressLine1>1 Sample Street</AddressLine1><Cases><PatientCaseData><Description>d</Description>` +
		`<InsurancePolicies><PatientInsurancePolicyData><Number>x</Number></PatientInsurancePolicyData></InsurancePolicies>` +
		`<IsPrimaryCase>true</IsPrimaryCase><Name>Default</Name><PatientCaseID>5</PatientCaseID></PatientCaseData><PatientCaseData/></Cases>` +
		`<DOB>7/4/1980 12:00:00 AM</DOB><FirstName>Test</FirstName><ID>1001</ID><LastModifiedDate>2/20/2026 4:02:11 PM</LastModifiedDate>` +
		`<PracticeId>1</PracticeId><SSN>000-00-0000</SSN></Patient>`)
	got, err := newClient(t, always(200, xmlType, body), nil).Patients.Get(t.Context(), "1001")
	if err != nil {
		t.Fatal(err)
	}
	want := &tebra.Patient{
		ID: "1001", PracticeID: "1", FirstName: "Test", BirthDate: "1980-07-04", Address1: "1 Sample Street",
		Cases: []tebra.Case{{ID: "5", Name: "Default", Primary: true}}, LastModified: time.Date(2026, 2, 20, 16, 2, 11, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got, revealed); diff != "" {
		t.Error(diff)
	}
}

func TestReadMissingPatient(t *testing.T) {
	t.Parallel()
	for members, code := range map[string]tebra.Code{
		`<Patient i:nil="true"/>`:          tebra.NotFound,
		`<Patient/>`:                       tebra.NotFound,
		`<Patient><ID>1002</ID></Patient>`: tebra.Merged,
		``:                                 tebra.Malformed,
		`<Patient><ID>1001</ID><ID>1001</ID></Patient>`: tebra.Malformed,
	} {
		got, err := newClient(t, always(200, xmlType, patientResponse(members)), nil).Patients.Get(t.Context(), "1001")
		if got != nil || !errors.Is(err, &tebra.Error{Code: code}) {
			t.Errorf("%s: got %v, want %s", members, err, code)
		}
	}
}

func TestReadProvidersAndThrottles(t *testing.T) {
	t.Parallel()
	body := responseTo("GetProviders", noError+authorized+`<Providers><ProviderData><Active>True</Active><FullName>Dr Example</FullName>`+
		`<ID>7</ID><SpecialtyName>Family</SpecialtyName><Type>Normal Provider</Type></ProviderData></Providers>`)
	providers, err := newClient(t, always(200, xmlType, body), nil).Directory.Providers(t.Context(), tebra.ProvidersRequest{PracticeName: "P"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]tebra.Provider{{ID: "7", FullName: "Dr Example", Specialty: "Family", Type: "Normal Provider", Active: true}}, providers.Rows, revealed); diff != "" {
		t.Error(diff)
	}
	throttles := func(ms string) ([]tebra.Throttle, error) {
		body := responseTo("GetThrottles", noError+authorized+`<ThrottleDetails><ThrottleDetail><Endpoint>GetPatient</Endpoint><ThrottleTimeMs>`+
			ms+`</ThrottleTimeMs></ThrottleDetail></ThrottleDetails>`)
		return newClient(t, always(200, xmlType, body), nil).System.Throttles(t.Context())
	}
	for ms, want := range map[string]time.Duration{"250": 250 * time.Millisecond, "1.5E3": 1500 * time.Millisecond, "0.5": 500 * time.Microsecond} {
		got, err := throttles(ms)
		if err != nil || !cmp.Equal(got, []tebra.Throttle{{Operation: "GetPatient", Interval: want}}) {
			t.Errorf("%s ms: got %v, %v", ms, got, err)
		}
	}
	for _, ms := range []string{"", "NaN", "-1", "INF", "1e300", canary} {
		if got, err := throttles(ms); len(got) != 0 || err != nil {
			t.Errorf("%q ms: got %v, %v, want no throttle", ms, got, err)
		}
	}
}
