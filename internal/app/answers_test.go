package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/tasks"
)

// rowKind is a way in which the vendor can write a row.
type rowKind struct {
	name string
	// rewrite changes the row, which begins at the hour of nine.
	rewrite func(row string) string
	// code is under what the board counts the row; "" if the board shows it.
	code codes.Code
}

// text replaces a member's text.
func text(member, by string) func(string) string {
	return func(row string) string {
		before, rest, _ := strings.Cut(row, "<"+member+">")
		_, after, _ := strings.Cut(rest, "</"+member+">")
		return before + "<" + member + ">" + by + "</" + member + ">" + after
	}
}

// start writes the row's start in another form.
func start(layout string) func(string) string {
	return func(row string) string {
		match := startPattern.FindStringSubmatch(row)
		t, err := time.Parse("1/2/2006 3:04:05 PM", match[1])
		if err != nil {
			return row
		}
		return text("StartDate", t.Format(layout))(row)
	}
}

// twentyFourHours writes the row's dates in a form with 24 hours, one of them in the afternoon.
func twentyFourHours(layout string) func(string) string {
	return func(row string) string {
		return clockPattern.ReplaceAllStringFunc(text("CreatedDate", "2/1/2026 1:05:00 PM")(row), func(date string) string {
			t, err := time.Parse("1/2/2006 3:04:05 PM", date)
			if err != nil {
				return date
			}
			return t.Format(layout)
		})
	}
}

var (
	clockPattern = regexp.MustCompile(`\d+/\d+/\d{4} \d+:\d\d:\d\d [AP]M`)
	rowPattern   = regexp.MustCompile(`(?s)<AppointmentData>.*?</AppointmentData>`)
	startPattern = regexp.MustCompile(`<StartDate>([^<]*)</StartDate>`)
	idPattern    = regexp.MustCompile(`<ID>(\d+)</ID>`)
)

func rowKinds() []rowKind {
	repeat := func(member string) func(string) string {
		return func(row string) string {
			at := strings.Index(row, "<"+member+">")
			end := strings.Index(row, "</"+member+">") + len("</"+member+">")
			return row[:end] + row[at:end] + row[end:]
		}
	}
	kinds := []rowKind{
		{"a start that is no date", text("StartDate", "soon"), codes.RowUndated},
		{"a start that does not exist", text("StartDate", "2/30/2026 9:00:00 AM"), codes.RowUndated},
		{"a start without AM or PM", start("1/2/2006 3:04:05"), codes.RowUndated},
		{"a start with members", text("StartDate", "<b/>"), codes.RowUndated},
		{"an identifier that is no number", text("ID", "none"), codes.RowUnidentified},
		{"a signed identifier", text("ID", "+5"), codes.RowUnidentified},
		{"an identifier in another namespace", func(row string) string { return strings.Replace(row, "<ID>", `<ID xmlns="urn:other">`, 1) }, codes.RowUnidentified},
		{"no identifier", func(row string) string { return strings.Replace(row, idPattern.FindString(row), "", 1) }, codes.RowUnidentified},
		{"two identifiers", repeat("ID"), codes.RowUnreadable},
		{"two starts", repeat("StartDate"), codes.RowUnreadable},
		{"two patients", repeat("PatientID"), codes.RowUnreadable},
		{"text between members", func(row string) string { return strings.Replace(row, "<ID>", "x<ID>", 1) }, codes.RowUnreadable},
		{"another namespace", func(row string) string {
			return strings.Replace(row, "<AppointmentData>", `<AppointmentData xmlns="http://www.kareo.com/api/schemas">`, 1)
		}, codes.RowUnreadable},
		{"a padded start without AM or PM", start("01/02/2006 03:04:05"), codes.RowUndated},
		{"another kind of row", func(row string) string { return strings.ReplaceAll(row, "AppointmentData>", "AppointmentDatum>") }, codes.RowUnreadable},
	}
	for _, garbage := range []string{"&#xB;", "\v", "&#0;", "\x00", "&#x1F;", "&#xD800;", "&#x110000;", "\xe9", "\xed\xa0\x80", "\xc0\x80", "&nbsp;", "&bogus;", "Smith & Sons", "]]>", "<![CDATA[\v&#xB;]]>", "<!-- \v --> ", "<b>nested</b>"} {
		kinds = append(kinds, rowKind{fmt.Sprintf("%q in a name", garbage), text("PatientFullName", "A"+garbage+"B"), ""})
	}
	for member, odd := range map[string]string{
		"LastModifiedDate": "Pending", "CreatedDate": "\v", "EndDate": "2/30/2026", "AppointmentDuration": "half", "AllDay": "maybe", "Recurring": "2",
		"PatientCaseID": "1.5", "ServiceLocationID": "main", "ResourceID1": "-7", "AppointmentReasonID1": "&bogus;",
	} {
		kinds = append(kinds, rowKind{fmt.Sprintf("%s of %q", member, odd), text(member, odd), ""})
	}
	for _, layout := range []string{
		"1/2/2006 3:04:05\u202fPM", "1/2/2006\u00a03:04\u00a0pm", "1/2/2006 3:04 pm", "Jan _2 2006  3:04PM", "2006-01-02T15:04", "2006-01-02 15:04:05.0000000",
	} {
		kinds = append(kinds, rowKind{"a start like " + layout, start(layout), ""})
	}
	for _, layout := range []string{"1/2/2006 15:04:05", "01/02/2006 15:04"} {
		kinds = append(kinds, rowKind{"dates like " + layout, twentyFourHours(layout), ""})
	}
	return kinds
}

