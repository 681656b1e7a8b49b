package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"github.com/workflow-bolt/rounds/internal/secret"
)

// A cheap hash, of the least cost that is taken.
var someHash = func() string {
	h, err := bcrypt.GenerateFromPassword([]byte(leak), leastCost)
	if err != nil {
		panic(err)
	}
	return string(h)
}()

// monitorEnv is an environment for production that satisfies every rule.
func monitorEnv(t *testing.T) map[string]string {
	t.Helper()
	env := production(t)
	env["ROUNDS_MONITOR_PASSWORD_FILE"] = write(t, "logins", "# ours\n\nann operator "+someHash+"\n vic\tviewer  "+someHash+" \n")
	return env
}

func TestMonitor(t *testing.T) {
	t.Parallel()
	env := monitorEnv(t)
	// It runs without what it must not have.
	for _, name := range []string{"ROUNDS_CACHE_REDIS", "ROUNDS_KEYS", "ROUNDS_TENANTS"} {
		delete(env, name)
	}
	m, err := LoadMonitor(getenv(env))
	if err != nil {
		t.Fatal(err)
	}
	want := Monitor{
		Mode: Production, Queue: secret.Value(env["ROUNDS_QUEUE_REDIS"]), LedgerURL: secret.Value(env["ROUNDS_LEDGER"]),
		Addr: ":8090", Health: ":8084", Logins: []Login{{"ann", Operator, secret.Value(someHash)}, {"vic", Viewer, secret.Value(someHash)}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if text := fmt.Sprintf("%v %+v %#v", m, m, m) + mustJSON(t, m); strings.Contains(text, leak) || strings.Contains(text, someHash) {
		t.Errorf("printing the settings shows a secret: %s", text)
	}
}

func TestMonitorNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := LoadMonitor(func(string) string { return "" })
	want := map[string][]string{
		"ROUNDS_QUEUE_REDIS": {"is not set"}, "ROUNDS_LEDGER": {"is not set"}, "ROUNDS_MONITOR_PASSWORD_FILE": {"is not set"},
	}
	if diff := cmp.Diff(want, problemsOf(t, err)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestBadMonitorVariables(t *testing.T) {
	t.Parallel()
	open := write(t, "open", "ann operator "+someHash)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	const file, addr = "ROUNDS_MONITOR_PASSWORD_FILE", "ROUNDS_MONITOR_ADDR"
	for _, c := range []struct{ name, variable, value, wrong string }{
		{"address", addr, "8090", "is not host:port"},
		{"port by name", addr, ":http", "has no usable port"},
		{"port range", addr, ":70000", "has no usable port"},
		{"port sign", addr, ":+80", "has no usable port"},
		{"queue in clear", "ROUNDS_QUEUE_REDIS", "redis://q.clinic.net", "is not encrypted"},
		{"ledger on one host", "ROUNDS_LEDGER", "sqlite:x.db", "is SQLite, which serves one host only"},
		{"no such file", file, "/nowhere/logins", "names a file that does not exist"},
		{"a folder", file, t.TempDir(), "names something that is not a file"},
		{"a device", file, "/dev/zero", "names something that is not a file"},
		{"read by everybody", file, open, "names a file that everybody may read"},
		{"huge", file, write(t, "f", strings.Repeat("#", maxLoginFile+1)), "names a file that is too large"},
		{"empty", file, write(t, "f", "# nobody\n"), "names a file without a login"},
		{"two fields", file, write(t, "f", "ann "+leak), "line 1 has not three fields"},
		{"four fields", file, write(t, "f", "ann operator "+someHash+" "+leak), "line 1 has not three fields"},
		{"a name with capitals", file, write(t, "f", "Ann operator "+someHash), "line 1 has a name that is not 1 to 40 of a-z, 0-9 and '-', a letter or digit first"},
		{"a long name", file, write(t, "f", strings.Repeat("a", 41)+" operator "+someHash), "line 1 has a name that is not 1 to 40 of a-z, 0-9 and '-', a letter or digit first"},
		{"a role", file, write(t, "f", "ann root "+someHash), "line 1 has a role that is neither viewer nor operator"},
		{"a password", file, write(t, "f", "\nann operator "+leak), "line 2 has a hash that is not bcrypt"},
		{"a cut hash", file, write(t, "f", "ann operator "+someHash[:59]), "line 1 has a hash that is not bcrypt"},
		{"a longer hash", file, write(t, "f", "ann operator "+someHash+"x"), "line 1 has a hash that is not bcrypt"},
		{"another hash", file, write(t, "f", "ann operator $argon2id$v=19$m=65536,t=3,p=4$"+leak), "line 1 has a hash that is not bcrypt"},
		{"a cheap hash", file, write(t, "f", "ann operator "+strings.Replace(someHash, "$10$", "$04$", 1)), "line 1 has a hash whose cost is not 10 to 15"},
		{"a dear hash", file, write(t, "f", "ann operator "+strings.Replace(someHash, "$10$", "$31$", 1)), "line 1 has a hash whose cost is not 10 to 15"},
		{"a name twice", file, write(t, "f", "ann operator "+someHash+"\nann viewer "+someHash), "line 2 repeats a name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := monitorEnv(t)
			env[c.variable] = c.value
			_, err := LoadMonitor(getenv(env))
			if diff := cmp.Diff(map[string][]string{c.variable: {c.wrong}}, problemsOf(t, err)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if strings.Contains(err.Error(), someHash) {
				t.Error("the error repeats a hash")
			}
		})
	}
}

func TestTooManyLogins(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	for i := range maxLogins + 1 {
		fmt.Fprintf(&lines, "n%d viewer %s\n", i, someHash)
	}
	if _, faults := parseLogins(lines.String()); len(faults) != 1 || faults[0] != "has more than 200 logins" {
		t.Errorf("%q", faults)
	}
}

func TestNewLogin(t *testing.T) {
	t.Parallel()
	l, err := NewLogin("ann", Operator, leak)
	if err != nil {
		t.Fatal(err)
	}
	read, faults := parseLogins(l.Line())
	if len(faults) > 0 || len(read) != 1 || read[0] != l {
		t.Errorf("its line is read as %+v, %q", read, faults)
	}
	if bcrypt.CompareHashAndPassword([]byte(l.Hash.Reveal()), []byte(leak)) != nil {
		t.Error("the hash is not the password's")
	}
	for name, c := range map[string]struct {
		name, password string
		role           Role
	}{
		"name": {"Ann", leak, Viewer}, "no name": {"", leak, Viewer}, "role": {"ann", leak, "root"}, "no role": {"ann", leak, ""},
		"short": {"ann", strings.Repeat("x", MinPassword-1), Viewer}, "long": {"ann", strings.Repeat("x", maxPassword+1), Viewer},
	} {
		if _, err := NewLogin(c.name, c.role, c.password); !errors.Is(err, ErrLogin) || strings.Contains(err.Error(), c.password) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever the file of the operators' logins holds, each line is a login that its own line gives again, or a fault that
// names the line and repeats nothing of it.
func FuzzParseLogins(f *testing.F) {
	f.Add("ann operator " + someHash + "\n# vic\n")
	f.Add("# people\n\nvic viewer " + someHash + "\nvic viewer " + someHash)
	f.Add("ann\toperator\r\n\x00")
	f.Fuzz(func(t *testing.T, data string) {
		logins, faults := parseLogins(data)
		for _, fault := range faults {
			if !strings.HasPrefix(fault, "line ") && !strings.HasPrefix(fault, "has more than ") || len(fault) > 120 {
				t.Errorf("fault %q", fault)
			}
		}
		names := map[string]bool{}
		for _, l := range logins {
			again, faults := parseLogins(l.Line())
			if len(faults) > 0 || len(again) != 1 || again[0] != l || names[l.Name] {
				t.Errorf("%q is read as %+v, %q", l.Line(), again, faults)
			}
			names[l.Name] = true
		}
		if lines := strings.Count(data, "\n") + 1; len(logins)+len(faults) > lines {
			t.Errorf("%d logins and %d faults of %d lines", len(logins), len(faults), lines)
		}
	})
}
