package access

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"github.com/workflow-bolt/rounds/internal/secret"
)

// someHash has the lowest cost that ParseLogins accepts.
var someHash = func() string {
	h, err := bcrypt.GenerateFromPassword([]byte(leaked), minCost)
	if err != nil {
		panic(err)
	}
	return string(h)
}()

func TestParseLogins(t *testing.T) {
	t.Parallel()
	got, faults := ParseLogins("# ours\n\nann operator " + someHash + "\n vic\tviewer  " + someHash + " \n")
	want := []Login{{"ann", Operator, secret.Value(someHash)}, {"vic", Viewer, secret.Value(someHash)}}
	if diff := cmp.Diff(want, got); diff != "" || len(faults) > 0 {
		t.Errorf("faults %v, logins (-want +got):\n%s", faults, diff)
	}
	if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, someHash) {
		t.Errorf("printing the logins shows a hash: %s", text)
	}
}

func TestParseLoginsReportsFaults(t *testing.T) {
	t.Parallel()
	const name = "has a name that is not 1 to 40 of a-z, 0-9 and '-', a letter or digit first"
	for _, c := range []struct{ name, file, want string }{
		{"empty", "# comment\n", "names a file without a login"},
		{"two fields", "ann " + leaked, "line 1 has not three fields"},
		{"four fields", "ann operator " + someHash + " " + leaked, "line 1 has not three fields"},
		{"capitals in a name", "Ann operator " + someHash, "line 1 " + name},
		{"long name", strings.Repeat("a", 41) + " operator " + someHash, "line 1 " + name},
		{"unknown role", "ann root " + someHash, "line 1 has a role that is neither viewer nor operator"},
		{"a password", "\nann operator " + leaked, "line 2 has a hash that is not bcrypt"},
		{"hash cut short", "ann operator " + someHash[:59], "line 1 has a hash that is not bcrypt"},
		{"longer hash", "ann operator " + someHash + "x", "line 1 has a hash that is not bcrypt"},
		{"another algorithm", "ann operator $argon2id$v=19$m=65536,t=3,p=4$" + leaked, "line 1 has a hash that is not bcrypt"},
		{"low cost", "ann operator " + strings.Replace(someHash, "$10$", "$04$", 1), "line 1 has a hash whose cost is not 10 to 15"},
		{"high cost", "ann operator " + strings.Replace(someHash, "$10$", "$31$", 1), "line 1 has a hash whose cost is not 10 to 15"},
		{"repeated name", "ann operator " + someHash + "\nann viewer " + someHash, "line 2 repeats a name"},
	} {
		logins, faults := ParseLogins(c.file)
		if len(faults) != 1 || faults[0].Wrong != c.want || faults[0].Fix == "" || len(logins) > 0 {
			t.Errorf("%s: %d logins, faults %v, want %q", c.name, len(logins), faults, c.want)
		}
		if text := fmt.Sprint(faults); strings.Contains(text, leaked) || strings.Contains(text, someHash) {
			t.Errorf("%s: a fault quotes the line: %s", c.name, text)
		}
	}
	var lines strings.Builder
	for i := range maxLogins + 1 {
		fmt.Fprintf(&lines, "n%d viewer %s\n", i, someHash)
	}
	if _, faults := ParseLogins(lines.String()); len(faults) != 1 || faults[0].Wrong != "has more than 200 logins" {
		t.Errorf("%d logins: %v", maxLogins+1, faults)
	}
}

func TestNewLogin(t *testing.T) {
	t.Parallel()
	l, err := NewLogin("ann", Operator, leaked)
	if err != nil {
		t.Fatal(err)
	}
	parsed, faults := ParseLogins(l.Line())
	if len(faults) > 0 || len(parsed) != 1 || parsed[0] != l {
		t.Errorf("its line parses as %+v, %v", parsed, faults)
	}
	if bcrypt.CompareHashAndPassword([]byte(l.Hash.Reveal()), []byte(leaked)) != nil {
		t.Error("the hash is not the password's")
	}
	for name, c := range map[string]struct {
		name, password string
		role           Role
	}{
		"invalid name": {"Ann", leaked, Viewer}, "no name": {"", leaked, Viewer},
		"unknown role": {"ann", leaked, "root"}, "no role": {"ann", leaked, ""},
		"short password": {"ann", strings.Repeat("x", MinPassword-1), Viewer},
		"long password":  {"ann", strings.Repeat("x", maxPassword+1), Viewer},
	} {
		if _, err := NewLogin(c.name, c.role, c.password); !errors.Is(err, ErrLogin) || strings.Contains(err.Error(), c.password) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFingerprintCoversNameRoleAndHash(t *testing.T) {
	t.Parallel()
	ann := Login{Name: "ann", Role: Operator, Hash: secret.Value(someHash)}
	if again := ann; ann.Fingerprint() != again.Fingerprint() {
		t.Error("equal logins have two fingerprints")
	}
	for what, other := range map[string]Login{
		"name": {Name: "bob", Role: ann.Role, Hash: ann.Hash},
		"role": {Name: ann.Name, Role: Viewer, Hash: ann.Hash},
		"hash": {Name: ann.Name, Role: ann.Role, Hash: ann.Hash + "x"},
	} {
		if other.Fingerprint() == ann.Fingerprint() {
			t.Errorf("another %s has the same fingerprint", what)
		}
	}
}

// Each line of a login file is either a login whose own line parses as the same login, or a fault
// that names the line and quotes nothing of it.
func FuzzParseLogins(f *testing.F) {
	f.Add("ann operator " + someHash + "\n# vic\n")
	f.Add("# people\n\nvic viewer " + someHash + "\nvic viewer " + someHash)
	f.Add("ann\toperator\r\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		logins, faults := ParseLogins(text)
		if (len(logins) == 0) == (len(faults) == 0) {
			t.Fatalf("%d logins and %d faults", len(logins), len(faults))
		}
		for _, fault := range faults {
			if w := fault.Wrong; !strings.HasPrefix(w, "line ") && !strings.HasPrefix(w, "has more than ") && !strings.HasPrefix(w, "names a file") || len(w) > 120 {
				t.Errorf("fault %q", w)
			}
		}
		names := map[string]bool{}
		for _, l := range logins {
			again, faults := ParseLogins(l.Line())
			if len(faults) > 0 || len(again) != 1 || again[0] != l || names[l.Name] {
				t.Errorf("%q parses as %+v, %v", l.Line(), again, faults)
			}
			names[l.Name] = true
		}
	})
}
