package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/progtest"
)

// tools opens what commands use, for the test itself.
func (h *harness) tools(t *testing.T) *app.Tools {
	t.Helper()
	c, err := config.LoadScheduler(getenv(h.vars))
	if err != nil {
		t.Fatal(err)
	}
	tools, err := app.OpenTools(t.Context(), app.Process{}, c.Base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tools.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close tools: %v", err)
		}
	})
	return tools
}

// fillBoard stores a day with two visits in the cache. The second one has no patient record.
func (h *harness) fillBoard(t *testing.T, tools *app.Tools, day civil.Date) {
	t.Helper()
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	grant, err := tools.Store.Begin(t.Context(), "clinic-a")
	if err != nil {
		t.Fatal(err)
	}
	patient := practice.Patient{ID: "1001", First: "Quill", Last: "Testperson", Born: "1980-01-02", Mobile: "5550100"}
	if _, err := tools.Store.ApplyPatient(t.Context(), "clinic-a", patient, grant); err != nil {
		t.Fatal(err)
	}
	at := func(hour int) time.Time { return day.In(chicago).Add(time.Duration(hour) * time.Hour).UTC() }
	visits := []practice.Appointment{
		{
			ID: "900001", Practice: "1", Day: day, Start: at(8), End: at(9), Patient: "1001", PatientName: "Quill Testperson",
			Status: practice.CheckedIn, Reasons: []phi.Text{"Follow up"}, Resources: []practice.Resource{{ID: "7", Name: "Dr Example"}},
		},
		{
			ID: "900002", Practice: "1", Day: day, Start: at(9), End: at(10), Patient: "1002", PatientName: "Ember Fixture",
			Status: practice.Scheduled,
		},
	}
	if _, err := tools.Store.ApplyDay(t.Context(), "clinic-a", practice.Answer{Practice: "1", Date: day, Visits: visits, Since: grant}); err != nil {
		t.Fatal(err)
	}
}

var monday = civil.DateOf(time2026)

// secrets must not appear on a masked board.
var secrets = []string{"Quill", "Testperson", "Ember", "Fixture", "1980", "5550100", "Follow", "1001", "1002", "90000"}

func TestBoardShowMasks(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.fillBoard(t, h.tools(t), monday)
	args := []string{"board", "show", "--tenant", "clinic-a", "--practice", "1", "--date", "2026-03-02"}

	text := rounds(t, h.vars, args...)
	if text.code != exitOK || !strings.Contains(text.stderr, "patients are masked; use --reveal to show them") {
		t.Errorf("exit %d, stderr %q", text.code, text.stderr)
	}
	for _, want := range []string{"2 visits", "confirmed ", "08:00  checked-in  [phi]", "Dr Example", "09:00  scheduled"} {
		if !strings.Contains(text.stdout, want) {
			t.Errorf("%q is missing from:\n%s", want, text.stdout)
		}
	}
	asJSON := rounds(t, h.vars, append(args, "--json")...)
	d := document[boardDoc](t, asJSON.stdout)
	if asJSON.code != exitOK || !d.Masked || len(d.Rows) != 2 || d.Rows[0].Name != phi.Mask || d.Rows[0].Ref == "" {
		t.Errorf("exit %d, %+v", asJSON.code, d)
	}
	if age := time.Since(d.AsOf); age < 0 || age > time.Minute || d.AgeSeconds < 0 || d.AgeSeconds > 60 {
		t.Errorf("as of %s, %f seconds old", d.AsOf, d.AgeSeconds)
	}
	for _, s := range secrets {
		for name, o := range map[string]outcome{"text": text, "json": asJSON} {
			if strings.Contains(strings.ReplaceAll(o.stdout+o.stderr, d.AsOf.String(), ""), s) {
				t.Errorf("%s shows %q:\n%s", name, s, o.stdout)
			}
		}
	}
}

