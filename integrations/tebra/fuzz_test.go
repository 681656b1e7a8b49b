package tebra

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"
)

const fuzzHead = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` +
	`<GetAppointmentsResponse xmlns="http://www.kareo.com/api/schemas/"><GetAppointmentsResult>` +
	`<ErrorResponse><IsError>false</IsError></ErrorResponse><Appointments>`

const fuzzTail = `</Appointments></GetAppointmentsResult></GetAppointmentsResponse></s:Body></s:Envelope>`

// readAppointments decodes a response as AppointmentsService.List does, without making a call.
func readAppointments(body string, limit int64) (rows []Appointment, meta metadata, read int64, err error) {
	return readAppointmentsFrom(strings.NewReader(body), limit)
}

func readAppointmentsFrom(body io.Reader, limit int64) (rows []Appointment, meta metadata, read int64, err error) {
	r := newReader(body, limit)
	d := newDelivery(&rows)
	meta, err = r.envelope(&opGetAppointments, func(el xml.Name) error {
		if el.Local != opGetAppointments.payload {
			return nil
		}
		if err := r.list("AppointmentData", maxRows, func(known bool) error { return d.read(r, known) }); err != nil {
			return err
		}
		return d.flush(r)
	})
	return rows, meta, r.total, err
}

// newDelivery returns the delivery of a list of appointments in UTC.
func newDelivery(rows *[]Appointment) *delivery[scheduleRow, Appointment] {
	return &delivery[scheduleRow, Appointment]{
		listing: &listing[scheduleRow, Appointment]{
			columns: scheduleColumns, finish: func(a *scheduleRow) Appointment { return a.compact(time.UTC) },
			hasID: func(a *scheduleRow) bool { return a.ID != "" }, hasContent: (*scheduleRow).hasContent,
			span: func(a *scheduleRow, unread []string) (start, end time.Time) { return a.asideSpan(time.UTC, unread) },
		},
		fn: func(row Appointment) bool {
			*rows = append(*rows, row)
			return true
		},
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(fuzzHead + "<AppointmentData><ID>1</ID></AppointmentData>" + fuzzTail)
	f.Add(fuzzHead + fuzzTail + fuzzHead)
	f.Add(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>a:X</faultcode></s:Fault></s:Body></s:Envelope>`)
	f.Add("<!DOCTYPE x [<!ENTITY a \"b\">]>")
	f.Add(strings.Repeat("<a>", 100))
	f.Add("\xff\xfe<\x00")
	f.Fuzz(func(t *testing.T, body string) {
		const limit = 64 << 10
		_, meta, read, err := readAppointments(body, limit)
		if read > limit+1<<16 {
			t.Errorf("read %d bytes over a limit of %d", read, limit)
		}
		resp := response{status: 200, meta: meta, decodeErr: err, sent: true}
		code, reason := resp.classify()
		if err != nil && code == "" {
			t.Errorf("a response that failed to decode counts as success: %v", err)
		}
		if code == "" && !meta.hasPayload {
			t.Error("success without a payload")
		}
		if len(reason) > 20 {
			t.Errorf("reason %q is not a keyword of this package", reason)
		}
		_, again, _, err2 := readAppointments(body, limit)
		if again != meta || (err == nil) != (err2 == nil) {
			t.Error("the same response decodes differently twice")
		}
	})
}

func FuzzRows(f *testing.F) {
	f.Add("<AppointmentData><ID>1</ID><StartDate>2/24/2026 11:00:00 AM</StartDate><ResourceID10>4</ResourceID10></AppointmentData>")
	f.Add("<AppointmentData/><AppointmentData><ID/></AppointmentData>")
	f.Add(`<AppointmentData><ID xmlns="http://www.kareo.com/api/schemas">1</ID></AppointmentData>`)
	f.Add("<AppointmentData><AppointmentReason0>a</AppointmentReason0><ResourceName11>b</ResourceName11></AppointmentData>")
	f.Fuzz(func(t *testing.T, inside string) {
		rows, _, _, err := readAppointments(fuzzHead+inside+fuzzTail, 64<<10)
		if err != nil {
			return
		}
		if len(rows) > strings.Count(inside, "AppointmentData") {
			t.Errorf("%d rows, more than there are elements", len(rows))
		}
		for _, row := range rows {
			if len(row.Resources) > 10 || len(row.Reasons) > 10 {
				t.Errorf("%d resources, %d reasons", len(row.Resources), len(row.Reasons))
			}
			for _, at := range []time.Time{row.Start, row.End, row.Created, row.LastModified} {
				if !at.IsZero() && (at.Year() < 1899 || at.Year() > 2200) {
					t.Errorf("date in the year %d", at.Year())
				}
			}
		}
	})
}

