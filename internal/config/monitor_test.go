package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/secret"
)

// someLogin has the lowest cost that is accepted.
var someLogin = func() access.Login {
	h, err := bcrypt.GenerateFromPassword([]byte(leak), 10)
	if err != nil {
		panic(err)
	}
	return access.Login{Name: "ann", Role: access.Operator, Hash: secret.Value(h)}
}()

// monitorEnv is an environment for production that satisfies every rule.
func monitorEnv(t *testing.T) map[string]string {
	t.Helper()
	env := production(t)
	env["ROUNDS_MONITOR_PASSWORD_FILE"] = write(t, "logins", "# ours\n"+someLogin.Line()+"\n")
	return env
}

func TestMonitor(t *testing.T) {
	t.Parallel()
	env := monitorEnv(t)
	// The monitor loads without what it must not have.
	for _, name := range []string{"ROUNDS_CACHE_REDIS", "ROUNDS_KEYS", "ROUNDS_TENANTS"} {
		delete(env, name)
	}
	m, err := LoadMonitor(getenv(env))
	if err != nil {
		t.Fatal(err)
	}
	want := Monitor{
		Mode: Production, Queue: secret.Value(env["ROUNDS_QUEUE_REDIS"]), LedgerURL: secret.Value(env["ROUNDS_LEDGER"]),
		Addr: ":8090", Health: ":8084", Logins: []access.Login{someLogin},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if text := fmt.Sprintf("%v %+v %#v", m, m, m) + mustJSON(t, m); strings.Contains(text, leak) || strings.Contains(text, someLogin.Hash.Reveal()) {
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
	open := write(t, "open", someLogin.Line())
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	const file, addr = "ROUNDS_MONITOR_PASSWORD_FILE", "ROUNDS_MONITOR_ADDR"
	for _, c := range []struct{ name, variable, value, wrong string }{
		{"address", addr, "8090", "is not host:port"},
		{"port by name", addr, ":http", "has no usable port"},
		{"port range", addr, ":70000", "has no usable port"},
		{"port sign", addr, ":+80", "has no usable port"},
		{"queue without TLS", "ROUNDS_QUEUE_REDIS", "redis://q.clinic.net", "is not encrypted"},
		{"ledger on one host", "ROUNDS_LEDGER", "sqlite:x.db", "is SQLite, which serves one host only"},
		{"no such file", file, "/nowhere/logins", "names a file that does not exist"},
		{"a folder", file, t.TempDir(), "names something that is not a regular file"},
		{"a device", file, "/dev/zero", "names something that is not a regular file"},
		{"readable by all", file, open, "names a file that all users can read"},
		{"huge", file, write(t, "f", strings.Repeat("#", maxLoginFile+1)), "names a file that is too large"},
		{"empty", file, write(t, "f", "# none\n"), "names a file without a login"},
		{"a fault", file, write(t, "f", "\nann operator "+leak), "line 2 has a hash that is not bcrypt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := monitorEnv(t)
			env[c.variable] = c.value
			_, err := LoadMonitor(getenv(env))
			if diff := cmp.Diff(map[string][]string{c.variable: {c.wrong}}, problemsOf(t, err)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if strings.Contains(err.Error(), someLogin.Hash.Reveal()) {
				t.Error("the error repeats a hash")
			}
		})
	}
}
