package tebra_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
)

var update = flag.Bool("update", false, "write the golden requests anew")

// The order of members, their namespaces and their escaping are what the vendor reads; the files hold them.
func TestRequestsAreGolden(t *testing.T) {
	t.Parallel()
	for name, call := range examples {
		var got []byte
		c := newClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
			got, _ = io.ReadAll(r.Body)
			op, _, _ := strings.Cut(name, ".")
			if want := `"http://www.kareo.com/api/schemas/KareoServices/` + op + `"`; r.Header.Get("SOAPAction") != want {
				t.Errorf("%s: SOAPAction is %s, want %s", name, r.Header.Get("SOAPAction"), want)
			}
			if r.Header.Get("Content-Type") != xmlType || r.Method != http.MethodPost {
				t.Errorf("%s: %s of %s", name, r.Method, r.Header.Get("Content-Type"))
			}
			return respond(503, "", http.NoBody), nil
		}), nil)
		if err := call(t.Context(), c); !errors.Is(err, &tebra.Error{Code: tebra.Unavailable}) {
			t.Errorf("%s: %v", name, err)
		}
		file := filepath.Join("testdata", name+".request.xml")
		if *update {
			if err := os.WriteFile(file, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s differs from its golden request (-want +got):\n%s", name, diff)
		}
	}
}

func TestRequestsAreRefusedBeforeTheyCost(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 2, 24, 0, 0, 0, 0, time.UTC)
	list := func(edit func(*tebra.ListAppointmentsRequest)) func(*tebra.Client) error {
		return func(c *tebra.Client) error {
			q := oneDay()
			edit(&q)
			_, err := c.Appointments.List(t.Context(), q)
			return err
		}
	}
	patient := func(id string) func(*tebra.Client) error {
		return func(c *tebra.Client) error {
			_, err := c.Patients.Get(t.Context(), id)
			return err
		}
	}
	tests := []invalidCall{
		{"no practice", list(func(q *tebra.ListAppointmentsRequest) { q.PracticeName = " " }), "practice"},
		{"no location", list(func(q *tebra.ListAppointmentsRequest) { q.Location = nil }), "location"},
		{"half a range", list(func(q *tebra.ListAppointmentsRequest) { q.To = time.Time{} }), "range"},
		{"half a range of changes", list(func(q *tebra.ListAppointmentsRequest) { q.ModifiedTo = day }), "range"},
		{"no range", list(func(q *tebra.ListAppointmentsRequest) { q.From, q.To = time.Time{}, time.Time{} }), "range"},
		{"reversed", list(func(q *tebra.ListAppointmentsRequest) { q.To = day.AddDate(0, 0, -1) }), "range"},
		{"61 days", list(func(q *tebra.ListAppointmentsRequest) { q.To = day.AddDate(0, 0, 60) }), "range"},
		{"changes reversed", list(func(q *tebra.ListAppointmentsRequest) { q.ModifiedFrom, q.ModifiedTo = day, day.AddDate(0, 0, -1) }), "range"},
		{"control character", list(func(q *tebra.ListAppointmentsRequest) { q.PracticeName = "a\x01" + canary }), "text"},
		{"not UTF-8", list(func(q *tebra.ListAppointmentsRequest) { q.PracticeName = "\xff" }), "text"},
		{"patient 0", patient("0"), "id"},
		{"patient -1", patient("-1"), "id"},
		{"patient beyond int", patient("2147483648"), "id"},
		{"patient that is no number", patient(canary), "id"},
		{"providers of nothing", func(c *tebra.Client) error {
			_, _, err := c.Directory.Providers(t.Context(), tebra.ProvidersRequest{})
			return err
		}, "practice"},
	}
	for _, tt := range append(tests, invalidCalls(t.Context())...) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := &gate{}
			c := newClient(t, always(200, xmlType, ""), func(o *tebra.Options) { o.Gate = g })
			err := tt.call(c)
			var e *tebra.Error
			if !errors.As(err, &e) || e.Code != tebra.Invalid || e.Reason != tt.reason || e.Sent || len(g.calls) != 0 {
				t.Errorf("got %+v after %d questions to the gate, want invalid (%s) after none", e, len(g.calls), tt.reason)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("error quotes the request: %v", err)
			}
		})
	}
	sixty := oneDay()
	sixty.To = day.AddDate(0, 0, 59)
	if _, err := newClient(t, always(200, xmlType, appointments("")), nil).Appointments.List(t.Context(), sixty); err != nil {
		t.Errorf("60 days: %v", err)
	}
}

