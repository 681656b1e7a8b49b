package tebra_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

const (
	rowBefore = "<AppointmentData><ID>1</ID><PatientID>1001</PatientID><StartDate>2/24/2026 9:00:00 AM</StartDate></AppointmentData>"
	rowAfter  = "<AppointmentData><ID>3</ID><PatientID>1003</PatientID><StartDate>2/24/2026 11:00:00 AM</StartDate></AppointmentData>"
)

// An odd row costs at most itself.
func TestOddRowsCostThemselvesAlone(t *testing.T) {
	t.Parallel()
	const start = "<StartDate>2/24/2026 10:00:00 AM</StartDate>"
	ten := time.Date(2026, 2, 24, 10, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		row      string   // the members of the row between two others
		unread   []string // the row is kept, without these columns
		aside    string   // the row is set aside
		start    time.Time
		repaired int
		none     bool // neither
	}{
		"plain":                            {row: "<ID>2</ID>" + start, start: ten},
		"control reference":                {row: "<ID>2</ID><Notes>a&#xB;b</Notes><PatientFullName>&#0;&#x1F;</PatientFullName>" + start, start: ten, repaired: 3},
		"control character":                {row: "<ID>2</ID><Notes>a\vb\x00</Notes>" + start, start: ten, repaired: 2},
		"undecodable byte":                 {row: "<ID>2</ID><PatientFullName>Mu\xf1oz</PatientFullName>" + start, start: ten, repaired: 1},
		"surrogate and overlong":           {row: "<ID>2</ID><Notes>\xed\xa0\x80\xc0\x80</Notes>" + start, start: ten, repaired: 5},
		"unknown entity":                   {row: "<ID>2</ID><Notes>a&nbsp;b</Notes>" + start, start: ten, repaired: 1},
		"in the practice's name":           {row: "<ID>2</ID><PracticeName>Lake&#xB;side</PracticeName>" + start, unread: []string{"PracticeName"}, start: ten, repaired: 1},
		"ampersand in the practice's name": {row: "<ID>2</ID><PracticeName>Smith & Sons</PracticeName>" + start, start: ten, repaired: 1},
		"in a CDATA section":               {row: "<ID>2</ID><Notes><![CDATA[a\vb&#xB;]]></Notes>" + start, start: ten, repaired: 1},
		"in a comment":                     {row: "<ID>2</ID><Notes>a<!-- \v -->b</Notes>" + start, start: ten},
		"in a column that is unread":       {row: "<Future>\v&#xB;&x;\xff</Future><ID>2</ID>" + start, start: ten},
		"ampersand":                        {row: "<ID>2</ID><Notes>Smith & Sons</Notes>" + start, start: ten, repaired: 1},
		"bad date without a reader":        {row: "<ID>2</ID><LastModifiedDate>Pending</LastModifiedDate>" + start, unread: []string{"LastModifiedDate"}, start: ten},
		"bad end":                          {row: "<EndDate>soon</EndDate><ID>2</ID>" + start, unread: []string{"EndDate"}, start: ten},
		"control character in a date":      {row: "<CreatedDate>2/1/2026\v9:00:00 AM</CreatedDate><ID>2</ID>" + start, unread: []string{"CreatedDate"}, start: ten, repaired: 1},
		"odd boolean":                      {row: "<AllDay>perhaps</AllDay><ID>2</ID><Recurring>2</Recurring>" + start, unread: []string{"AllDay", "Recurring"}, start: ten},
		"odd number":                       {row: "<AppointmentDuration>half an hour</AppointmentDuration><ID>2</ID>" + start, unread: []string{"AppointmentDuration"}, start: ten},
		"identifier of something else": {
			row:    "<ID>2</ID><PatientID>+5</PatientID><PracticeID>one</PracticeID><ResourceID10>-7</ResourceID10><ServiceLocationID>1.5</ServiceLocationID>" + start,
			unread: []string{"PatientID", "PracticeID", "ResourceID10", "ServiceLocationID"}, start: ten,
		},
		"members in a text":           {row: "<ID>2</ID><Notes>a<b>" + canary + "</b></Notes>" + start, unread: []string{"Notes"}, start: ten},
		"member in another namespace": {row: `<ID>2</ID><Notes xmlns="urn:x">a</Notes><Other xmlns="urn:x"/>` + start, unread: []string{"Notes"}, start: ten},
		"start in another namespace":  {row: `<ID>2</ID><StartDate xmlns="urn:x">2/24/2026</StartDate>`, aside: "date"},
		"ID in another namespace":     {row: `<ID xmlns="http://www.kareo.com/api/schemas">2</ID>`, aside: "id"},
		"bad start":                   {row: "<ID>2</ID><StartDate>" + canary + "</StartDate>", aside: "date"},
		"members in a start":          {row: "<ID>2</ID><StartDate><b/></StartDate>", aside: "date"},
		"bad identifier":              {row: "<ID>" + canary + "</ID>" + start, aside: "id", start: ten},
		"signed identifier":           {row: "<ID>+2</ID>" + start, aside: "id", start: ten},
		"padded identifier":           {row: "<ID>002</ID>" + start, aside: "id", start: ten},
		"identifier of 65 bits":       {row: "<ID>36893488147419103232</ID>" + start, aside: "id", start: ten},
		"replaced identifier":         {row: "<ID>2&#xB;</ID>" + start, aside: "id", start: ten, repaired: 1},
		"no identifier":               {row: start, aside: "id", start: ten},
		"no identifier, a patient":    {row: "<PatientFullName>" + canary + "</PatientFullName>", aside: "id"},
		"no identifier, a bad value":  {row: "<AllDay>perhaps</AllDay>", aside: "id"},
		"no identifier, a bad start":  {row: "<StartDate>soon</StartDate>", aside: "date"},
		"identifier twice":            {row: "<ID>2</ID><ID>2</ID>" + start, aside: "repeated", start: ten},
		"start twice":                 {row: "<ID>2</ID>" + start + start, aside: "repeated"},
		"two rows in one":             {row: "<ID>2</ID>" + start + "<ID>4</ID>" + start, aside: "repeated"},
		"text twice":                  {row: "<ID>2</ID><Notes>a</Notes><Notes>b</Notes>" + start, aside: "repeated", start: ten},
		"unread column twice":         {row: "<Future/><Future/><ID>2</ID>" + start, start: ten},
		"text before a member":        {row: "x<ID>2</ID>" + start, aside: "row", start: ten},
		"text after a member":         {row: "<ID>2</ID>" + start + "x", aside: "row", start: ten},
		"text after an unread member": {row: "<ID>2</ID><Future>y</Future>x" + start, aside: "row", start: ten},
		"text alone":                  {row: canary, aside: "row"},
		"CDATA between members":       {row: "<ID>2</ID><![CDATA[x]]>" + start, aside: "row", start: ten},
		"reference between members":   {row: "<ID>2</ID>&#x41;" + start, aside: "row", start: ten},
		"control between members":     {row: "&#xB;<ID>2</ID>\v\n&#0; <!-- x -->" + start + "<![CDATA[\x1f]]>", start: ten, repaired: 4},
		"placeholder":                 {row: "<PracticeName>P</PracticeName>", none: true},
	} {
		var seen tebra.Observation
		list, err := oneList(t, rowBefore+"<AppointmentData>"+tt.row+"</AppointmentData>"+rowAfter, &seen)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var ids []string
		for _, row := range list.Rows {
			ids = append(ids, row.ID.Reveal())
		}
		kept := tt.aside == "" && !tt.none
		want := []string{"1", "3"}
		if kept {
			want = []string{"1", "2", "3"}
		}
		if !slices.Equal(ids, want) || list.Rows[0].PatientID != "1001" || list.Rows[len(list.Rows)-1].PatientID != "1003" {
			t.Errorf("%s: rows %q, want %q", name, ids, want)
			continue
		}
		if row := list.Rows[1]; kept && (!slices.Equal(row.Unread, tt.unread) || !row.Start.Equal(tt.start)) {
			t.Errorf("%s: unread %q from %v, want %q from %v", name, row.Unread, row.Start, tt.unread, tt.start)
		}
		if tt.aside != "" && (len(list.SetAside) != 1 || list.SetAside[0].Reason != tt.aside || !list.SetAside[0].Start.Equal(tt.start)) {
			t.Errorf("%s: set aside %+v, want %s at %v", name, list.SetAside, tt.aside, tt.start)
		}
		if tt.aside == "" && len(list.SetAside) > 0 || list.Partial {
			t.Errorf("%s: set aside %+v, partial %t", name, list.SetAside, list.Partial)
		}
		if seen.Repaired != tt.repaired || seen.SetAside != len(list.SetAside) || seen.Unread != min(1, len(tt.unread)) || seen.Rows != 3 {
			t.Errorf("%s: observed %+v", name, seen)
		}
		if text := fmt.Sprintf("%+v", list.SetAside); strings.Contains(text, canary) {
			t.Errorf("%s: %s quotes the row", name, text)
		}
	}
}

