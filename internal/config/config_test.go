package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/secret"
)

const leak = "hunter2-do-not-print"

// write writes a new file that only its owner can read.
func write(t *testing.T, name, contents string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// production returns an environment that satisfies every rule. Tests break one variable at a time.
func production(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"ROUNDS_QUEUE_REDIS": "rediss://:" + leak + "@queue.clinic.net:6379/0",
		"ROUNDS_CACHE_REDIS": "rediss://:" + leak + "@cache.clinic.net:6379/0",
		"ROUNDS_LEDGER":      "postgres://rounds:" + leak + "@db.clinic.net/rounds",
		"ROUNDS_KEYS":        write(t, "keys.json", `{"primaryKeyId": 1}`),
		"ROUNDS_TENANTS":     write(t, "tenants.yaml", goodTenants),
		"CLINIC_A_KEY":       leak,
		"CLINIC_A_USER":      "api@clinic-a.net",
		"CLINIC_A_PASSWORD":  leak,
	}
}

const goodTenants = `tenants:
  - id: clinic-a
    timezone: America/Chicago
    opening_hours: {mon: "08:00-17:30", sat: "09:00-24:00"}
    tebra: {customer_key: "env:CLINIC_A_KEY", user: "env:CLINIC_A_USER", password: "env:CLINIC_A_PASSWORD"}
    practices:
      - {id: 7, name: North Side}
      - {id: "8", name: South Side}
`

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// problemsOf returns the problems by variable. It fails the test if one of them shows a secret.
func problemsOf(t *testing.T, err error) map[string][]string {
	t.Helper()
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T, want *Error", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", err, e.Problems(), e.Problems()); strings.Contains(text, leak) {
		t.Fatalf("the error shows a secret: %s", text)
	}
	found := map[string][]string{}
	for _, p := range e.Problems() {
		if p.Variable == "" || p.Wrong == "" || p.Fix == "" {
			t.Errorf("problem without variable, fault or fix: %+v", p)
		}
		found[p.Variable] = append(found[p.Variable], p.Wrong)
	}
	return found
}