func TestAppointmentRowsAreRead(t *testing.T) {
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
		t.Error("printing a row shows whose it is")
	}
}

// revealed lets go-cmp show what differs. Everybody here is invented.
var revealed = cmp.Transformer("reveal", phi.Text.Reveal)

func TestListsAtTheCapArePartial(t *testing.T) {
	t.Parallel()
	row := "<AppointmentData><ID>1</ID></AppointmentData>"
	for rows, partial := range map[int]bool{9_999: false, 10_000: true, 10_500: true} {
		c := newClient(t, always(200, xmlType, appointments(strings.Repeat(row, rows))), nil)
		got, err := c.Appointments.List(t.Context(), oneDay())
		if err != nil || len(got.Rows) != min(rows, 10_000) || got.Partial != partial {
			t.Errorf("%d rows: got %d, partial %t, error %v", rows, len(got.Rows), got.Partial, err)
		}
	}
}

// Lists that are read in one piece say it too when the vendor cut them.
func TestDirectoriesAtTheCapArePartial(t *testing.T) {
	t.Parallel()
	const bare = "http://www.kareo.com/api/schemas"
	for _, tt := range []struct {
		op, list, row, ns string
		read              func(*tebra.Client) (int, bool, error)
	}{
		{"GetProviders", "Providers", "ProviderData", "", func(c *tebra.Client) (int, bool, error) {
			rows, partial, err := c.Directory.Providers(t.Context(), tebra.ProvidersRequest{PracticeName: "P"})
			return len(rows), partial, err
		}},
		{"GetPractices", "Practices", "PracticeData", "", func(c *tebra.Client) (int, bool, error) {
			rows, partial, err := c.Directory.Practices(t.Context(), tebra.PracticesRequest{})
			return len(rows), partial, err
		}},
		{"GetServiceLocations", "ServiceLocations", "ServiceLocationData", bare, func(c *tebra.Client) (int, bool, error) {
			rows, partial, err := c.Directory.ServiceLocations(t.Context(), tebra.ServiceLocationsRequest{PracticeName: "P"})
			return len(rows), partial, err
		}},
		{"GetProcedureCodes", "ProcedureCodes", "ProcedureCodeData", bare, func(c *tebra.Client) (int, bool, error) {
			rows, partial, err := c.Directory.ProcedureCodes(t.Context(), tebra.ProcedureCodesRequest{})
			return len(rows), partial, err
		}},
		{"GetAppointmentReasons", "AppointmentReasons", "AppointmentReasonData", "", func(c *tebra.Client) (int, bool, error) {
			rows, partial, err := c.Appointments.Reasons(t.Context(), "1")
			return len(rows), partial, err
		}},
	} {
		t.Run(tt.op, func(t *testing.T) {
			t.Parallel()
			id, open := "ID", "<"+tt.list+">"
			if tt.op == "GetAppointmentReasons" {
				id = "AppointmentReasonId"
			}
			if tt.ns != "" {
				open = "<" + tt.list + ` xmlns="` + tt.ns + `">`
			}
			row := fmt.Sprintf("<%[1]s><%[2]s>1</%[2]s></%[1]s>", tt.row, id)
			for n, want := range map[int]bool{2: false, 10_000: true} {
				body := responseTo(tt.op, noError+authorized+open+strings.Repeat(row, n)+"</"+tt.list+">")
				rows, partial, err := tt.read(newClient(t, always(200, xmlType, body), nil))
				if rows != n || partial != want || err != nil {
					t.Errorf("%d rows: got %d, partial %t, %v", n, rows, partial, err)
				}
			}
		})
	}
}

// The offset in the filter of a list says nothing about a single appointment, which has no filter and a switch of its own.
// What is read is what an update writes again.
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