// oneList reads a list of rows in UTC.
func oneList(t *testing.T, rows string, seen *tebra.Observation) (tebra.Appointments, error) {
	t.Helper()
	c := newClient(t, always(200, xmlType, appointments(rows)), func(o *tebra.Options) {
		o.Observe = func(_ context.Context, observed tebra.Observation) { *seen = observed }
	})
	return c.Appointments.List(t.Context(), oneDay())
}

// What is between the rows and no row is set aside, and costs no row.
func TestWhatIsNoRowIsSetAside(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		between string
		aside   int
		rows    int // as observed
	}{
		"another name":        {"<PatientData><ID>7</ID></PatientData>", 1, 3},
		"without the slash":   {`<AppointmentData xmlns="http://www.kareo.com/api/schemas"><ID>7</ID></AppointmentData>`, 1, 3},
		"of another server":   {`<x:AppointmentData xmlns:x="urn:x"><ID>7</ID></x:AppointmentData>`, 1, 3},
		"without a namespace": {`<AppointmentData xmlns=""><ID>7</ID></AppointmentData>`, 1, 3},
		"text":                {canary, 1, 2},
		"text in pieces":      {"a<!-- x --><![CDATA[b]]>&#x43;", 1, 2},
		"text and an element": {"a<Row/>b", 3, 3},
		"control characters":  {"&#xB;\v<!-- x -->\xff", 0, 2},
		"white space":         {"\r\n\t <!-- x -->", 0, 2},
	} {
		var seen tebra.Observation
		list, err := oneList(t, rowBefore+tt.between+rowAfter, &seen)
		if err != nil || len(list.Rows) != 2 || len(list.SetAside) != tt.aside || seen.Rows != tt.rows {
			t.Errorf("%s: %d rows, set aside %+v, observed %+v, %v", name, len(list.Rows), list.SetAside, seen, err)
			continue
		}
		for _, aside := range list.SetAside {
			if aside != (tebra.SetAside{Reason: tebra.SetAsideRow}) {
				t.Errorf("%s: set aside %+v", name, list.SetAside)
			}
		}
	}
}

