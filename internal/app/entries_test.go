package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/tasks"
)

// An entry that names a patient in any column is a visit, whatever type the vendor gives it: it is
// counted, and its notes are not shown.
func TestEntriesThatNameAPatientAreVisits(t *testing.T) {
	t.Parallel()
	const notes = "Notes about a patient"
	sys := build(t)
	vendor := &rewriting{vendor: sys.vendor, rows: map[string]func(string) string{}}
	srv := httptest.NewServer(vendor)
	t.Cleanup(srv.Close)
	sys.endpoint = srv.URL + tebratest.Path
	with := func(members string) func(string) string {
		return func(row string) string {
			return strings.Replace(row, "</AppointmentData>", members+"</AppointmentData>", 1)
		}
	}
	named := map[string]func(string) string{
		"number":                       with("<PatientID>11</PatientID>"),
		"name":                         with("<PatientFullName>Ada Example</PatientFullName>"),
		"case":                         with("<PatientCaseID>7</PatientCaseID>"),
		"a number that cannot be read": with("<PatientID>abc</PatientID><PatientFullName>Ada Example</PatientFullName>"),
		"nothing but a number that cannot be read": with("<PatientID>-5</PatientID>"),
		"a name that cannot be read":               with("<PatientFullName><b>Ada</b></PatientFullName>"),
		"a case that cannot be read":               with("<PatientCaseID>1.5</PatientCaseID>"),
	}
	types := []string{"O", "Other", "U", "", "P", "Webinar", "<b/>"}
	first := sys.today().AddDate(0, 0, 30)
	on := time.Date(first.Year(), first.Month(), first.Day(), 9, 0, 0, 0, sys.clinic().Location())
	enter := func(rewrite func(string) string, kind string) string {
		id := sys.clinic().Enter(tebratest.Visit{Start: on, End: on.Add(time.Hour), Type: "O", Notes: notes})
		vendor.rows[id] = func(row string) string { return rewrite(text("Type", kind)(row)) }
		return id
	}
	visits, blocks := map[string]string{}, map[string]bool{}
	for how, rewrite := range named {
		for _, kind := range types {
			visits[enter(rewrite, kind)] = "type " + kind + ", " + how
		}
	}
	blocks[enter(with(""), "O")] = true
	tools := sys.tools(t)
	sys.workFast(t, tools)
	a, _ := sys.serve(t)
	sys.ends(t, tools, sys.sync(t, tools, on), tasks.StateDone)
	status, body := a.read("/v1/practices/1/board?date="+civil.DateOf(on).String(), "")
	var board rowBoard
	if err := json.Unmarshal(body, &board); err != nil || status != http.StatusOK {
		t.Fatalf("status %d, %v", status, err)
	}
	shown := 0
	for _, row := range board.Rows {
		switch how := visits[row.Appointment]; {
		case how != "" && (row.Type != "patient" || row.Reason != ""):
			t.Errorf("%s: a row of type %s with the reason %q", how, row.Type, row.Reason)
		case blocks[row.Appointment] && (row.Type != "other" || row.Reason != notes):
			t.Errorf("the block is of type %s and has the reason %q", row.Type, row.Reason)
		case how != "" || blocks[row.Appointment]:
			shown++
		}
	}
	if shown != len(visits)+len(blocks) || board.Visits != len(board.Rows)-len(blocks) {
		t.Errorf("%d of %d entries are shown, %d rows are visits of %d", shown, len(visits)+len(blocks), board.Visits, len(board.Rows))
	}
	t.Logf("%d entries that name a patient", len(visits))
}