// rewriting is a vendor that writes chosen rows in another way.
type rewriting struct {
	vendor http.Handler
	rows   map[string]func(string) string // by identifier
}

func (v *rewriting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	v.vendor.ServeHTTP(rec, r)
	body := rowPattern.ReplaceAllStringFunc(rec.Body.String(), func(row string) string {
		if id := idPattern.FindStringSubmatch(row); len(id) == 2 && v.rows[id[1]] != nil {
			return v.rows[id[1]](row)
		}
		return row
	})
	w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
	w.WriteHeader(rec.Code)
	_, _ = io.WriteString(w, body) // an error means that the worker has gone
}

// workFast runs a worker that knows the simulator's throttles and keeps small margins.
func (sys *system) workFast(t *testing.T, tools *Tools) {
	t.Helper()
	sys.work(t, func(o *WorkerOptions) {
		adjust := o.Flow
		o.Flow = func(f *flow.Options) {
			adjust(f)
			f.MinMargin = 2 * time.Millisecond
		}
	})
	r, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncThrottles{})
	if err != nil {
		t.Fatal(err)
	}
	sys.ends(t, tools, r.ID, tasks.StateDone)
}

// sync demands one day of the first practice and returns the task's ID.
func (sys *system) sync(t *testing.T, tools *Tools, day time.Time) string {
	t.Helper()
	on := civil.DateOf(day)
	r, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncSchedule{Practice: "1", From: on, To: on})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// boardVisit and omission are what the test compares of a board's JSON.
type boardVisit struct {
	Appointment string    `json:"appointment"`
	Start       time.Time `json:"start"`
}

type omission struct {
	Code codes.Code `json:"code"`
	Rows int        `json:"rows"`
}

