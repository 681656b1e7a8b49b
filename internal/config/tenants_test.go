package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// loadTenants loads a valid environment with the given tenants' file, in dev or production.
func loadTenants(t *testing.T, contents string, mode string) ([]Tenant, []string) {
	t.Helper()
	env := production(t)
	env["ROUNDS_ENV"] = mode
	env["ROUNDS_TENANTS"] = write(t, "tenants.yaml", contents)
	env["EMPTY"], env["BLANK"], env["TWO_LINES"], env["EXAMPLE"] = "", "  ", leak+"\n"+leak, "your-customer-key"
	s, err := LoadScheduler(getenv(env))
	found := problemsOf(t, err)
	for variable := range found {
		if variable != tenantsName {
			t.Fatalf("problem with %s: %v", variable, found)
		}
	}
	return s.Tenants, found[tenantsName]
}

func TestBadTenantsFile(t *testing.T) {
	t.Parallel()
	deep := func(open string, n int) string { return "tenants: " + strings.Repeat(open, n) }
	for _, tc := range []struct{ name, contents, wrong string }{
		{"empty", "", "lists no tenant"},
		{"null", "null", "has a value of the wrong kind"},
		{"only a comment", "# nothing", "lists no tenant"},
		{"no tenants", "tenants: []", "lists no tenant"},
		{"a list", "- id: a", "has a value of the wrong kind"},
		{"a word", leak, "has a value of the wrong kind"},
		{"tenants is a map", "tenants: {id: " + leak + "}", "has a value of the wrong kind"},
		{"unknown key", strings.Replace(goodTenants, "timezone:", "time_zone:", 1), "has an unknown key at line 3"},
		{"unknown secret key", strings.Replace(goodTenants, "user:", leak+":", 1), "has an unknown key at line 5"},
		{"unknown top key", goodTenants + "tenant: []\n", "has an unknown key"},
		{"key twice", strings.Replace(goodTenants, "    tebra:", "    id: b\n    tebra:", 1), "is not valid YAML at line 5"},
		{"anchor", "tenants: &a []", "uses an anchor, an alias, a merge or a tag at line 1"},
		{"alias bomb", "a: &a [x,x]\nb: &b [*a,*a]\ntenants: *b", "uses an anchor, an alias, a merge or a tag at line 1"},
		{"merge", "tenants:\n  - <<: {id: a}", "uses an anchor, an alias, a merge or a tag at line 2"},
		{"tag", "tenants: !!binary aGk=", "uses an anchor, an alias, a merge or a tag at line 1"},
		{"two documents", goodTenants + "---\n" + goodTenants, "holds a second document"},
		{"tab", "tenants:\n\t- id: " + leak, "is not valid YAML"},
		{"unclosed", "tenants: [{id: \"" + leak, "is not valid YAML"},
		{"flow bomb", deep("[", 100_000), "is nested too deeply"},
		{"map bomb", deep("{a: ", 100_000), "is nested too deeply"},
		{"dash bomb", deep("\n- "+strings.Repeat("- ", 100_000), 1), "is nested too deeply"},
		{"huge", "# " + strings.Repeat("x", maxTenantsFile), "names a file that is too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, wrong := loadTenants(t, tc.contents, "production")
			if len(wrong) != 1 || !strings.HasPrefix(wrong[0], tc.wrong) {
				t.Errorf("found %q, want one that starts %q", wrong, tc.wrong)
			}
		})
	}
}

