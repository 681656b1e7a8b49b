package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/secret"
)

func TestShow(t *testing.T) {
	t.Parallel()
	env := production(t)
	got, err := Show("worker", getenv(env))
	if err != nil {
		t.Fatal(err)
	}
	want := []Setting{
		{"ROUNDS_ENV", "production", FromDefault},
		{"ROUNDS_QUEUE_REDIS", "rediss://[secret]@queue.clinic.net:6379/0", FromEnvironment},
		{"ROUNDS_CACHE_REDIS", "rediss://[secret]@cache.clinic.net:6379/0", FromEnvironment},
		{"ROUNDS_LEDGER", "postgres://[secret]@db.clinic.net/rounds", FromEnvironment},
		{"ROUNDS_KEYS", env["ROUNDS_KEYS"], FromEnvironment},
		{"ROUNDS_TEBRA_ENDPOINT", "https://webservice.kareo.com/services/soap/2.1/KareoServices.svc", FromDefault},
		{"ROUNDS_TENANTS", env["ROUNDS_TENANTS"], FromEnvironment},
		{"ROUNDS_HEALTH_ADDR", ":8081", FromDefault},
		{"ROUNDS_START_WAIT", "", NotSet},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "", NotSet},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if got, err := Show("unknown", getenv(env)); got != nil || err != nil {
		t.Errorf("an unknown process has %v, %v", got, err)
	}
}

// A value that no program accepts is refused by exactly the programs that read its variable.
func TestShowListsWhatEachProgramReads(t *testing.T) {
	t.Parallel()
	for _, process := range Processes() {
		listed, _ := Show(process, getenv(nil))
		for _, name := range variableNames() {
			env := production(t)
			env[name] = "\x01 nonsense"
			_, err := Show(process, getenv(env))
			refused := problemsOf(t, err)[name] != nil
			if reads := slices.ContainsFunc(listed, func(s Setting) bool { return s.Variable == name }); reads != refused {
				t.Errorf("%s: lists %s: %v, refuses nonsense in it: %v", process, name, reads, refused)
			}
		}
	}
}

func TestShowMasks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ how, value, want string }{
		{"url", "redis://127.0.0.1:6379", "redis://127.0.0.1:6379"},
		{"url", "redis://user:" + leak + "@h/3", "redis://[secret]@h/3"},
		{"url", "redis://:" + leak + "/x@h", secret.Mask},
		{"url", "redis://user:12/" + leak + "@h", secret.Mask},
		{"url", "redis://user:12?" + leak + "@h", secret.Mask},
		{"url", "redis://user:12#" + leak + "@h", secret.Mask},
		{"url", "redis://a@" + leak + "@h", secret.Mask},
		{"url", "redis+sentinel://u:" + leak + "@s1:26379,s2/main/0?tls=true", "redis+sentinel://[secret]@s1:26379,s2/main/0?tls=true"},
		{"url", "redis+sentinel://s1/main?sentinel_password=" + leak, "redis+sentinel://s1/main?[secret]"},
		{"url", "unix://u:" + leak + "@/run/r.sock?db=3", "unix://[secret]@/run/r.sock?db=3"},
		{"url", "postgres://u:" + leak + "@db/rounds?sslmode=verify-full", "postgres://[secret]@db/rounds?sslmode=verify-full"},
		{"url", "postgres://db/rounds?password=" + leak, "postgres://db/rounds?[secret]"},
		{"url", "postgres://db/rounds?sslmode=" + leak + "@", secret.Mask},
		{"url", "sqlite:/var/rounds.db", "sqlite:/var/rounds.db"},
		{"url", leak, secret.Mask},
		{"url", "https://vendor.com/?key=" + leak, "https://vendor.com/?[secret]"},
		{"url", "redis://%zz" + leak, secret.Mask},
		{"plain", ":8081", ":8081"},
		{"plain", "/run/secrets/keys.json", "/run/secrets/keys.json"},
		{"plain", "redis://:" + leak + "@h", secret.Mask},
		{"plain", "{\"key\": \"" + leak + "\"}", secret.Mask},
		{"", leak, secret.Mask},
	} {
		if got := showValue(c.how, c.value); got != c.want {
			t.Errorf("%s %q is shown as %q, want %q", c.how, c.value, got, c.want)
		}
	}
}

// For every environment, loading ends with settings or with problems that have a variable and a
// fix; no problem and no shown value repeats a password; and a second load has the same result.
func FuzzEnvironment(f *testing.F) {
	for _, seed := range []string{
		"", "redis://", "redis+cluster://a,b?tls=true", "redis+sentinel://a/b", "postgres://", "sqlite:x", "https://vendor.com/",
		"unix:///run/x", ":8081", "off", "3m", "\x00", "redis://[::1", "http://127.0.0.1:4318", "redis://h?#/@:,", "//", "a://b@c@d",
	} {
		f.Add(seed, seed, seed, seed, "dev")
	}
	f.Fuzz(func(t *testing.T, redis, ledger, endpoint, address, mode string) {
		vars := map[string]string{
			"ROUNDS_ENV": mode, "ROUNDS_QUEUE_REDIS": redis, "ROUNDS_CACHE_REDIS": "redis://u:" + leak + "@" + redis, "ROUNDS_LEDGER": ledger,
			"ROUNDS_TEBRA_ENDPOINT": endpoint, "ROUNDS_HEALTH_ADDR": address, "ROUNDS_START_WAIT": address, "ROUNDS_GATEWAY_ADDR": address,
			"ROUNDS_MONITOR_ADDR": address, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
		}
		for _, process := range Processes() {
			settings, err := Show(process, getenv(vars))
			again, errAgain := Show(process, getenv(vars))
			if diff := cmp.Diff(settings, again); diff != "" || (err == nil) != (errAgain == nil) {
				t.Errorf("%s: the second result differs: %s", process, diff)
			}
			for _, s := range settings {
				if strings.Contains(s.Value, leak) {
					t.Errorf("%s shows a password: %+v", process, s)
				}
			}
			if e, ok := errors.AsType[*Error](err); err != nil && (!ok || strings.Contains(err.Error(), leak) || slices.ContainsFunc(e.Problems(), func(p Problem) bool {
				return p.Variable == "" || p.Wrong == "" || p.Fix == ""
			})) {
				t.Errorf("%s: %v", process, err)
			}
		}
	})
}