func TestBoardShowReveals(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.fillBoard(t, h.tools(t), monday)
	args := []string{"board", "show", "--tenant", "clinic-a", "--practice", "1", "--date", "2026-03-02", "--reveal"}
	d := document[boardDoc](t, rounds(t, h.vars, append(args, "--json")...).stdout)
	if d.Masked || len(d.Rows) != 2 || d.Unknown != 1 {
		t.Fatalf("%+v", d)
	}
	if r := d.Rows[0]; r.Name != "Quill Testperson" || r.Born != "1980-01-02" || r.Reason != "Follow up" || !r.Known {
		t.Errorf("%+v", r)
	}
	// The second visit is shown although its patient has no record.
	if r := d.Rows[1]; r.Name != "Ember Fixture" || r.Known {
		t.Errorf("%+v", r)
	}
	text := rounds(t, h.vars, args...)
	if !strings.Contains(text.stdout, "Quill Testperson") || !strings.Contains(text.stderr, "this output identifies patients") {
		t.Errorf("%+v", text)
	}
}

// Blocked time is on the board, and is not counted as a visit.
func TestBoardShowCountsVisitsOnly(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	tools := h.tools(t)
	grant, err := tools.Store.Begin(t.Context(), "clinic-a")
	if err != nil {
		t.Fatal(err)
	}
	start := monday.Add(-1).In(time.UTC).Add(14 * time.Hour)
	rows := []practice.Appointment{
		{ID: "900001", Practice: "1", Day: monday, Start: start.AddDate(0, 0, 1), End: start.AddDate(0, 0, 1), Patient: "1001"},
		{ID: "900002", Practice: "1", Day: monday.Add(-1), Last: monday, Start: start, End: start.AddDate(0, 0, 1), Type: practice.Other},
		{ID: "900003", Practice: "1", Day: monday, Start: start.AddDate(0, 0, 1), End: start.AddDate(0, 0, 1), Type: practice.UnknownEntry, AllDay: true},
	}
	_, err = tools.Store.ApplyDay(t.Context(), "clinic-a", practice.Answer{
		Practice: "1", Date: monday, Visits: rows, Since: grant, Partial: true, SetAside: map[codes.Code]int{codes.RowUndated: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"board", "show", "--tenant", "clinic-a", "--practice", "1", "--date", "2026-03-02"}
	text := rounds(t, h.vars, args...)
	for _, want := range []string{"1 visit and 2 other entries", "03-01 08:00", "all day", "(row_undated, 3 rows)", "(list_cut)", "other", "unknown"} {
		if !strings.Contains(text.stdout, want) {
			t.Errorf("%q is missing from:\n%s", want, text.stdout)
		}
	}
	d := document[boardDoc](t, rounds(t, h.vars, append(args, "--json")...).stdout)
	if d.Visits != 1 || len(d.Rows) != 3 || d.Rows[0].Type != "other" || d.Rows[0].Minutes != 24*60 || len(d.Incomplete) != 2 {
		t.Errorf("%+v", d)
	}
}

// Texts of the vendor reach the terminal with control characters escaped, in JSON too.
func TestBoardShowEscapesControlCharacters(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	tools := h.tools(t)
	h.fillBoard(t, tools, monday)
	grant, err := tools.Store.Begin(t.Context(), "clinic-a")
	if err != nil {
		t.Fatal(err)
	}
	patient := practice.Patient{ID: "1001", First: "Quill\u202e", Last: "Test\u009b31m\nperson"}
	if _, err := tools.Store.ApplyPatient(t.Context(), "clinic-a", patient, grant); err != nil {
		t.Fatal(err)
	}
	args := []string{"board", "show", "--tenant", "clinic-a", "--practice", "1", "--date", "2026-03-02", "--reveal"}
	text, asJSON := rounds(t, h.vars, args...), rounds(t, h.vars, append(args, "--json")...)
	if !strings.Contains(text.stdout, `Quill\u202e Test\u009b31m person`) || strings.ContainsAny(text.stdout+asJSON.stdout, "\u202e\u009b") {
		t.Errorf("%q\n%q", text.stdout, asJSON.stdout)
	}
	if name := document[boardDoc](t, asJSON.stdout).Rows[0].Name; name != "Quill\u202e Test\u009b31m person" {
		t.Errorf("the name in JSON is %q", name)
	}
}

func TestBoardShowMarksStaleBoard(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	tools := h.tools(t)
	h.fillBoard(t, tools, monday)
	record := practice.Record{Noun: practice.NounAppointment, ID: "900001", Practice: "1", Day: monday}
	if _, err := tools.Store.Invalidate(t.Context(), "clinic-a", record, "event-1"); err != nil {
		t.Fatal(err)
	}
	args := []string{"board", "show", "--tenant", "clinic-a", "--practice", "1", "--date", "2026-03-02"}
	if d := document[boardDoc](t, rounds(t, h.vars, append(args, "--json")...).stdout); !d.Stale {
		t.Errorf("%+v, want it stale", d)
	}
	if o := rounds(t, h.vars, args...); !strings.Contains(o.stdout, "stale: ") {
		t.Errorf("%+v", o)
	}
}

func TestBoardShowReportsWhatIsNotFound(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for name, c := range map[string]struct {
		args []string
		exit int
		code string
	}{
		"cold day":         {[]string{"--tenant", "clinic-a", "--practice", "1"}, exitNotFound, "COLD"},
		"unknown tenant":   {[]string{"--tenant", "clinic-z", "--practice", "1"}, exitNotFound, "TENANT_NOT_FOUND"},
		"unknown practice": {[]string{"--tenant", "clinic-a", "--practice", "9"}, exitNotFound, "PRACTICE_NOT_FOUND"},
		"practice missing": {[]string{"--tenant", "clinic-a"}, exitUsage, "USAGE"},
	} {
		o := rounds(t, h.vars, append([]string{"board", "show", "--json"}, c.args...)...)
		if f := failed(t, o.stdout); o.code != c.exit || f.Code != c.code || len(f.Try) == 0 {
			t.Errorf("%s: exit %d, %+v; want %d %s and a suggestion", name, o.code, f, c.exit, c.code)
		}
	}
}

// TestColdBoardSuggestionWorks runs the command that the error suggests.
func TestColdBoardSuggestionWorks(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	f := failed(t, rounds(t, h.vars, "board", "show", "--tenant", "clinic-a", "--practice", "1", "--json").stdout)
	if o := rounds(t, h.vars, strings.Fields(f.Try[0])[1:]...); o.code != exitOK {
		t.Errorf("%q: %+v", f.Try[0], o)
	}
}

func TestUnreachableDependencyIsReportedInTime(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for name, vars := range map[string]map[string]string{
		"queue unreachable": h.with(map[string]string{"ROUNDS_QUEUE_REDIS": "redis://:hush@" + progtest.Vacant(t)}),
		"cache unreachable": h.with(map[string]string{"ROUNDS_CACHE_REDIS": "redis://:hush@" + progtest.Vacant(t)}),
		"queue silent":      h.with(map[string]string{"ROUNDS_QUEUE_REDIS": "redis://:hush@" + progtest.Silent(t)}),
		"cache silent":      h.with(map[string]string{"ROUNDS_CACHE_REDIS": "redis://:hush@" + progtest.Silent(t)}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			o := rounds(t, vars, "board", "show", "--tenant", "clinic-a", "--practice", "1", "--json")
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("reported after %s", took)
			}
			if f := failed(t, o.stdout); o.code != exitDependency || f.Code != "DEPENDENCY" || f.Means == "" || len(f.Try) == 0 {
				t.Errorf("exit %d, %+v", o.code, f)
			}
			if strings.Contains(o.stdout+o.stderr, "hush") {
				t.Error("a password is printed")
			}
		})
	}
}

func TestTimeoutEndsCommand(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	vars := h.with(map[string]string{"ROUNDS_QUEUE_REDIS": "redis://" + progtest.Silent(t)})
	o := rounds(t, vars, "board", "show", "--tenant", "clinic-a", "--practice", "1", "--timeout", "100ms", "--json")
	if f := failed(t, o.stdout); o.code != exitTimeout || f.Code != "TIMEOUT" {
		t.Errorf("exit %d, %+v", o.code, f)
	}
}

func TestSelectPractice(t *testing.T) {
	t.Parallel()
	one := ledger.Tenant{ID: "clinic-a", Practices: []ledger.Practice{{ID: "7"}}}
	if got, err := selectPractice(one, ""); got.ID != "7" || err != nil {
		t.Errorf("the only practice: %q, %v", got.ID, err)
	}
	if _, err := selectPractice(ledger.Tenant{ID: "clinic-a"}, ""); err == nil {
		t.Error("a practice of a tenant without practices was selected")
	}
}