func TestWorker(t *testing.T) {
	t.Parallel()
	env := production(t)
	w, err := LoadWorker(getenv(env))
	if err != nil {
		t.Fatal(err)
	}
	base := Base{
		Mode:      Production,
		Redis:     Redis{Queue: secret.Value(env["ROUNDS_QUEUE_REDIS"]), Cache: secret.Value(env["ROUNDS_CACHE_REDIS"])},
		LedgerURL: secret.Value(env["ROUNDS_LEDGER"]),
		Keyset:    `{"primaryKeyId": 1}`,
		Health:    ":8081",
		Tenants: []Tenant{{
			ID: "clinic-a", TimeZone: "America/Chicago", Weight: 1,
			Hours:       map[string]string{"mon": "08:00-17:30", "sat": "09:00-24:00"},
			Credentials: Credentials{CustomerKey: leak, User: "api@clinic-a.net", Password: leak},
			Practices:   []Practice{{ID: "7", Name: "North Side"}, {ID: "8", Name: "South Side"}},
		}},
	}
	want := Worker{Base: base, Endpoint: "https://webservice.kareo.com/services/soap/2.1/KareoServices.svc"}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Errorf("worker (-want +got):\n%s", diff)
	}
	s, err := LoadScheduler(getenv(env))
	if err != nil {
		t.Fatal(err)
	}
	base.Health = ":8082"
	if diff := cmp.Diff(Scheduler{Base: base}, s); diff != "" {
		t.Errorf("scheduler (-want +got):\n%s", diff)
	}
	printed := []string{mustJSON(t, w), fmt.Sprintf("%x", w.Redis.Queue)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		printed = append(printed, fmt.Sprintf(verb, w))
	}
	for _, text := range printed {
		if strings.Contains(text, leak) {
			t.Errorf("printing the settings shows a secret: %s", text)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every required variable is reported at once.
func TestEmptyEnvironment(t *testing.T) {
	t.Parallel()
	_, err := LoadWorker(func(string) string { return "" })
	want := map[string][]string{
		"ROUNDS_QUEUE_REDIS": {"is not set"},
		"ROUNDS_CACHE_REDIS": {"is not set"},
		"ROUNDS_LEDGER":      {"is not set"},
		"ROUNDS_KEYS":        {"is not set"},
	}
	if diff := cmp.Diff(want, problemsOf(t, err)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if text := err.Error(); strings.Count(text, "\n") != 4 || !strings.Contains(text, "configuration: 4 problem(s)") {
		t.Errorf("error text: %s", text)
	}
}

// Exactly the variable that is wrong is reported.
func TestBadVariables(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := write(t, "open.json", "{}")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	big := write(t, "big.json", strings.Repeat("x", maxKeyset+1))
	for _, tc := range []struct {
		name, variable, value string
		dev                   bool // wrong in dev too
		wrong                 string
	}{
		{"mode", "ROUNDS_ENV", "staging", true, "is neither dev nor production"},
		{"mode in capitals", "ROUNDS_ENV", "DEV", true, "is neither dev nor production"},
		{"queue scheme", "ROUNDS_QUEUE_REDIS", "http://q.clinic.net", true, "has a scheme that is not Redis"},
		{"queue no scheme", "ROUNDS_QUEUE_REDIS", "q.clinic.net:6379", true, "has a scheme that is not Redis"},
		{"queue not a URL", "ROUNDS_QUEUE_REDIS", "redis://:" + leak + "%zz@q", true, "is not a URL"},
		{"queue no host", "ROUNDS_QUEUE_REDIS", "rediss://", true, "names no host"},
		{"queue no socket", "ROUNDS_QUEUE_REDIS", "unix://", true, "names no socket"},
		{"queue without TLS", "ROUNDS_QUEUE_REDIS", "redis://:" + leak + "@q.clinic.net", false, "is not encrypted"},
		{"sentinel without TLS", "ROUNDS_QUEUE_REDIS", "redis+sentinel://s1,s2/main/0", false, "is not encrypted"},
		{"cluster without TLS", "ROUNDS_CACHE_REDIS", "redis+cluster://c1:7000", false, "is not encrypted"},
		{"one server", "ROUNDS_CACHE_REDIS", "rediss://QUEUE.clinic.net/1", false, "names the same server as ROUNDS_QUEUE_REDIS"},
		{"one server, listed", "ROUNDS_CACHE_REDIS", "redis+cluster://c1:1,queue.clinic.net?tls=true", false, "names the same server as ROUNDS_QUEUE_REDIS"},
		{"cluster, tls misspelled", "ROUNDS_CACHE_REDIS", "redis+cluster://c1?tls=yes", false, "is not encrypted"},
		{"cluster, empty host", "ROUNDS_CACHE_REDIS", "redis+cluster://c1,?tls=true", true, "names no host"},
		{"ledger scheme", "ROUNDS_LEDGER", "mysql://db/x", true, "is neither postgres:// nor sqlite:"},
		{"ledger path only", "ROUNDS_LEDGER", "/var/ledger.db", true, "is neither postgres:// nor sqlite:"},
		{"ledger without slashes", "ROUNDS_LEDGER", "postgres:" + leak, true, "is not a PostgreSQL URL"},
		{"ledger sqlite no file", "ROUNDS_LEDGER", "sqlite:", true, "names no file"},
		{"ledger sqlite", "ROUNDS_LEDGER", "sqlite:rounds.db", false, "is SQLite, which serves one host only"},
		{"keys missing", "ROUNDS_KEYS", filepath.Join(dir, "nowhere"), true, "names a file that does not exist"},
		{"keys below a file", "ROUNDS_KEYS", filepath.Join(open, "x"), true, "names a file that cannot be examined"},
		{"keys directory", "ROUNDS_KEYS", dir, true, "names something that is not a regular file"},
		{"keys device", "ROUNDS_KEYS", "/dev/zero", true, "names something that is not a regular file"},
		{"keys empty", "ROUNDS_KEYS", write(t, "empty", " \n"), true, "names an empty file"},
		{"keys huge", "ROUNDS_KEYS", big, true, "names a file that is too large"},
		{"keys readable by all", "ROUNDS_KEYS", open, false, "names a file that all users can read"},
		{"endpoint http", "ROUNDS_TEBRA_ENDPOINT", "http://webservice.kareo.com/x", false, "is plain http"},
		{"endpoint scheme", "ROUNDS_TEBRA_ENDPOINT", "ftp://webservice.kareo.com", true, "is not an https URL"},
		{"endpoint not a URL", "ROUNDS_TEBRA_ENDPOINT", "://" + leak, true, "is not an https URL"},
		{"endpoint user", "ROUNDS_TEBRA_ENDPOINT", "https://u:" + leak + "@vendor.com/", true, "has a user, a query or a fragment"},
		{"endpoint query", "ROUNDS_TEBRA_ENDPOINT", "https://vendor.com/?key=" + leak, true, "has a user, a query or a fragment"},
		{"endpoint IPv4", "ROUNDS_TEBRA_ENDPOINT", "https://10.0.0.1/", false, "is not a public host name"},
		{"endpoint IPv6", "ROUNDS_TEBRA_ENDPOINT", "https://[::1]/", false, "is not a public host name"},
		{"endpoint short IP", "ROUNDS_TEBRA_ENDPOINT", "https://127.1/", false, "is not a public host name"},
		{"endpoint hex IP", "ROUNDS_TEBRA_ENDPOINT", "https://0x7f.1/", false, "is not a public host name"},
		{"endpoint number", "ROUNDS_TEBRA_ENDPOINT", "https://2130706433/", false, "is not a public host name"},
		{"endpoint localhost", "ROUNDS_TEBRA_ENDPOINT", "https://localhost/", false, "is not a public host name"},
		{"endpoint sub.localhost.", "ROUNDS_TEBRA_ENDPOINT", "https://a.LOCALHOST./", false, "is not a public host name"},
		{"endpoint metadata", "ROUNDS_TEBRA_ENDPOINT", "https://metadata.google.internal/", false, "is not a public host name"},
		{"health", "ROUNDS_HEALTH_ADDR", "8081", true, "is not host:port"},
		{"health port name", "ROUNDS_HEALTH_ADDR", ":http", true, "has no usable port"},
		{"health port range", "ROUNDS_HEALTH_ADDR", ":65536", true, "has no usable port"},
		{"health port sign", "ROUNDS_HEALTH_ADDR", ":+1", true, "has no usable port"},
		{"collector", "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", true, "is not an http or https URL"},
		{"tenants missing", "ROUNDS_TENANTS", filepath.Join(dir, "nowhere"), true, "names a file that does not exist"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			env := production(t)
			env[tc.variable] = tc.value
			_, err := LoadWorker(getenv(env))
			if diff := cmp.Diff(map[string][]string{tc.variable: {tc.wrong}}, problemsOf(t, err)); diff != "" {
				t.Errorf("in production (-want +got):\n%s", diff)
			}
			if tc.variable == "ROUNDS_ENV" {
				return
			}
			env["ROUNDS_ENV"] = "dev"
			_, err = LoadWorker(getenv(env))
			if found := len(problemsOf(t, err)) > 0; found != tc.dev {
				t.Errorf("in dev: %v, want a problem: %v", err, tc.dev)
			}
		})
	}
}

func TestGoodVariables(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, variable, value string }{
		{"production by name", "ROUNDS_ENV", "production"},
		{"unix socket", "ROUNDS_QUEUE_REDIS", "unix:///run/redis.sock?db=3"},
		{"sentinel", "ROUNDS_QUEUE_REDIS", "redis+sentinel://:p@s1,s2:26379/main/0?tls=true"},
		{"cluster", "ROUNDS_CACHE_REDIS", "redis+cluster://c1:7000,c2?tls=true"},
		{"same host, other port", "ROUNDS_CACHE_REDIS", "rediss://queue.clinic.net:6380"},
		{"postgresql", "ROUNDS_LEDGER", "postgresql://db/rounds?sslmode=verify-full"},
		{"no tenants", "ROUNDS_TENANTS", ""},
		{"endpoint", "ROUNDS_TEBRA_ENDPOINT", "https://api.vendor.com/x"},
		{"health with host", "ROUNDS_HEALTH_ADDR", "127.0.0.1:0"},
		{"health off", "ROUNDS_HEALTH_ADDR", "off"},
		{"collector", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			env := production(t)
			env[tc.variable] = tc.value
			w, err := LoadWorker(getenv(env))
			if err != nil {
				t.Fatal(err)
			}
			if tc.value == "off" && w.Health != "" {
				t.Errorf("health is served at %q", w.Health)
			}
		})
	}
}