func FuzzDates(f *testing.F) {
	for _, text := range []string{"2/24/2026 11:00:00 AM", "1/1/0001 12:00:00 AM", "2026-02-24T11:00:00Z", "2/30/2026", "7/4/1080", "24:00", "", "1/1/20266"} {
		f.Add(text)
	}
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		f.Fatal(err)
	}
	wall := PracticeWall.pair(chicago)
	f.Fuzz(func(t *testing.T, text string) {
		m, ok := parseRowTime(text, wall)
		at := m.first
		if !ok && !at.IsZero() {
			t.Error("an invalid time is not zero")
		}
		compareWithLayouts(t, text)
		date, dateOK := parseRowDate(text)
		if dateOK && date != "" {
			if again, ok := parseRowDate(date); !ok || again != date {
				t.Errorf("%q does not parse to itself", date)
			}
		}
		if ok && !at.IsZero() {
			back, ok := parseRowTime(at.In(time.UTC).Format("2006-01-02T15:04:05.999999999Z07:00"), wall)
			if !ok || !back.first.Equal(at) {
				t.Errorf("%v formatted and parsed is %v", at, back.first)
			}
		}
	})
}

// FuzzTyped decodes responses of typed operations, whose records are nested.
func FuzzTyped(f *testing.F) {
	for _, members := range []string{
		`<Appointment><AppointmentId>1</AppointmentId><IsRecurring>true</IsRecurring><PatientSummary><PatientId>2</PatientId></PatientSummary></Appointment>`,
		`<Appointment><PatientSummaries><GroupPatientSummary><PatientId>2</PatientId><Status>PRESENT</Status></GroupPatientSummary></PatientSummaries></Appointment>`,
		`<Appointment><RecurrenceRule><DayInterval>7</DayInterval><DayOfWeek xmlns:a="http://schemas.datacontract.org/2004/07/System"><a:DayOfWeek>Monday</a:DayOfWeek></DayOfWeek></RecurrenceRule></Appointment>`,
		`<Appointment><ResourceIds xmlns:a="http://schemas.microsoft.com/2003/10/Serialization/Arrays"><a:long>7</a:long></ResourceIds><StartTime>2026-02-24T17:00:00Z</StartTime></Appointment>`,
	} {
		f.Add(members)
	}
	prefix := strings.NewReplacer("GetAppointments", "GetAppointment", "<Appointments>", "").Replace(fuzzHead)
	tail := strings.NewReplacer("GetAppointments", "GetAppointment", "</Appointments>", "").Replace(fuzzTail)
	f.Fuzz(func(t *testing.T, members string) {
		var a detailRow
		r := newReader(strings.NewReader(prefix+members+tail), 64<<10)
		_, err := r.envelope(&opGetAppointment, func(el xml.Name) error {
			if el.Local != opGetAppointment.payload {
				return nil
			}
			_, err := detailColumns.read(r, &a)
			return err
		})
		if err != nil {
			return
		}
		for _, id := range []string{a.ID.Reveal(), a.Patient.Reveal(), a.CaseID.Reveal(), a.PracticeID} {
			if id != "" && !isIdentifier(id, 64) {
				t.Errorf("invalid identifier %q", id)
			}
		}
		if len(a.Attendees) > maxItems || len(a.ResourceIDs) > maxItems {
			t.Errorf("%d attendees, %d resources", len(a.Attendees), len(a.ResourceIDs))
		}
	})
}