// Stray text does not count towards the vendor's row limit, however often it occurs.
func TestStrayTextDoesNotCutLists(t *testing.T) {
	t.Parallel()
	var seen tebra.Observation
	list, err := oneList(t, strings.Repeat("<AppointmentData><ID>1</ID></AppointmentData>x", 9_000), &seen)
	if err != nil || len(list.Rows) != 9_000 || len(list.SetAside) != 9_000 || list.Partial {
		t.Errorf("%d rows, %d set aside, partial %t, %v", len(list.Rows), len(list.SetAside), list.Partial, err)
	}
}

// What is no row of a nested list costs the member that contains the list.
func TestOddNestedRowsCostTheirMember(t *testing.T) {
	t.Parallel()
	const one = "<PatientCaseData><PatientCaseID>5</PatientCaseID></PatientCaseData>"
	for name, cases := range map[string]string{
		"text":                 one + "x",
		"another name":         "<Case/>" + one,
		"another namespace":    `<PatientCaseData xmlns="urn:x"/>` + one,
		"text within a row":    one + "<PatientCaseData>x<PatientCaseID>6</PatientCaseID></PatientCaseData>",
		"text instead of rows": canary,
	} {
		page := responseTo("GetAllPatients", noError+authorized+"<Key><nextStartKey>9</nextStartKey></Key><Patients><PatientBatchData><Cases>"+cases+
			"</Cases><ID>1</ID></PatientBatchData><PatientBatchData><Cases>&#xB;"+one+"</Cases><ID>2</ID></PatientBatchData></Patients>")
		got, err := newClient(t, always(200, xmlType, page), nil).Patients.Page(t.Context(), tebra.PatientPagesRequest{Size: 2})
		switch {
		case err != nil || len(got.Rows) != 2 || len(got.SetAside) > 0 || got.Next != "9":
			t.Errorf("%s: page %+v, %v", name, got, err)
		case !slices.Equal(got.Rows[0].Unread, []string{"Cases"}) || len(got.Rows[0].Cases) != strings.Count(cases, one):
			t.Errorf("%s: unread %q, cases %+v", name, got.Rows[0].Unread, got.Rows[0].Cases)
		case len(got.Rows[1].Unread) > 0 || len(got.Rows[1].Cases) != 1:
			t.Errorf("%s: the other patient: %+v", name, got.Rows[1])
		}
	}
}

