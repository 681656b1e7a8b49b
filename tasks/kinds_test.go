package tasks

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/phi"
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
	SyncAppointment{Practice: "7", Appointment: "991"},
	SyncPatient{Practice: "7", Patient: "4711"},
	SyncPatients{Practice: "7"},
	SyncPatients{Practice: "7", From: date("2026-11-23"), Days: 3},
	SweepPatients{Practice: "7"},
	SweepPatients{Practice: "7", Page: "4711", Begun: date("2026-11-23")},
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

// What lies in Redis and in other people's programs. A difference here is a
// change of the wire: see the package comment.
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
		t.Errorf("the wire changed (-golden +now); make golden accepts it:\n%s", diff)
	}
}

func TestEveryKindHasAnOperation(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	for _, a := range examples {
		kinds[a.Kind()] = true
	}
	for _, o := range Operations() {
		if !kinds[o.Kind] {
			t.Errorf("operation of %s, which is no kind or has no example", o.Kind)
		}
		if (o.Name == "") != (o.Calls == 0) || o.Calls > 1 {
			t.Errorf("%s makes %d calls of %q: one run makes one call", o.Kind, o.Calls, o.Name)
		}
		delete(kinds, o.Kind)
	}
	if len(kinds) > 0 {
		t.Errorf("no operation for %v", kinds)
	}
}

func TestExamplesSurviveTheWay(t *testing.T) {
	t.Parallel()
	for _, a := range examples {
		plain, _, err := encode(a)
		if err != nil {
			t.Errorf("%s: %v", a.Kind(), err)
		}
		switch a := a.(type) {
		case SyncSchedule:
			back(t, a, plain)
		case SyncPatient:
			back(t, a, plain)
		case SyncAppointment:
			back(t, a, plain)
		case SyncPatients:
			back(t, a, plain)
		case SweepPatients:
			back(t, a, plain)
		case SyncDirectory:
			back(t, a, plain)
		case SyncLocations:
			back(t, a, plain)
		case SyncPractices:
			back(t, a, plain)
		case SyncThrottles:
			back(t, a, plain)
		case WarmView:
			back(t, a, plain)
		case InvalidateEntity:
			back(t, a, plain)
		}
	}
}

func back[T Args](t *testing.T, want T, plain []byte) {
	t.Helper()
	var got T
	if err := phi.Unmarshal(plain, &got); err != nil || any(got) != any(want) {
		t.Errorf("%s came back changed: %v", want.Kind(), err)
	}
}

func TestArgsShowNoIdentifier(t *testing.T) {
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
		t.Errorf("shown: %s", shown)
	}
	if h.Patient.Reveal() != "4711" || h.Entity.Reveal() != "4711" {
		t.Error("not revealed")
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	day := date("2026-11-23")
	for _, a := range []interface{ Validate() error }{
		SyncSchedule{From: day, To: day},
		SyncSchedule{Practice: "7", To: day},
		SyncSchedule{Practice: "7", From: day},
		SyncSchedule{Practice: "7", From: day, To: date("2026-11-22")},
		SyncSchedule{Practice: "7", From: day, To: date("2029-11-22")},
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
			t.Errorf("%T passes", a)
			continue
		}
		if strings.Contains(err.Error(), "47") {
			t.Errorf("%T repeats the value: %v", a, err)
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

func TestEveryKindSaysHowOftenItMayFail(t *testing.T) {
	t.Parallel()
	attempts := Attempts()
	for _, o := range Operations() {
		if attempts[o.Kind] < 1 {
			t.Errorf("%s: %d", o.Kind, attempts[o.Kind])
		}
	}
	if len(attempts) != len(Operations()) {
		t.Errorf("%v", attempts)
	}
}
