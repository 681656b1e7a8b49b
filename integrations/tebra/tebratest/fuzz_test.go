package tebratest

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

// The cost of a text in many pieces must be linear. Allocations are counted for the whole process,
// so no other test may run at the same time.
func TestTextInPieces(t *testing.T) { //nolint:paralleltest // see above
	const pieces = 100_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	root, err := parse(strings.NewReader("<a>" + strings.Repeat("x<!---->", pieces) + "</a>"))
	runtime.ReadMemStats(&after)
	if err != nil || root.text.Len() != pieces {
		t.Fatalf("%d bytes of text, %v", root.text.Len(), err)
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 100<<20 {
		t.Errorf("%d MB allocated for a request of less than 1 MB", spent>>20)
	}
}

func TestRequestLimits(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"deep":     strings.Repeat("<a>", 70) + strings.Repeat("</a>", 70),
		"wide":     "<a>" + strings.Repeat("<b/>", maxNodes) + "</a>",
		"long":     "<a>" + strings.Repeat("x", 4<<20) + "</a>",
		"two":      "<a/><b/>",
		"none":     "",
		"unclosed": "<a>",
	} {
		if _, err := parse(strings.NewReader(body)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzRequest reads arbitrary requests as every operation.
func FuzzRequest(f *testing.F) {
	f.Add(`<k:request xmlns:k="http://www.kareo.com/api/schemas/"><k:RequestHeader><k:User>u</k:User></k:RequestHeader><k:Fields/><k:Filter/></k:request>`)
	f.Add(`<a><b xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/></a>`)
	f.Add(strings.Repeat("<a>", 80))
	f.Fuzz(func(t *testing.T, body string) {
		root, err := parse(strings.NewReader(body))
		if err != nil {
			return
		}
		for _, m := range contract.operations {
			got, err := bind(root, m.in)
			if err == nil && m.hasHeader() && !got.has("RequestHeader") {
				t.Errorf("%s is read without its header", m.name)
			}
			if len(got) > len(m.in.members) {
				t.Errorf("%s has %d members", m.name, len(got))
			}
		}
	})
}

// FuzzOperations executes arbitrary authenticated requests as every operation. Responses are always
// well-formed XML, and their status states whether they are a fault.
func FuzzOperations(f *testing.F) {
	s, err := New(Config{Throttles: Throttles{Off: true}, Accounts: []Account{{
		CustomerKey: "k", User: "u", Password: "p", Practices: []Practice{{Patients: 20, VisitsPerDay: 4}},
	}}})
	if err != nil {
		f.Fatal(err)
	}
	for i, m := range contract.operations {
		f.Add(uint8(i), "<k:Fields/><k:Filter/>")
		f.Add(uint8(i), "<k:Patient><k:FirstName>a</k:FirstName><k:LastName>b</k:LastName><k:PatientID>1000001</k:PatientID><k:Practice><k:PracticeID>1</k:PracticeID></k:Practice></k:Patient>")
		if strings.Contains(m.name, "Appointments") {
			f.Add(uint8(i), "<k:Fields/><k:Filter><k:FromLastModifiedDate>1/1/0001</k:FromLastModifiedDate><k:TimeZoneOffsetFromGMT>14</k:TimeZoneOffsetFromGMT></k:Filter>")
		} else if strings.HasSuffix(m.name, "Appointment") {
			f.Add(uint8(i), "<k:Appointment><k:AppointmentId>109552000</k:AppointmentId><k:AppointmentStatus>Roomed</k:AppointmentStatus>"+
				"<k:AppointmentType>P</k:AppointmentType><k:EndTime>2026-02-24T09:00:00Z</k:EndTime><k:IsRecurring>1</k:IsRecurring><k:PatientId>1000002</k:PatientId>"+
				"<k:PatientSummary><k:PatientId>1000001</k:PatientId></k:PatientSummary><k:PracticeId>1</k:PracticeId><k:ProviderId>7</k:ProviderId>"+
				"<k:RecurrenceRule><k:DayInterval>1</k:DayInterval><k:NumOccurrences>3</k:NumOccurrences></k:RecurrenceRule>"+
				"<k:ServiceLocationId>3</k:ServiceLocationId><k:StartTime>2026-02-24T08:00:00Z</k:StartTime></k:Appointment>")
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, members string) {
		m := contract.operations[int(i)%len(contract.operations)]
		body := `<s:Envelope xmlns:s="` + nsSOAP + `" xmlns:k="` + nsKareo + `"><s:Body><k:` + m.name + `><k:` + m.parameter + `><k:RequestHeader>` +
			`<k:CustomerKey>k</k:CustomerKey><k:Password>p</k:Password><k:User>u</k:User></k:RequestHeader>` + members +
			`</k:` + m.parameter + `></k:` + m.name + `></s:Body></s:Envelope>`
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, strings.NewReader(body))
		r.Header.Set("Content-Type", "text/xml")
		r.Header.Set("SOAPAction", nsKareo+"KareoServices/"+m.name)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		response := w.Body.String()
		if err := xml.Unmarshal(w.Body.Bytes(), new(struct{})); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if fault := strings.Contains(response, ":Fault>"); fault != (w.Code == http.StatusInternalServerError) {
			t.Errorf("%s: status %d, fault %t", m.name, w.Code, fault)
		}
	})
}
