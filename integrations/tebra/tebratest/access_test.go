package tebratest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// lakesides is an account with two practices, of which one's name contains the other's.
func lakesides(t *testing.T, odd ...tebratest.Oddity) (s *tebratest.Server, lists func(name string) map[string]string) {
	t.Helper()
	config := oneAccount(
		tebratest.Practice{ID: 7, Name: "Lakeside", Patients: 20, VisitsPerDay: 8}, tebratest.Practice{ID: 8, Name: "Lakeside Pediatrics", Patients: 20, VisitsPerDay: 8},
	)
	config.Throttles, config.Odd = unthrottled, odd
	s = newServer(t, config)
	return s, func(name string) map[string]string {
		t.Helper()
		out := map[string]string{}
		for operation, ns := range map[string]string{
			"GetAppointments": "k", "GetPatients": "k", "GetProviders": "k", "GetServiceLocations": "n", "GetPractices": "k",
		} {
			filter := "<" + ns + ":Fields/><" + ns + ":Filter><" + ns + ":PracticeName>" + name + "</" + ns + ":PracticeName></" + ns + ":Filter>"
			out[operation] = post(t, s, operation, header(config.Accounts[0])+filter)
		}
		return out
	}
}

// rowsOf reports which practices a response has rows of.
func rowsOf(response string) string {
	var of []string
	for _, name := range []string{"Lakeside", "Lakeside Pediatrics", "Lake Clinic"} {
		if strings.Contains(response, "PracticeName>"+name+"</") {
			of = append(of, name)
		}
	}
	return strings.Join(of, ", ")
}

func TestRenamedPracticeHasEmptyListsUnderItsOldName(t *testing.T) {
	t.Parallel()
	s, lists := lakesides(t)
	s.Clinic("k", 7).Rename("Lake Clinic")
	for operation, response := range lists("Lakeside") {
		if got := rowsOf(response); got != "" {
			t.Errorf("%s has rows of %s under the old name", operation, got)
		}
	}
	for operation, response := range lists("Lake Clinic") {
		if got := rowsOf(response); got != "Lake Clinic" {
			t.Errorf("%s has rows of %q under the new name", operation, got)
		}
	}
}

func TestAccessToAPractice(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		access                      tebratest.Access
		listed, authorized, refused bool
	}{
		"empty lists":                  {tebratest.Access{Unauthorized: true}, true, false, false},
		"refused":                      {tebratest.Access{Unauthorized: true, Refused: true}, true, false, true},
		"refused, otherwise as before": {tebratest.Access{Refused: true}, true, true, true},
		"gone":                         {tebratest.Access{Unlisted: true, Unauthorized: true}, false, false, false},
	} {
		s, lists := lakesides(t)
		s.Clinic("k", 7).SetAccess(tt.access)
		for operation, response := range lists("Lakeside") {
			refused := strings.Contains(response, "not authorized for Practice")
			if want := tt.refused; refused != want {
				t.Errorf("%s, %s: refused %t", name, operation, refused)
			}
			if got := rowsOf(response); operation != "GetPractices" && got != "" {
				t.Errorf("%s, %s: rows of %s", name, operation, got)
			}
			if got := strings.Contains(response, ":int>7<"); got != tt.authorized {
				t.Errorf("%s, %s: authorized %t", name, operation, got)
			}
		}
		if got := rowsOf(lists("")["GetPractices"]); strings.HasPrefix(got, "Lakeside,") != tt.listed {
			t.Errorf("%s: listed are %q", name, got)
		}
		if got := rowsOf(lists("Lakeside Pediatrics")["GetAppointments"]); got != "Lakeside Pediatrics" {
			t.Errorf("%s: the other practice has rows of %q", name, got)
		}
		s.Clinic("k", 7).SetAccess(tebratest.Access{})
		if got := rowsOf(lists("Lakeside")["GetAppointments"]); got != "Lakeside" {
			t.Errorf("%s: with access again there are rows of %q", name, got)
		}
	}
}

func TestOdditiesOfPractices(t *testing.T) {
	t.Parallel()
	_, lists := lakesides(t, tebratest.OddNameSubstring, tebratest.OddNoAuthorizations)
	for operation, response := range lists("Lakeside") {
		if got := rowsOf(response); got != "Lakeside, Lakeside Pediatrics" {
			t.Errorf("%s: by a part of the name there are rows of %s", operation, got)
		}
		if strings.Contains(response, ":int>") || !strings.Contains(response, "CustomerKeyValid>true<") {
			t.Errorf("%s names the practices that the login may read", operation)
		}
	}
	_, lists = lakesides(t, tebratest.OddForeignRow, tebratest.OddUnknownPractice, tebratest.OddNoPracticeNumber)
	response := lists("Lakeside")["GetAppointments"]
	count := func(text string) int { return strings.Count(response, text) }
	other, unknown, unnumbered := count("<PracticeID>8<"), count("<PracticeID>999999998<"), count("<PracticeName>")-count("<PracticeID>")
	if other == 0 || unknown != other || unnumbered == 0 {
		t.Errorf("%d rows of another practice, %d of an unknown one, %d without a number", other, unknown, unnumbered)
	}
}

// command returns the status of a POST to the control API.
func command(t *testing.T, s *tebratest.Server, name, body string) int {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/control/"+name, strings.NewReader(body)))
	return w.Code
}

func TestControlOfPractices(t *testing.T) {
	t.Parallel()
	s, lists := lakesides(t)
	for body, want := range map[string]int{
		`{"practice": 7, "name": "Lake Clinic"}`: http.StatusNoContent,
		`{"practice": 7}`:                        http.StatusBadRequest,
		`{"practice": 9, "name": "x"}`:           http.StatusNotFound,
	} {
		if got := command(t, s, "rename", body); got != want {
			t.Errorf("rename %s: %d, want %d", body, got, want)
		}
	}
	if got := rowsOf(lists("Lake Clinic")["GetAppointments"]); got != "Lake Clinic" || s.Clinic("k", 7).Practice().Name != got {
		t.Errorf("after renaming there are rows of %q", got)
	}
	if got := command(t, s, "access", `{"practice": 7, "access": {"refused": true}}`); got != http.StatusNoContent {
		t.Errorf("access: %d", got)
	}
	if !strings.Contains(lists("Lake Clinic")["GetAppointments"], "not authorized for Practice") {
		t.Error("the practice is not refused")
	}
}
