package tebra_test

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// fullAppointment has every member set. It is a recurring group appointment without an end.
const fullAppointment = `<Appointment><AppointmentId>900001</AppointmentId><AppointmentMode>InOffice</AppointmentMode>` +
	`<AppointmentName>Group &amp; more</AppointmentName><AppointmentReasonId>2</AppointmentReasonId>` +
	`<AppointmentStatus>CheckedIn</AppointmentStatus><AppointmentType>P</AppointmentType><AppointmentUUID>x</AppointmentUUID>` +
	`<CreatedAt>2026-02-01T15:15:00Z</CreatedAt><EndTime>2026-02-24T18:30:00Z</EndTime>` +
	`<InsurancePolicyAuthorizationId>9</InsurancePolicyAuthorizationId><IsDeleted>false</IsDeleted>` +
	`<IsGroupAppointment>true</IsGroupAppointment><IsRecurring>true</IsRecurring><MaxAttendees>5</MaxAttendees><Notes>a note</Notes>` +
	`<OccurrenceId i:nil="true"/><PatientCaseId>7</PatientCaseId><PatientSummaries><GroupPatientSummary><FirstName>Test</FirstName>` +
	`<LastName>O'Patient</LastName><PatientId>1001</PatientId><Status>PRESENT</Status></GroupPatientSummary><GroupPatientSummary>` +
	`<PatientId>1002</PatientId><Status>NO_SHOW</Status></GroupPatientSummary></PatientSummaries><PatientSummary i:nil="true"/>` +
	`<PracticeId>1</PracticeId><ProviderId>70</ProviderId><RecurrenceRule><DayInterval>7</DayInterval>` +
	`<DayOfWeek xmlns:a="http://schemas.datacontract.org/2004/07/System"><a:DayOfWeek>Tuesday</a:DayOfWeek><a:DayOfWeek>Friday</a:DayOfWeek></DayOfWeek>` +
	`<EndDate>9999-12-31T23:59:59.9999999</EndDate><NumOccurrences>8</NumOccurrences><RecurrenceRuleId>12</RecurrenceRuleId>` +
	`<StartDate>2026-02-24T06:00:00Z</StartDate></RecurrenceRule><ResourceId>8</ResourceId>` +
	`<ResourceIds xmlns:a="http://schemas.microsoft.com/2003/10/Serialization/Arrays"><a:long>8</a:long><a:long> 81 </a:long><a:long>0</a:long></ResourceIds>` +
	`<ServiceLocationId>3</ServiceLocationId><StartTime>2026-02-24T17:30:00Z</StartTime><UpdatedAt>2026-02-20T16:02:11Z</UpdatedAt></Appointment>`

func TestReadSingleAppointment(t *testing.T) {
	t.Parallel()
	at := func(y int, m time.Month, d, h, minute, s int) time.Time {
		return time.Date(y, m, d, h, minute, s, 0, time.UTC)
	}
	want := &tebra.AppointmentDetail{
		ID: "900001", PracticeID: "1", Status: tebra.StatusCheckedIn, Type: "P", Mode: "InOffice", Name: "Group & more", Notes: "a note",
		Start: at(2026, 2, 24, 17, 30, 0), End: at(2026, 2, 24, 18, 30, 0), Group: true, MaxAttendees: 5, CaseID: "7", AuthorizationID: "9", ReasonID: "2",
		Attendees: []tebra.Attendee{
			{PatientID: "1001", FirstName: "Test", LastName: "O'Patient", Status: "PRESENT"}, {PatientID: "1002", Status: "NO_SHOW"},
		},
		Day: at(2026, 2, 24, 0, 0, 0), ProviderID: "70", ResourceID: "8", ResourceIDs: []phi.Text{"8", "81"}, ServiceLocationID: "3", Recurring: true,
		Recurrence: &tebra.Recurrence{
			Start: at(2026, 2, 24, 6, 0, 0), EveryDays: 7, Occurrences: 8, Weekdays: []string{"Tuesday", "Friday"}, RuleID: "12",
		},
		Created: at(2026, 2, 1, 15, 15, 0), Updated: at(2026, 2, 20, 16, 2, 11),
	}
	for _, name := range []string{"UTC", "America/Chicago", "Asia/Kolkata"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		body := responseTo("GetAppointment", noError+authorized+fullAppointment)
		got, err := newClient(t, always(200, xmlType, body), nil).Appointments.Get(t.Context(), "900001", zone)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, revealed); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if got.Start.Location() != zone || got.Recurrence.Start.Location() != zone {
			t.Errorf("times are in %s, want %s", got.Start.Location(), name)
		}
	}
}

