package deploytest

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/config"
	run "google.golang.org/api/run/v1"
)

// common lists the variables of every process.
var common = []string{
	"ROUNDS_ENV", "ROUNDS_HEALTH_ADDR", "ROUNDS_START_WAIT", "ROUNDS_QUEUE_REDIS", "ROUNDS_LEDGER", "GOMEMLIMIT", "SSL_CERT_DIR",
}

// env loads the process's configuration with the manifest's environment, and again with each
// variable changed.
func (m manifest) env(t testing.TB, name string, c *run.Container) (f faults) {
	vars := map[string]string{}
	for _, e := range c.Env {
		if _, twice := vars[e.Name]; twice {
			f = append(f, e.Name+" is set twice")
		}
		vars[e.Name] = e.Value
		if e.ValueFrom != nil {
			ref := e.ValueFrom.SecretKeyRef
			if ref == nil || e.Value != "" || e.ValueFrom.ConfigMapKeyRef != nil {
				f = append(f, e.Name+" does not come from a secret")
				continue
			}
			f.want(ref.Key == "1" && ref.Name == secretOf(name, e.Name), e.Name+" comes from another secret")
			vars[e.Name] = secrets[e.Name]
		}
	}
	want := slices.Sorted(slices.Values(slices.Concat(common, m.environment)))
	f.want(slices.Equal(slices.Sorted(maps.Keys(vars)), want), fmt.Sprintf("sets %q", slices.Sorted(maps.Keys(vars))))
	for name, value := range vars {
		f.want(value != "", name+" is empty")
	}
	if m.port > 0 {
		addr := vars["ROUNDS_"+strings.ToUpper(name)+"_ADDR"]
		f.want(addr == ":"+strconv.FormatInt(m.port, 10), "listens on another port than the platform requests")
	}
	f.want(vars["ROUNDS_ENV"] == "production", "not production")
	f.want(vars["ROUNDS_HEALTH_ADDR"] == ":"+strconv.Itoa(m.health), "serves its probes on another port")
	f.want(vars["GOMEMLIMIT"] == "460MiB", "Go's memory limit is not below the container's")
	f.want(slices.Contains(m.files, vars["SSL_CERT_DIR"]+"/redis-ca.pem"), "the CA of Redis is not in the searched folder")
	wait, err := time.ParseDuration(vars["ROUNDS_START_WAIT"])
	f.want(err == nil && wait == 180*time.Second, "does not wait at start, or waits longer than the probe")
	for _, file := range []string{"ROUNDS_KEYS", "ROUNDS_TENANTS", "ROUNDS_API_KEYS", "ROUNDS_MONITOR_PASSWORD_FILE"} {
		f.want(vars[file] == "" || slices.Contains(m.files, vars[file]), file+" names a file that is not mounted")
	}
	if len(f) > 0 {
		return f
	}
	return append(f, matters(t, name, m.load, vars)...)
}

// secretOf returns the secret of a variable: one for each process, or for each tenant.
func secretOf(program, variable string) string {
	if tenant, ok := strings.CutPrefix(variable, "CLINIC_A_"); ok {
		return "rounds-clinic-a-" + strings.ToLower(strings.ReplaceAll(tenant, "_", "-"))
	}
	rest := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, "ROUNDS_"), "_", "-"))
	return "rounds-" + program + "-" + rest
}

// secrets are example values in the form that the README stores in Secret Manager.
var secrets = map[string]string{
	"ROUNDS_QUEUE_REDIS": "rediss://worker:synthetic@10.0.0.3:6378", "ROUNDS_CACHE_REDIS": "rediss://worker:synthetic@10.0.0.4:6378",
	"ROUNDS_LEDGER":         "postgres://rounds:synthetic@10.0.0.5:5432/rounds?sslmode=require",
	"CLINIC_A_CUSTOMER_KEY": "synthetic-customer", "CLINIC_A_USER": "api@clinic-a.example", "CLINIC_A_PASSWORD": "synthetic",
}

// example returns the content of a file in a container.
func example(t testing.TB, file string) (string, bool) {
	switch file {
	case "/etc/rounds/keys/rounds.keys", "/config/rounds.keys":
		return `{"synthetic": "keyset"}`, true
	case "/etc/rounds/tenants/tenants.yaml":
		return fmt.Sprintf(tenants, "env:CLINIC_A_CUSTOMER_KEY", "env:CLINIC_A_USER", "env:CLINIC_A_PASSWORD"), true
	case "/config/tenants.yaml":
		return fmt.Sprintf(tenants, "sim-customer-key-1", "sim-1@example.test", "sim-password-1"), true
	case "/etc/rounds/api-keys", "/etc/rounds/api-keys/api-keys":
		return read(t, "deploy/compose/api-keys"), true
	case "/etc/rounds/monitor-logins", "/etc/rounds/logins/monitor-logins":
		return read(t, "deploy/compose/monitor-logins"), true
	}
	return "", false
}

const tenants = `tenants:
  - id: clinic-a
    timezone: America/Chicago
    opening_hours: {mon: "08:00-17:30"}
    tebra: {customer_key: "%s", user: "%s", password: "%s"}
    practices: [{id: "1", name: Example Practice}]
`

// known caches the results of environments, because most typos of a document leave the environment
// of a process unchanged.
var known sync.Map

// variables returns every variable that a process reads.
func variables() []string {
	var names []string
	for _, process := range config.Processes() {
		settings, _ := config.Show(process, func(string) string { return "" })
		for _, s := range settings {
			names = append(names, s.Variable)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// matters loads the configuration, which must succeed, and again with each variable changed, which
// must change the result: a variable that the program does not read is a setting without effect.
func matters(t testing.TB, process string, load func(func(string) string) (any, error), vars map[string]string) faults {
	id := process + text(vars)
	if f, ok := known.Load(id); ok {
		return f.(faults)
	}
	f := tryEach(t, load, vars)
	known.Store(id, f)
	return f
}

func tryEach(t testing.TB, load func(func(string) string) (any, error), vars map[string]string) (f faults) {
	root := t.TempDir()
	getenv := func(changed string) func(string) string {
		return func(name string) string {
			v := vars[name]
			if name == changed {
				return "?"
			}
			data, ok := example(t, v)
			if !ok {
				return v
			}
			file := path.Join(root, path.Base(v))
			if _, err := os.Stat(file); err != nil {
				// Platforms mount secrets world-readable in a container with a single user.
				if err := os.WriteFile(file, []byte(data), 0o444); err != nil {
					t.Fatal(err)
				}
			}
			return file
		}
	}
	whole, err := load(getenv(""))
	if err != nil {
		return faults{err.Error()}
	}
	for name := range vars {
		if !strings.HasPrefix(name, "ROUNDS_") && !strings.HasPrefix(name, "CLINIC_") {
			continue
		}
		if other, err := load(getenv(name)); err == nil && fmt.Sprintf("%#v", reveal(other)) == fmt.Sprintf("%#v", reveal(whole)) {
			f = append(f, name+" is not read by the program")
		}
	}
	return f
}

// reveal returns the configuration with its secrets in the clear, for comparison.
func reveal(v any) any {
	s, ok := v.(config.Scheduler)
	if !ok {
		return v
	}
	var out []string
	for _, t := range s.Tenants {
		out = append(out, t.Credentials.CustomerKey.Reveal(), t.Credentials.User.Reveal(), t.Credentials.Password.Reveal())
	}
	return []any{v, out}
}