// An iteration over a list with rows that cannot be read ends like one over a partial list.
func TestIterationsNameTheRowsSetAside(t *testing.T) {
	t.Parallel()
	c := newClient(t, always(200, xmlType, appointments(rowBefore+"<AppointmentData><ID>x</ID></AppointmentData>"+rowAfter)), nil)
	rows, last := 0, error(nil)
	for _, err := range c.Appointments.Rows(t.Context(), oneDay()) {
		if last = err; err == nil {
			rows++
		}
	}
	var incomplete *tebra.IncompleteError
	if rows != 2 || !errors.Is(last, tebra.ErrPartial) || !errors.As(last, &incomplete) || incomplete.Partial || len(incomplete.SetAside) != 1 {
		t.Errorf("%d rows, then %+v", rows, last)
	}
	for w, err := range c.Appointments.Windows(t.Context(), oneDay()) {
		if err != nil || len(w.Rows) != 2 || len(w.SetAside) != 1 {
			t.Errorf("window of %d rows, set aside %+v, %v", len(w.Rows), w.SetAside, err)
		}
	}
}

// The other lists treat their rows alike.
func TestOddRowsOfOtherLists(t *testing.T) {
	t.Parallel()
	list := func(op, list, item, rows string) string {
		return responseTo(op, noError+authorized+"<"+list+"><"+item+"><ID>1</ID></"+item+">"+rows+"<"+item+"><ID>3</ID></"+item+"></"+list+">")
	}
	odd := func(item string) string {
		return "<" + item + "><CreatedDate>soon</CreatedDate><ID>2</ID></" + item + "><" + item + "><ID>x</ID></" + item + ">"
	}
	c := newClient(t, always(200, xmlType, list("GetPatients", "Patients", "PatientData", odd("PatientData"))), nil)
	patients, err := c.Patients.List(t.Context(), tebra.ListPatientsRequest{PracticeID: "1"})
	if err != nil || len(patients.Rows) != 3 || !slices.Equal(patients.Rows[1].Unread, []string{"CreatedDate"}) || len(patients.SetAside) != 1 {
		t.Errorf("%d patients, set aside %+v, %v", len(patients.Rows), patients.SetAside, err)
	}
	page := strings.Replace(list("GetAllPatients", "Patients", "PatientBatchData", odd("PatientBatchData")), "<Patients>", "<Key/><Patients>", 1)
	c = newClient(t, always(200, xmlType, page), nil)
	for size, full := range map[int]bool{4: true, 5: false} {
		all, err := c.Patients.Page(t.Context(), tebra.PatientPagesRequest{Size: size})
		if err != nil || len(all.Rows) != 3 || len(all.SetAside) != 1 || all.Full != full {
			t.Errorf("page of %d patients, set aside %+v, full %t, %v", len(all.Rows), all.SetAside, all.Full, err)
		}
	}
	c = newClient(t, always(200, xmlType, list("GetProviders", "Providers", "ProviderData", odd("ProviderData"))), nil)
	providers, err := c.Directory.Providers(t.Context(), tebra.ProvidersRequest{PracticeName: "P"})
	if err != nil || len(providers.Rows) != 3 || providers.Partial || len(providers.SetAside) != 1 || !slices.Equal(providers.Rows[1].Unread, []string{"CreatedDate"}) {
		t.Errorf("providers %+v, %v", providers, err)
	}
	c = newClient(t, always(200, xmlType, list("GetPractices", "Practices", "PracticeData", odd("PracticeData"))), nil)
	if list, err := c.Directory.Practices(t.Context(), tebra.PracticesRequest{}); err != nil || len(list.Rows) != 3 || list.Partial || len(list.SetAside) != 1 {
		t.Errorf("%d practices, set aside %+v, partial %t, %v", len(list.Rows), list.SetAside, list.Partial, err)
	}
}