// Two masters watched by the same Sentinels are two servers.
func TestSentinelMastersAreServers(t *testing.T) {
	t.Parallel()
	env := production(t)
	env["ROUNDS_QUEUE_REDIS"] = "redis+sentinel://s1,s2/queue/0?tls=true"
	env["ROUNDS_CACHE_REDIS"] = "redis+sentinel://s1,s2/cache/0?tls=true"
	if _, err := LoadWorker(getenv(env)); err != nil {
		t.Error(err)
	}
	env["ROUNDS_CACHE_REDIS"] = "redis+sentinel://S2:26379,s3/queue/1?tls=true"
	if _, err := LoadWorker(getenv(env)); problemsOf(t, err)["ROUNDS_CACHE_REDIS"] == nil {
		t.Error("one master for both roles was accepted")
	}
}

func TestModeString(t *testing.T) {
	t.Parallel()
	if Dev.String() != "dev" || Production.String() != "production" {
		t.Errorf("modes print as %s and %s", Dev, Production)
	}
}

// A pipe must be refused without being opened: opening one waits for a writer.
func TestKeysInPipe(t *testing.T) {
	t.Parallel()
	env := production(t)
	env["ROUNDS_KEYS"] = pipe(t)
	done := make(chan error, 1)
	go func() {
		_, err := LoadWorker(getenv(env))
		done <- err
	}()
	select {
	case err := <-done:
		if diff := cmp.Diff(map[string][]string{"ROUNDS_KEYS": {"names something that is not a regular file"}}, problemsOf(t, err)); diff != "" {
			t.Error(diff)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("loading waits for a writer of the pipe")
	}
}

// variableNames returns every variable that a process reads, sorted.
func variableNames() []string {
	var names []string
	for _, process := range Processes() {
		settings, _ := Show(process, getenv(nil))
		for _, s := range settings {
			names = append(names, s.Variable)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestShowListsEveryVariable(t *testing.T) {
	t.Parallel()
	names := variableNames()
	if len(names) < 10 || slices.Contains(names, "") {
		t.Errorf("variables are %q", names)
	}
	asked := map[string]bool{}
	_, _ = LoadWorker(func(name string) string { asked[name] = true; return "" })
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(asked))); diff != "" {
		t.Errorf("listed (-) and read (+):\n%s", diff)
	}
}

func TestStartWait(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{"": 0, "0s": 0, "180s": 3 * time.Minute, "4m": 4 * time.Minute} {
		env := production(t)
		env["ROUNDS_START_WAIT"] = value
		w, err := LoadWorker(getenv(env))
		s, err2 := LoadScheduler(getenv(env))
		if err != nil || err2 != nil || w.StartWait != want || s.StartWait != want {
			t.Errorf("%q: %v, %v, %v", value, w.StartWait, s.StartWait, errors.Join(err, err2))
		}
	}
	for _, value := range []string{"180", "soon", "-1s", "241s", "1h", leak} {
		env := production(t)
		env["ROUNDS_START_WAIT"] = value
		_, err := LoadWorker(getenv(env))
		if found := problemsOf(t, err); len(found) != 1 || len(found["ROUNDS_START_WAIT"]) != 1 {
			t.Errorf("%q: %v", value, found)
		}
	}
}