func TestPatientIsRead(t *testing.T) {
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

func TestPatientThatIsNotThere(t *testing.T) {
	t.Parallel()
	for members, code := range map[string]tebra.Code{
		`<Patient i:nil="true"/>`:          tebra.NotFound,
		`<Patient/>`:                       tebra.NotFound,
		`<Patient><ID>1002</ID></Patient>`: tebra.Malformed, // somebody else
		``:                                 tebra.Malformed,
		`<Patient><ID>1001</ID><DOB>13/13/1980</DOB></Patient>`: tebra.Malformed,
	} {
		got, err := newClient(t, always(200, xmlType, patientResponse(members)), nil).Patients.Get(t.Context(), "1001")
		if got != nil || !errors.Is(err, &tebra.Error{Code: code}) {
			t.Errorf("%s: got %v, want %s", members, err, code)
		}
	}
}

func TestProvidersAndThrottlesAreRead(t *testing.T) {
	t.Parallel()
	body := responseTo("GetProviders", noError+authorized+`<Providers><ProviderData><Active>True</Active><FullName>Dr Example</FullName>`+
		`<ID>7</ID><SpecialtyName>Family</SpecialtyName><Type>Normal Provider</Type></ProviderData></Providers>`)
	providers, _, err := newClient(t, always(200, xmlType, body), nil).Directory.Providers(t.Context(), tebra.ProvidersRequest{PracticeName: "P"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]tebra.Provider{{ID: "7", FullName: "Dr Example", Specialty: "Family", Type: "Normal Provider", Active: true}}, providers, revealed); diff != "" {
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
		if _, err := throttles(ms); !errors.Is(err, &tebra.Error{Code: tebra.Malformed}) {
			t.Errorf("%q ms: got %v, want malformed", ms, err)
		}
	}
}

// endless repeats its text for as long as anybody should listen and eight times longer, and counts what was taken.
type endlessBody struct {
	head, text string
	consumed   int64
}

func (e *endlessBody) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.consumed > 64<<20 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		i := int(e.consumed+int64(n)) % len(e.text)
		n += copy(p[n:], e.text[i:])
	}
	e.consumed += int64(n)
	return n, nil
}

// Answers without end are left after a bounded part of them, whatever they are made of.
func TestEndlessAnswersAreLeft(t *testing.T) { //nolint:paralleltest // it measures the heap
	open, _, _ := strings.Cut(appointments("|"), "|")
	for name, text := range map[string]string{
		"rows":                "<AppointmentData><ID>1</ID></AppointmentData>",
		"text":                "a",
		"white space":         " ",
		"comments":            "<!-- -->",
		"members of a row":    "<x>1</x>",
		"attributes":          ` a="1"`,
		"elements never shut": "<x>",
	} {
		head := open
		switch name {
		case "attributes":
			head += "<AppointmentData"
		case "members of a row", "text":
			head += "<AppointmentData><Notes>"
		}
		body := &endlessBody{head: head, text: text}
		c := newClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
			return respond(200, xmlType, body), nil
		}), func(o *tebra.Options) { o.MaxBytes = 8 << 20 })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		list, err := c.Appointments.List(t.Context(), oneDay())
		runtime.GC()
		runtime.ReadMemStats(&after)
		if name == "rows" {
			if err != nil || !list.Partial {
				t.Errorf("%s: partial %t, error %v", name, list.Partial, err)
			}
		} else if !errors.Is(err, &tebra.Error{Code: tebra.Malformed}) {
			t.Errorf("%s: got %v, want malformed", name, err)
		}
		most := int64(8 << 20)
		if name == "text" || name == "attributes" || name == "white space" {
			most = 4 << 20 // nothing between two tags is as long
		}
		if body.consumed > most+64<<10 {
			t.Errorf("%s: %d bytes were taken, want at most %d", name, body.consumed, most)
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
			t.Errorf("%s: heap grew by %d bytes", name, grown)
		}
		runtime.KeepAlive(list)
	}
}

func TestOperationsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	ops := tebra.Operations()
	var names []string
	for _, op := range ops {
		names = append(names, op.Name)
		if op.Class == 0 || op.Class.String() == "unknown" || op.Interval <= 0 || op.Timeout <= 0 {
			t.Errorf("%s has no policy", op.Name)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("not by name: %v", names)
	}
	ops[0].Timeout = 0
	if tebra.Operations()[0].Timeout == 0 {
		t.Error("the table can be changed from outside")
	}
}