func TestBadTenant(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, old, now, wrong string }{
		{"no id", "id: clinic-a\n", "id: \"\"\n", "tenant 1 has no usable id"},
		{"capital id", "id: clinic-a\n", "id: Clinic-A\n", "tenant 1 has no usable id"},
		{"id with a brace", "id: clinic-a\n", "id: \"a}b\"\n", "tenant 1 has no usable id"},
		{"id too long", "id: clinic-a\n", "id: " + strings.Repeat("a", 41) + "\n", "tenant 1 has no usable id"},
		{"no zone", "America/Chicago", "\"\"", "tenant 1 (clinic-a) has an unknown timezone"},
		{"local zone", "America/Chicago", "Local", "tenant 1 (clinic-a) has an unknown timezone"},
		{"made-up zone", "America/Chicago", "America/Atlantis", "tenant 1 (clinic-a) has an unknown timezone"},
		{"zone outside", "America/Chicago", "../../etc/passwd", "tenant 1 (clinic-a) has an unknown timezone"},
		{"practice zone", "name: South Side", "name: South Side, timezone: America/Atlantis", "tenant 1 (clinic-a) practice 2 has an unknown timezone"},
		{"local practice zone", "name: North Side", "timezone: Local, name: North Side", "tenant 1 (clinic-a) practice 1 has an unknown timezone"},
		{"weight zero", "id: clinic-a\n", "id: clinic-a\n    weight: 0\n", "tenant 1 (clinic-a) has an impossible weight"},
		{"weight negative", "id: clinic-a\n", "id: clinic-a\n    weight: -1\n", "tenant 1 (clinic-a) has an impossible weight"},
		{"weight too large", "id: clinic-a\n", "id: clinic-a\n    weight: 101\n", "tenant 1 (clinic-a) has an impossible weight"},
		{"day", "mon:", "monday:", "tenant 1 (clinic-a) has opening_hours for an unknown day"},
		{"hours", "08:00-17:30", "8-17", "tenant 1 (clinic-a) has unreadable opening_hours on mon"},
		{"short hours", "08:00-17:30", "8:00-17:30", "tenant 1 (clinic-a) has unreadable opening_hours on mon"},
		{"hours backwards", "08:00-17:30", "17:30-08:00", "tenant 1 (clinic-a) has unreadable opening_hours on mon"},
		{"opening only", "08:00-17:30", "08:00", "tenant 1 (clinic-a) has unreadable opening_hours on mon"},
		{"hour 25", "08:00-17:30", "08:00-25:00", "tenant 1 (clinic-a) has unreadable opening_hours on mon"},
		{"literal", "env:CLINIC_A_KEY", leak, "tenant 1 (clinic-a) has tebra.customer_key in plain text"},
		{"secret not set", "env:CLINIC_A_KEY", "env:NOWHERE", "tenant 1 (clinic-a) has an empty tebra.customer_key"},
		{"secret blank", "env:CLINIC_A_USER", "env:BLANK", "tenant 1 (clinic-a) has an empty tebra.user"},
		{"secret missing", "env:CLINIC_A_USER", "", "tenant 1 (clinic-a) has an empty tebra.user"},
		{"secret of two lines", "env:CLINIC_A_PASSWORD", "env:TWO_LINES", "tenant 1 (clinic-a) has a tebra.password of more than one line"},
		{"placeholder", "env:CLINIC_A_KEY", "env:EXAMPLE", "tenant 1 (clinic-a) has a placeholder for tebra.customer_key"},
		{"secret file", "env:CLINIC_A_KEY", "file:/nowhere/at/all", "tenant 1 (clinic-a) has a tebra.customer_key that names a file that does not exist"},
		{"practice zero", "id: 7,", "id: 0,", "tenant 1 (clinic-a) practice 1 has no usable id"},
		{"practice negative", "id: 7,", "id: -7,", "tenant 1 (clinic-a) practice 1 has no usable id"},
		{"practice word", "id: 7,", "id: seven,", "tenant 1 (clinic-a) practice 1 has no usable id"},
		{"practice 2^63", "id: 7,", "id: \"9223372036854775808\",", "tenant 1 (clinic-a) practice 1 has no usable id"},
		{"practice twice", "id: 7,", "id: 8,", "tenant 1 (clinic-a) practice 2 has the id of an earlier one"},
		{"practice name", "North Side", "\"\"", "tenant 1 (clinic-a) practice 1 has no usable name"},
		{"practice name spaces", "North Side", "\"North Side \"", "tenant 1 (clinic-a) practice 1 has no usable name"},
		{"practice name twice", "North Side", "South Side", "tenant 1 (clinic-a) practice 2 has the name of an earlier one"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(goodTenants, tc.old) {
				t.Fatalf("nothing to replace by %q", tc.now)
			}
			_, wrong := loadTenants(t, strings.Replace(goodTenants, tc.old, tc.now, 1), "production")
			if diff := cmp.Diff([]string{tc.wrong}, wrong); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWeights(t *testing.T) {
	t.Parallel()
	for now, want := range map[string]int{"": 1, "    weight: 1\n": 1, "    weight: 100\n": 100} {
		tenants, wrong := loadTenants(t, strings.Replace(goodTenants, "id: clinic-a\n", "id: clinic-a\n"+now, 1), "production")
		if len(wrong) > 0 || len(tenants) != 1 || tenants[0].Weight != want {
			t.Errorf("%q: %+v, problems: %q", now, tenants, wrong)
		}
	}
}

func TestPracticeZones(t *testing.T) {
	t.Parallel()
	contents := strings.Replace(goodTenants, "name: South Side", "timezone: America/New_York, name: South Side", 1)
	tenants, wrong := loadTenants(t, contents, "production")
	want := []Practice{{ID: "7", Name: "North Side"}, {ID: "8", Name: "South Side", TimeZone: "America/New_York"}}
	if len(wrong) > 0 || len(tenants) != 1 {
		t.Fatalf("%d tenants, problems: %q", len(tenants), wrong)
	}
	if diff := cmp.Diff(want, tenants[0].Practices); diff != "" {
		t.Errorf("practices (-want +got):\n%s", diff)
	}
	env := production(t)
	env["ROUNDS_TENANTS"] = write(t, "tenants.yaml", contents)
	zones := []PracticeZone{{"clinic-a", "7", "America/Chicago"}, {"clinic-a", "8", "America/New_York"}}
	for process, want := range map[string][]PracticeZone{"worker": zones, "scheduler": zones, "monitor": nil, "unknown": nil} {
		if diff := cmp.Diff(want, ShowZones(process, getenv(env))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", process, diff)
		}
	}
	env["ROUNDS_TENANTS"] = write(t, "tenants.yaml", strings.Replace(contents, "New_York", "Atlantis", 1))
	if got := ShowZones("worker", getenv(env)); got != nil {
		t.Errorf("of a file that is refused: %v", got)
	}
}

func TestTenantsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	bad := strings.NewReplacer("America/Chicago", "Nowhere", "08:00-17:30", "x", "env:CLINIC_A_KEY", leak).Replace(goodTenants)
	twin := strings.SplitAfterN(goodTenants, "\n", 2)[1]
	nothing := "  - id: clinic-c\n    timezone: UTC\n"
	_, wrong := loadTenants(t, bad+twin+nothing, "production")
	want := []string{
		"tenant 1 (clinic-a) has an unknown timezone",
		"tenant 1 (clinic-a) has unreadable opening_hours on mon",
		"tenant 1 (clinic-a) has tebra.customer_key in plain text",
		"tenant 2 has the id of an earlier one",
		"tenant 3 (clinic-c) has an empty tebra.customer_key",
		"tenant 3 (clinic-c) has an empty tebra.user",
		"tenant 3 (clinic-c) has an empty tebra.password",
		"tenant 3 (clinic-c) has no practice",
	}
	if diff := cmp.Diff(want, wrong); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, contents, want string }{
		{"bare", leak, leak},
		{"newline", leak + "\n", leak},
		{"crlf", leak + "\r\n", leak},
		{"inner spaces", "a b \n", "a b "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			file := "file:" + write(t, "secret", tc.contents)
			got, wrong := loadTenants(t, strings.Replace(goodTenants, "env:CLINIC_A_PASSWORD", file, 1), "production")
			if len(wrong) > 0 || got[0].Credentials.Password.Reveal() != tc.want {
				t.Errorf("problems %v", wrong)
			}
		})
	}
}