// Whatever a row contains, the board has all others, and either shows the row or states that it
// lacks it.
func TestEveryKindOfValueReachesTheBoard(t *testing.T) {
	t.Parallel()
	sys := build(t, func(c *tebratest.Config) { c.Throttles = tebratest.Throttles{Scale: 0.01} })
	vendor := &rewriting{vendor: sys.vendor, rows: map[string]func(string) string{}}
	srv := httptest.NewServer(vendor)
	t.Cleanup(srv.Close)
	sys.endpoint = srv.URL + tebratest.Path
	kinds := rowKinds()
	day := func(i int) time.Time { return sys.today().AddDate(0, 0, 30+10*i) } // no list has two of them
	odd := make([]tebratest.Visit, len(kinds))
	for i, k := range kinds {
		odd[i] = sys.clinic().Appointments(day(i))[0]
		vendor.rows[odd[i].ID] = k.rewrite
	}
	tools := sys.tools(t)
	sys.workFast(t, tools)
	a, _ := sys.serve(t)
	ids := make([]string, len(kinds))
	for i := range kinds {
		ids[i] = sys.sync(t, tools, day(i))
	}
	for i, k := range kinds {
		sys.ends(t, tools, ids[i], tasks.StateDone)
		status, body := a.read("/v1/practices/1/board?date="+civil.DateOf(day(i)).String(), "")
		var board struct {
			Rows       []boardVisit `json:"rows"`
			Incomplete []omission   `json:"incomplete"`
		}
		if err := json.Unmarshal(body, &board); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d %s", k.name, status, body)
			continue
		}
		shown := 0
		for _, v := range sys.clinic().Appointments(day(i)) {
			if slices.ContainsFunc(board.Rows, func(r boardVisit) bool { return r.Appointment == v.ID && r.Start.Equal(v.Start) }) {
				shown++
			} else if v.ID != odd[i].ID {
				t.Errorf("%s: another visit is not on the board", k.name)
			}
		}
		want, lacks := 6, []omission(nil)
		if k.code != "" {
			want, lacks = 5, []omission{{k.code, 1}}
		}
		if shown != want || !slices.Equal(board.Incomplete, lacks) {
			t.Errorf("%s: %d visits on the board, incomplete %v", k.name, shown, board.Incomplete)
		}
	}
	t.Logf("%d kinds of rows", len(kinds))
}

// Every response of something between the worker and the vendor, and every report of trouble there,
// costs no attempt and says nothing about the login: each day is read in the end.
func TestResponsesThatAreNotTheVendorsCostNoAttempt(t *testing.T) {
	t.Parallel()
	sys := build(t, func(c *tebratest.Config) { c.Throttles = tebratest.Throttles{Scale: 0.01} })
	tools := sys.tools(t)
	sys.workFast(t, tools)
	a, _ := sys.serve(t)
	var rules []tebratest.Rule
	for _, o := range tebratest.CallOddities() {
		rules = append(rules, tebratest.Rule{Fault: tebratest.FaultOdd, Odd: o, Operations: []string{"GetAppointments"}, Count: 1})
	}
	rules = append(rules, tebratest.Rule{Fault: tebratest.FaultTooMany, For: 2 * time.Second, Operations: []string{"GetAppointments"}, Count: 1})
	sys.vendor.SetFaults(tebratest.Faults{Rules: rules})
	day := func(i int) time.Time { return sys.today().AddDate(0, 0, 30+10*i) }
	ids := make([]string, len(rules))
	for i := range rules {
		ids[i] = sys.sync(t, tools, day(i))
	}
	seen := map[tasks.Code]int{}
	for i, id := range ids {
		eventually(t, func() error {
			s, err := tools.Tasks.Status(t.Context(), id)
			seen[s.Code]++
			if err == nil && s.Attempt > 1 {
				t.Errorf("day %d: %d attempts, %s", i, s.Attempt, string(s.Code))
			}
			if err == nil && s.State != tasks.StateDone {
				err = fmt.Errorf("%s %s", s.State, string(s.Code))
			}
			return err
		})
		if status, body := a.read("/v1/practices/1/board?date="+civil.DateOf(day(i)).String(), ""); status != http.StatusOK || strings.Count(string(body), `"appointment":`) != 6 {
			t.Errorf("day %d: %d %s", i, status, body)
		}
	}
	if len(sys.vendor.Faults().Rules) > 0 || seen[codes.VendorUnavailable] == 0 || seen[codes.VendorUnauthenticated]+seen[codes.VendorDenied] > 0 {
		t.Errorf("codes %v, rules left %v", seen, sys.vendor.Faults().Rules)
	}
	t.Logf("%d kinds of responses", len(rules))
}