// Members of a single record cost themselves, and an update from such a record would clear them.
func TestOddMembersOfSingleRecords(t *testing.T) {
	t.Parallel()
	body := strings.NewReplacer("<PatientCaseId>7<", "<PatientCaseId>x<", "<a:long> 81 <", "<a:long>+81<", "<PatientId>1002<", "<PatientId>x<",
		"<CreatedAt>2026-02-01T15:15:00Z<", "<CreatedAt>soon<", "<DayInterval>7<", "<DayInterval>x<").Replace(fullAppointment)
	c := newClient(t, always(200, xmlType, responseTo("GetAppointment", noError+authorized+body)), nil)
	a, err := c.Appointments.Get(t.Context(), "900001", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(a.Unread)
	want := []string{"CreatedAt", "PatientCaseId", "PatientSummaries", "RecurrenceRule", "ResourceIds"}
	if !slices.Equal(a.Unread, want) || len(a.Attendees) != 1 || len(a.ResourceIDs) != 1 || a.Recurrence == nil {
		t.Errorf("unread %q, %d attendees, %d resources, recurrence %+v", a.Unread, len(a.Attendees), len(a.ResourceIDs), a.Recurrence)
	}
	if _, err := c.Appointments.Update(t.Context(), a.Update(), time.UTC); !errors.Is(err, &tebra.Error{Code: tebra.Invalid}) {
		t.Errorf("an update that would clear what could not be read: %v", err)
	}
	body = strings.Replace(fullAppointment, "<CreatedAt>2026-02-01T15:15:00Z<", "<CreatedAt>soon<", 1)
	c = newClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
		op, _, _ := strings.Cut(strings.Trim(path.Base(r.Header.Get("SOAPAction")), `"`), ".")
		return respond(200, xmlType, strings.NewReader(responseTo(op, noError+authorized+body))), nil
	}), nil)
	if a, err = c.Appointments.Get(t.Context(), "900001", time.UTC); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Appointments.Update(t.Context(), a.Update(), time.UTC); err != nil {
		t.Errorf("an update of what could be read: %v", err)
	}
	c = newClient(t, always(200, xmlType, responseTo("GetPatient", noError+authorized+
		"<Patient><Cases><PatientCaseData><PatientCaseID>5</PatientCaseID></PatientCaseData><PatientCaseData><PatientCaseID>x</PatientCaseID></PatientCaseData></Cases><DOB>2/30/1980</DOB><ID>1001</ID></Patient>")), nil)
	p, err := c.Patients.Get(t.Context(), "1001")
	if err != nil || !slices.Equal(p.Unread, []string{"Cases", "DOB"}) || len(p.Cases) != 1 || p.BirthDate != "" {
		t.Errorf("patient %+v, %v", p, err)
	}
}

// A replaced character is not written back. A text of its own, or one that the vendor itself wrote
// with the replacement, is.
func TestRepairedTextsAreNotWrittenBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		members string
		edit    func(*tebra.AppointmentUpdate)
		invalid bool
	}{
		"notes":                {members: "<Notes>a&#xB;b</Notes>", invalid: true},
		"name":                 {members: "<AppointmentName>Caf\xe9</AppointmentName>", invalid: true},
		"another status":       {members: "<Notes>a&#xB;b</Notes>", edit: func(u *tebra.AppointmentUpdate) { u.Status = tebra.StatusConfirmed }, invalid: true},
		"other notes":          {members: "<Notes>a&#xB;b</Notes>", edit: func(u *tebra.AppointmentUpdate) { u.Notes = "a b" }},
		"no notes":             {members: "<Notes>a&#xB;b</Notes>", edit: func(u *tebra.AppointmentUpdate) { u.Notes = "" }},
		"of the vendor":        {members: "<Notes>a\uFFFDb</Notes>"},
		"a member not written": {members: "<Notes>ab</Notes><PatientSummary><FirstName>&#xB;</FirstName><PatientId>1001</PatientId></PatientSummary>"},
	} {
		body := "<Appointment><AppointmentId>900001</AppointmentId><AppointmentStatus>Scheduled</AppointmentStatus><EndTime>2026-02-24T17:30:00Z</EndTime>" +
			tt.members + "<ServiceLocationId>3</ServiceLocationId><StartTime>2026-02-24T17:00:00Z</StartTime></Appointment>"
		writes := 0
		c := newClient(t, roundTripper(func(r *http.Request) (*http.Response, error) {
			op, _, _ := strings.Cut(strings.Trim(path.Base(r.Header.Get("SOAPAction")), `"`), ".")
			if op == "UpdateAppointment" {
				writes++
			}
			return respond(200, xmlType, strings.NewReader(responseTo(op, noError+authorized+body))), nil
		}), nil)
		a, err := c.Appointments.Get(t.Context(), "900001", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		change := a.Update()
		if tt.edit != nil {
			tt.edit(&change)
		}
		_, err = c.Appointments.Update(t.Context(), change, time.UTC)
		var e *tebra.Error
		refused := errors.As(err, &e) && e.Code == tebra.Invalid && e.Reason == "repaired" && !e.Sent && writes == 0
		if tt.invalid != refused || !tt.invalid && err != nil {
			t.Errorf("%s: %v after %d writes", name, err, writes)
		}
	}
}