// The vendor clears members that an update leaves out, so everything that was read must be sent.
func TestUpdateSendsEverythingRead(t *testing.T) {
	t.Parallel()
	sent := ""
	c := newClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(body), "UpdateAppointment") {
			sent = string(body)
			return respond(200, xmlType, strings.NewReader(responseTo("UpdateAppointment", noError+authorized+fullAppointment))), nil
		}
		return respond(200, xmlType, strings.NewReader(responseTo("GetAppointment", noError+authorized+fullAppointment))), nil
	}), nil)
	a, err := c.Appointments.Get(t.Context(), "900001", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Appointments.Update(t.Context(), a.Update(), time.UTC); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range regexp.MustCompile(`<[ka]:(\w+)>([^<]*)</`).FindAllStringSubmatch(sent, -1) {
		got[m[1]] += m[2]
	}
	for member, want := range map[string]string{
		"AppointmentId": "900001", "AppointmentMode": "InOffice", "AppointmentName": "Group &amp; more", "AppointmentReasonId": "2",
		"AppointmentStatus": "CheckedIn", "EndTime": "2026-02-24T18:30:00Z", "InsurancePolicyAuthorizationId": "9", "IsRecurring": "true",
		"MaxAttendees": "5", "Notes": "a note", "PatientCaseId": "7", "PatientId": "0", "ProviderId": "70", "ResourceId": "8", "long": "881",
		"ServiceLocationId": "3", "StartTime": "2026-02-24T17:30:00Z",
	} {
		if got[member] != want {
			t.Errorf("%s is %q, want %q", member, got[member], want)
		}
	}
}

// A list is requested in UTC, around the hour that Chicago skips.
func TestGreenwichLists(t *testing.T) {
	t.Parallel()
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	sent := ""
	body := appointments("<AppointmentData><EndDate>3/8/2026 9:30:00 AM</EndDate><ID>1</ID><StartDate>3/8/2026 7:30:00 AM</StartDate></AppointmentData>")
	c := newClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		request, err := io.ReadAll(r.Body)
		sent = string(request)
		return respond(200, xmlType, strings.NewReader(body)), err
	}), func(o *tebra.Options) { o.Zones = tebra.Greenwich })
	day := time.Date(2026, 3, 8, 12, 0, 0, 0, chicago)
	list, err := c.Appointments.List(t.Context(), tebra.ListAppointmentsRequest{PracticeName: "P", From: day, To: day, Location: chicago})
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{
		"<k:StartDate>3/8/2026 6:00:00 AM<", "<k:EndDate>3/9/2026 4:59:59 AM<", "<k:TimeZoneOffsetFromGMT>0<",
	} {
		if !strings.Contains(sent, member) {
			t.Errorf("%s is missing in %s", member, sent)
		}
	}
	if a := list.Rows[0]; a.Start.Format(time.RFC3339) != "2026-03-08T01:30:00-06:00" || a.End.Format(time.RFC3339) != "2026-03-08T04:30:00-05:00" {
		t.Errorf("from %s to %s", a.Start, a.End)
	}
}

// A range of 130 days is split into windows that the vendor accepts. A failed window states from
// where to resume.
func TestWindowsOfChanges(t *testing.T) {
	t.Parallel()
	filter := regexp.MustCompile(`<k:FromLastModifiedDate>(\S+) .*<k:ToLastModifiedDate>(\S+) `)
	var asked [][]string
	fail := 2
	c := newClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		request, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(request), "StartDate") {
			t.Errorf("request for visits: %s", request)
		}
		asked = append(asked, filter.FindStringSubmatch(string(request))[1:])
		if len(asked) == fail {
			return respond(503, "", http.NoBody), nil
		}
		return respond(200, xmlType, strings.NewReader(appointments(""))), nil
	}), nil)
	req := tebra.ListAppointmentsRequest{
		PracticeName: "P", Location: time.UTC, ModifiedFrom: time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC), ModifiedTo: time.Date(2026, 5, 10, 9, 0, 0, 0, time.UTC),
	}
	var failed error
	for req.ModifiedFrom.Before(req.ModifiedTo) {
		for w, err := range c.Appointments.Windows(t.Context(), req) {
			if err != nil {
				failed, req.ModifiedFrom = err, w.From
				break
			}
			req.ModifiedFrom = w.To.AddDate(0, 0, 1)
		}
	}
	want := [][]string{{"1/1/2026", "3/1/2026"}, {"3/2/2026", "4/30/2026"}, {"3/2/2026", "4/30/2026"}, {"5/1/2026", "5/10/2026"}}
	if diff := cmp.Diff(want, asked); diff != "" || !errors.Is(failed, &tebra.Error{Code: tebra.Unavailable}) {
		t.Errorf("%v\n%s", failed, diff)
	}
	asked = nil
	for name, edit := range map[string]func(*tebra.ListAppointmentsRequest){
		"250 years": func(q *tebra.ListAppointmentsRequest) { q.ModifiedFrom = q.ModifiedTo.AddDate(-250, 0, 0) },
		"9,998": func(q *tebra.ListAppointmentsRequest) {
			q.ModifiedFrom, q.ModifiedTo = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		},
		"changes of a year and visits of a day": func(q *tebra.ListAppointmentsRequest) {
			q.From, q.To, q.ModifiedFrom = q.ModifiedTo, q.ModifiedTo, q.ModifiedTo.AddDate(-1, 0, 0)
		},
	} {
		q := req
		edit(&q)
		n := 0
		for _, err := range c.Appointments.Windows(t.Context(), q) {
			if n++; !errors.Is(err, &tebra.Error{Code: tebra.Invalid}) || n > 1 {
				t.Fatalf("%s: %v, want one error", name, err)
			}
		}
	}
	if asked != nil {
		t.Errorf("requests were sent: %v", asked)
	}
}
