package practice

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) {
	for _, view := range []*cache.Class{boardClass, providerClass, cardClass} {
		view.Lease = time.Minute // tests hold builds for longer than any build takes
	}
	redistest.Main(m)
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// dates lets cmp compare structs with dates.
var dates = cmpopts.EquateComparable(civil.Date{})

func newKeys(t testing.TB) *phi.Keys {
	t.Helper()
	k, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]Status{
		"Scheduled": Scheduled, "CheckedIn": CheckedIn, "Check-in": CheckedIn, "check in ": CheckedIn, "No Show": NoShow,
		"no-show": NoShow, "noshow": NoShow, "Cancelled": Cancelled, "canceled": Cancelled, "Check-out": CheckedOut,
		"ReadyToBeSeen": Ready, "NeedsReschedule": NeedsReschedule, "": Unknown, "Unknown": Unknown, "Vanished": Unknown,
		"Сancelled": Unknown, // the first letter is Cyrillic
	} {
		if got := ParseStatus(word); got != want {
			t.Errorf("ParseStatus(%q) = %s, want %s", word, got, want)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add("Check-in")
	f.Fuzz(func(t *testing.T, word string) {
		s := ParseStatus(word)
		if s == "" {
			t.Fatal("no status")
		}
		if again := ParseStatus(string(s)); s != Unknown && s != Ready && again != s {
			t.Fatalf("%s reads back as %s", s, again)
		}
	})
}

func TestFromAppointment(t *testing.T) {
	t.Parallel()
	chicago := zone(t, "America/Chicago")
	row := tebra.Appointment{
		ID: "900001", PatientID: "1001", PatientName: "Quill Testperson", Status: "Check-in", PracticeID: "7",
		Start: time.Date(2026, 3, 2, 23, 30, 0, 0, chicago), End: time.Date(2026, 3, 3, 0, 15, 0, 0, chicago),
		Reasons: []tebra.Reason{{ID: "1"}, {ID: "2", Name: "Follow up"}}, ServiceLocationName: "Main",
		Resources: []tebra.Resource{{ID: "70", Name: "Room 1", Type: "2"}, {ID: "7", Name: "Dr Example", Type: "1"}}, ServiceLocationID: "3",
	}
	got, err := FromAppointment("7", row, chicago)
	if err != nil {
		t.Fatal(err)
	}
	want := Appointment{
		ID: "900001", Practice: "7", Day: monday, Last: monday.Add(1), Start: row.Start.UTC(), End: row.End.UTC(), Patient: "1001",
		PatientName: "Quill Testperson", Status: CheckedIn, Reasons: []phi.Text{"Follow up"}, ReasonID: "1",
		Resources: []Resource{{ID: "7", Name: "Dr Example"}}, LocationID: "3", Location: "Main",
	}
	if diff := cmp.Diff(want, got, dates); diff != "" {
		t.Error(diff)
	}
	foreign := row
	foreign.PracticeID = "8"
	if _, err := FromAppointment("7", foreign, chicago); !errors.Is(err, ErrForeign) {
		t.Errorf("a row of practice 8: %v", err)
	}
	for want, spoil := range map[codes.Code]func(*tebra.Appointment){
		codes.RowUnidentified: func(a *tebra.Appointment) { a.ID = "" },
		codes.RowUndated:      func(a *tebra.Appointment) { a.Start = time.Time{} },
	} {
		bad := row
		spoil(&bad)
		if _, err := FromAppointment("7", bad, chicago); !errors.Is(err, want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	row.End = row.Start.Add(-time.Hour)
	if a, err := FromAppointment("7", row, chicago); err != nil || !a.End.Equal(a.Start) {
		t.Errorf("an end before the start gives %v, %v", a.End, err)
	}
}

func TestFromProviders(t *testing.T) {
	t.Parallel()
	got := FromProviders("7", []tebra.Provider{
		{ID: "9", FullName: "Dr Nine", PracticeID: "7", Active: true, Type: "Normal Provider"},
		{ID: "8", FullName: "Dr Eight", Type: "Normal Provider"},
		{ID: "3", FullName: "Dr Elsewhere", PracticeID: "4"},
		{ID: "2", FullName: "Dr Referring", PracticeID: "7", Type: "Referring Provider"},
		{},
	})
	want := Directory{Practice: "7", Providers: []Provider{{ID: "8", Name: "Dr Eight"}, {ID: "9", Name: "Dr Nine", Active: true}}}
	if diff := cmp.Diff(want, got, dates); diff != "" {
		t.Error(diff)
	}
}

func TestBoardSurvivesMissingPatients(t *testing.T) {
	t.Parallel()
	at := func(h int) time.Time { return time.Date(2026, 3, 2, h, 0, 0, 0, time.UTC) }
	visits := []Appointment{
		{ID: "2", Start: at(10), Patient: "12", PatientName: "From The Row", Status: Scheduled, Resources: []Resource{{ID: "7", Name: "Old Name"}}},
		{ID: "1", Start: at(9), Patient: "11", PatientName: "Old Spelling", Status: Cancelled, Reasons: []phi.Text{"Check", "Other"}, LocationID: "3", Location: "Old Place"},
		{ID: "3", Start: at(9), Status: Scheduled},
	}
	patients := map[phi.Text]Patient{"11": {ID: "11", First: "Ada", Last: "Testperson", Born: "1980-01-02", Home: "555-0100"}}
	info := Info{Providers: []Provider{{ID: "7", Name: "New Name"}}, Locations: []Location{{ID: "3", Name: "New Place"}}}
	got := buildBoard("7", monday, visits, patients, info)
	want := Board{Practice: "7", Date: monday, Rows: []BoardRow{
		{Appointment: "1", Start: at(9), Status: Cancelled, Patient: "11", Name: "Ada Testperson", Born: "1980-01-02", Phone: "555-0100", Known: true, Reason: "Check", Location: "New Place"},
		{Appointment: "3", Start: at(9), Status: Scheduled, Known: true},
		{Appointment: "2", Start: at(10), Status: Scheduled, Patient: "12", Name: "From The Row", Provider: "New Name"},
	}}
	if diff := cmp.Diff(want, got, dates); diff != "" {
		t.Error(diff)
	}
	if b := buildBoard("7", monday, visits, nil, Info{}); len(b.Rows) != 3 || b.Rows[2].Provider != "Old Name" {
		t.Errorf("without patients and directory the board has %d rows", len(b.Rows))
	}
}

func TestGraphHasNoCycle(t *testing.T) {
	t.Parallel()
	var visit func(n Noun, path []Noun)
	visit = func(n Noun, path []Noun) {
		if slices.Contains(path, n) {
			t.Fatalf("%v leads back to %s", path, n)
		}
		for _, child := range graph[n] {
			visit(child, append(path, n))
		}
	}
	for n := range graph {
		visit(n, nil)
	}
}

// The tags that a change raises are carried by everything that is built on the record, and by
// nothing else.
func TestImpactReachesExactlyWhatIsBuiltOnARecord(t *testing.T) {
	t.Parallel()
	n := NewNames(newKeys(t).For("a"))
	tags := func(refs ...phi.Ref) []cache.Tag {
		var out []cache.Tag
		for _, r := range refs {
			out = append(out, cache.TagOf(r))
		}
		return out
	}
	practice := []phi.Ref{n.Directory("7"), n.Locations("7"), n.Practice("7")}
	views := map[string][]cache.Tag{
		"itself":      tags(n.Appointment("1")),
		"roster":      tags(n.Day("7", monday), n.Practice("7")),
		"board":       tags(append(practice, n.Board("7", monday), n.Day("7", monday), n.Patients())...),
		"his day":     tags(append(practice, n.ProviderDay("7", "70", monday), n.Patient("11"), n.Patient("12"))...),
		"another's":   tags(append(practice, n.ProviderDay("7", "71", monday), n.Patients())...),
		"card of 11":  tags(append(practice, n.Card("7", "11"), n.Patient("11"), n.omissions("7"))...),
		"card of 12":  tags(append(practice, n.Card("7", "12"), n.Patient("12"), n.omissions("7"))...),
		"tuesday":     tags(append(practice, n.Board("7", monday.Add(1)), n.Day("7", monday.Add(1)), n.Patients())...),
		"practice 8":  tags(n.Board("8", monday), n.Day("8", monday), n.Patients(), n.Directory("8"), n.Locations("8"), n.Practice("8")),
		"card at 8":   tags(n.Card("8", "11"), n.Patient("11"), n.omissions("8"), n.Directory("8"), n.Locations("8"), n.Practice("8")),
		"all of them": tags(n.Practices()),
	}
	visit := Record{Noun: NounAppointment, ID: "1", Practice: "7", Day: monday, Patient: "11", Providers: []string{"70"}}
	for name, c := range map[string]struct {
		r    Record
		want []string
	}{
		"appointment":                   {visit, []string{"itself", "board", "his day", "card of 11"}},
		"appointment of an unknown day": {Record{Noun: NounAppointment, ID: "1", Practice: "7"}, []string{"itself"}},
		"patient":                       {Record{Noun: NounPatient, ID: "11"}, []string{"board", "tuesday", "practice 8", "his day", "another's", "card of 11", "card at 8"}},
		"directory":                     {Record{Noun: NounDirectory, Practice: "7"}, []string{"board", "tuesday", "his day", "another's", "card of 11", "card of 12"}},
		"locations of another practice": {Record{Noun: NounLocations, Practice: "8"}, []string{"practice 8", "card at 8"}},
		"practice":                      {Record{Noun: NounPractice, Practice: "7"}, []string{"roster", "board", "tuesday", "his day", "another's", "card of 11", "card of 12"}},
		"the list of practices":         {Record{Noun: NounPractices}, []string{"all of them"}},
		"what days lack":                {Record{Noun: NounOmissions, Practice: "7"}, []string{"card of 11", "card of 12"}},
		"confirmation":                  {Record{Noun: NounPatientsConfirmation, Practice: "7"}, nil},
		"day":                           {Record{Noun: NounDay, Practice: "7", Day: monday}, []string{"roster", "board"}},
	} {
		var met []string
		var moved impact
		moved.add(n, c.r)
		for view, carries := range views {
			if slices.ContainsFunc(moved.tags(), func(tag cache.Tag) bool { return slices.Contains(carries, tag) }) {
				met = append(met, view)
			}
		}
		slices.Sort(met)
		slices.Sort(c.want)
		if !slices.Equal(met, c.want) {
			t.Errorf("%s: reached %v, want %v", name, met, c.want)
		}
	}
}
