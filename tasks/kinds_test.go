package tasks

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/wire.golden")

func date(s string) Date {
	d, err := ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

// examples has one or more values of every kind of this package.
var examples = []Args{
	SyncSchedule{Practice: "7", From: date("2026-11-23"), To: date("2026-11-29")},
	SyncSchedule{Practice: "7", From: date("2026-11-23"), To: date("2026-11-23"), Lookback: 59},
	SyncAppointment{Practice: "7", Appointment: "991"},
	SyncPatient{Practice: "7", Patient: "4711"},
	SyncPatients{Practice: "7"},
	SyncPatients{Practice: "7", From: date("2026-11-23"), Days: 3},
	SweepPatients{Practice: "7"},
	SweepPatients{Practice: "7", Page: "4711", Begun: date("2026-11-23")},
	SweepPatients{Practice: "7", Page: "4711", Begun: date("2026-11-23"), Rows: 999},
	SweepPatients{Practice: "7", Page: "4711", Begun: date("2026-11-23"), Unread: 3},
	SyncDirectory{Practice: "7"},
	SyncLocations{Practice: "7"},
	SyncPractices{},
	SyncThrottles{},
	WarmView{View: DayBoard, Practice: "7", Date: date("2026-11-23")},
	WarmView{View: ProviderDay, Practice: "7", Date: date("2026-11-23"), Provider: "107"},
	WarmView{View: PatientCard, Practice: "7", Date: date("2026-11-23"), Patient: "4711"},
	InvalidateEntity{Practice: "7", Noun: NounAppointment, ID: "991"},
	InvalidateEntity{Practice: "7", Noun: NounPractice},
}

// The golden file holds the format that is stored in Redis and used by other programs. A difference
// changes the wire format: see the package comment.
func TestWireGolden(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	fmt.Fprintf(&out, "headers %s\n", strings.Join(headerNames, " "))
	for _, a := range examples {
		plain, _, err := encode(a)
		if err != nil {
			t.Fatal(err)
		}
		o, err := optionsOf(a)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s v%d %s %s\n", a.Kind(), versionOf(a), o.Lane, plain)
	}
	path := filepath.Join("testdata", "wire.golden")
	if *update {
		must(t, os.WriteFile(path, []byte(out.String()), 0o600))
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("the wire format changed (-golden +now); make golden accepts the change:\n%s", diff)
	}
}

func TestKindsAreComplete(t *testing.T) {
	t.Parallel()
	golden := map[string]bool{}
	for _, a := range examples {
		golden[a.Kind()] = true
	}
	for _, k := range Kinds() {
		if !golden[k.Name] {
			t.Errorf("%s has no example in wire.golden or is listed twice", k.Name)
		}
		delete(golden, k.Name)
		if found, ok := FindKind(k.Name); !ok || found.Args != k.Args {
			t.Errorf("FindKind does not find %s", k.Name)
		}
		if k.Description == "" || k.Options.Lane == "" || k.Options.MaxAttempts < 1 || k.Options.Timeout < time.Second {
			t.Errorf("%s has an incomplete description: %+v", k.Name, k)
		}
		if (k.Operation == "") != (k.Calls == 0) || k.Calls > 1 {
			t.Errorf("%s declares %d calls of %q; a run makes at most one", k.Name, k.Calls, k.Operation)
		}
	}
	if len(golden) > 0 {
		t.Errorf("Kinds lacks %v", golden)
	}
	if _, ok := FindKind("schedule"); ok {
		t.Error("FindKind found a kind by a part of its name")
	}
	if k := Kinds(); k[0].Name == "" {
		t.Error("the first kind has no name")
	} else if k[0].Name = "x"; Kinds()[0].Name == "x" {
		t.Error("a caller can change the list of kinds")
	}
}

func TestExamplesSurviveEncoding(t *testing.T) {
	t.Parallel()
	for _, a := range examples {
		plain, _, err := encode(a)
		must(t, err)
		k, _ := FindKind(a.Kind())
		if got, err := k.Decode(plain); err != nil || got != a {
			t.Errorf("decoding changed %s: %v", a.Kind(), err)
		}
	}
}

func TestKindDecodesStrictly(t *testing.T) {
	t.Parallel()
	k, _ := FindKind("patient.sync")
	if got := k.Members(); !slices.Equal(got, []string{"practice", "patient"}) {
		t.Errorf("members %q", got)
	}
	for _, data := range []string{"", "null", "[]", `{"patient":4711}`, `{"Patient":"4711"}`, `{"name":"4711"}`, `{"patient":"1","patient":"4711"}`} {
		if _, err := k.Decode([]byte(data)); err == nil || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestArgsMaskIdentifiers(t *testing.T) {
	t.Parallel()
	type holder struct {
		Patient PatientID
		Entity  EntityID
	}
	h := holder{"4711", "4711"}
	j, err := json.Marshal(h)
	must(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "patient", h.Patient, "entity", h.Entity)
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %d %s %s", h, h, h, h.Patient, h.Patient, h.Entity, h.Entity, j, log.String()) +
		h.Patient.String() + h.Entity.String()
	if strings.Contains(shown, "4711") || strings.Contains(shown, "34373131") {
		t.Errorf("an identifier is visible: %s", shown)
	}
	if h.Patient.Reveal() != "4711" || h.Entity.Reveal() != "4711" {
		t.Error("Reveal does not return the identifier")
	}
}

func TestValidateRejectsInvalidArgs(t *testing.T) {
	t.Parallel()
	day := date("2026-11-23")
	for _, a := range []interface{ Validate() error }{
		SyncSchedule{From: day, To: day},
		SyncSchedule{Practice: "7", To: day},
		SyncSchedule{Practice: "7", From: day},
		SyncSchedule{Practice: "7", From: day, To: date("2026-11-22")},
		SyncSchedule{Practice: "7", From: day, To: date("2029-11-22")},
		SyncSchedule{Practice: "7", From: day, To: day, Lookback: -1},
		SyncSchedule{Practice: "7", From: day, To: day, Lookback: 732},
		SyncPatient{Practice: "7"},
		SyncPatient{Patient: "1"},
		SyncPatient{Practice: "7", Patient: "0"},
		SyncPatient{Practice: "7", Patient: "-1"},
		SyncPatient{Practice: "7", Patient: "4711 OR 1=1"},
		SyncPatient{Practice: "7", Patient: "47:11"},
		SyncPatient{Practice: "7", Patient: "{4711}"},
		SyncPatient{Practice: "7", Patient: "4711\n"},
		SyncPatient{Practice: "7", Patient: "4711\x00"},
		SyncPatient{Practice: "7", Patient: PatientID(strings.Repeat("1", maxID+1))},
		SyncAppointment{Practice: "7"},
		SyncAppointment{Appointment: "991"},
		SyncAppointment{Practice: "7", Appointment: "47 11"},
		SyncPatients{},
		SyncPatients{Practice: "7", Days: -1},
		SyncPatients{Practice: "7", Days: 732},
		SweepPatients{},
		SweepPatients{Practice: "7", Page: "4711"},
		SweepPatients{Practice: "7", Begun: day},
		SweepPatients{Practice: "7", Page: "47/11", Begun: day},
		SweepPatients{Practice: "7", Rows: -1},
		SweepPatients{Practice: "7", Rows: 1001},
		SweepPatients{Practice: "7", Unread: -1},
		SyncLocations{},
		SyncDirectory{},
		SyncDirectory{Practice: "*"},
		WarmView{View: "all", Practice: "7", Date: day},
		WarmView{View: DayBoard, Practice: "7"},
		WarmView{View: DayBoard, Date: day},
		WarmView{View: DayBoard, Practice: "7", Date: day, Patient: "4711"},
		WarmView{View: DayBoard, Practice: "7", Date: day, Provider: "107"},
		WarmView{View: ProviderDay, Practice: "7", Date: day},
		WarmView{View: PatientCard, Practice: "7", Date: day},
		WarmView{View: PatientCard, Practice: "7", Date: day, Patient: "47 11"},
		InvalidateEntity{Practice: "7", ID: "1"},
		InvalidateEntity{Practice: "7", Noun: "Patient", ID: "1"},
		InvalidateEntity{Practice: "7", Noun: NounPatient},
		InvalidateEntity{Noun: NounPatient, ID: "1"},
		InvalidateEntity{Practice: "7", Noun: NounPractice, ID: "?"},
	} {
		err := a.Validate()
		if err == nil {
			t.Errorf("%T passes validation", a)
			continue
		}
		if strings.Contains(err.Error(), "47") {
			t.Errorf("the error of %T contains the value: %v", a, err)
		}
	}
}

func TestValidKind(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{
		"patient.sync": true, "a.b": true, "a1.b2.c3": true,
		"": false, "patient": false, "patient.": false, ".sync": false, "patient..sync": false, "Patient.sync": false,
		"patient.1sync": false, "patient sync": false, "patient.sync\n": false, "pätient.sync": false,
		"a." + strings.Repeat("b", maxKind): false,
	} {
		if validKind(kind) != want {
			t.Errorf("validKind(%q) = %v", kind, !want)
		}
	}
}