func TestSecretFileOpenToAll(t *testing.T) {
	t.Parallel()
	path := write(t, "secret", leak)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	contents := strings.Replace(goodTenants, "env:CLINIC_A_PASSWORD", "file:"+path, 1)
	if _, wrong := loadTenants(t, contents, "production"); len(wrong) != 1 {
		t.Errorf("production accepts a secret that all users can read: %v", wrong)
	}
	if _, wrong := loadTenants(t, contents, "dev"); len(wrong) != 0 {
		t.Errorf("dev refuses it: %v", wrong)
	}
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	if _, wrong := loadTenants(t, contents, "production"); len(wrong) != 0 {
		t.Errorf("production refuses a secret with the mode that platforms use: %v", wrong)
	}
}

// Dev accepts literals, including the example's, so that a first try needs one file.
func TestLiteralInDev(t *testing.T) {
	t.Parallel()
	got, wrong := loadTenants(t, strings.Replace(goodTenants, "env:CLINIC_A_KEY", "changeme", 1), "dev")
	if len(wrong) > 0 || got[0].Credentials.CustomerKey != "changeme" {
		t.Errorf("problems %v", wrong)
	}
}

func TestTenantsByteOrderMarkAndCRLF(t *testing.T) {
	t.Parallel()
	plain, _ := loadTenants(t, goodTenants, "production")
	for name, contents := range map[string]string{
		"bom":      "\ufeff" + goodTenants,
		"crlf":     strings.ReplaceAll(goodTenants, "\n", "\r\n"),
		"header":   "---\n" + goodTenants,
		"comments": "# practices\n---\n" + goodTenants,
	} {
		got, wrong := loadTenants(t, contents, "production")
		if diff := cmp.Diff(plain, got); diff != "" || len(wrong) > 0 {
			t.Errorf("%s: problems %v, (-want +got):\n%s", name, wrong, diff)
		}
	}
}

func TestTooManyTenants(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("tenants:\n")
	for i := range maxTenants + 1 {
		fmt.Fprintf(&b, "- {id: t%d}\n", i)
	}
	_, wrong := loadTenants(t, b.String(), "production")
	if diff := cmp.Diff([]string{"lists more than 10000 tenants"}, wrong); diff != "" {
		t.Error(diff)
	}
}

// Parsing ends for every file, and a fault always has a fix.
func FuzzParseTenants(f *testing.F) {
	f.Add(goodTenants)
	f.Add("a: &a [x]\nb: *a")
	f.Add("tenants: [[[[")
	f.Add("tenants:\n- - - - x")
	f.Add("\ufeff---\n{}")
	f.Fuzz(func(t *testing.T, data string) {
		if len(data) > 1<<14 {
			return // TestBadTenantsFile has the long inputs
		}
		_, wrong, fix := parseTenants(data)
		if (wrong == "") != (fix == "") {
			t.Errorf("fault %q with fix %q", wrong, fix)
		}
		// With several unknown keys the parser may report another one the second time, but must
		// fail again.
		if _, again, _ := parseTenants(data); (wrong == "") != (again == "") {
			t.Errorf("%q, then %q", wrong, again)
		}
	})
}
