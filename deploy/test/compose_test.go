package deploytest

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/workflow-bolt/rounds/internal/config"
)

// collector is the value that switches traces on.
const collector = "http://otel-collector:4318"

// load reads compose files with the reference library, with every profile enabled.
func load(ctx context.Context, env types.Mapping, docs ...string) (*types.Project, error) {
	root, err := filepath.Abs(repoRoot)
	if err != nil {
		return nil, err
	}
	details := types.ConfigDetails{WorkingDir: root, Environment: env}
	for i, doc := range docs {
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: fmt.Sprintf("%d.yaml", i), Content: []byte(doc)})
	}
	p, err := loader.LoadWithContext(ctx, details, func(o *loader.Options) {
		o.SetProjectName("without-a-name", false)
		o.Profiles = []string{"*"}
	})
	return p, err
}

// container is the expected configuration of one service.
type container struct {
	program   string   // below cmd; empty for third-party images
	image     string   // of a third party
	uid       string   // of a third-party image
	command   []string // of a third-party image
	health    string   // the health check after CMD; empty for the two images that cannot have one
	profile   string
	published string // host address and port, container's port
	needs     []string
	networks  []string
	memory    types.UnitBytes
	redis     map[string]string // role to user
	load      func(func(string) string) (any, error)
}

const mib = types.UnitBytes(1 << 20)

var stores = []string{"postgres", "redis-cache", "redis-queue", "simulator"}

func both(user string) map[string]string { return map[string]string{"queue": user, "cache": user} }

var containers = map[string]container{
	"worker": {
		program: "worker", health: "8081/readyz", needs: stores, networks: []string{"data"}, redis: both("worker"),
		load: func(g func(string) string) (any, error) { return config.LoadWorker(g) },
	},
	"scheduler": {
		program: "scheduler", health: "8082/readyz", needs: stores, networks: []string{"data"}, redis: both("scheduler"),
		load: func(g func(string) string) (any, error) { return config.LoadScheduler(g) },
	},
	"gateway": {
		program: "gateway", health: "8083/readyz", needs: stores, networks: []string{"data", "edge"}, redis: both("gateway"),
		published: "127.0.0.1:8080:8080",
		load:      func(g func(string) string) (any, error) { return config.LoadGateway(g) },
	},
	"monitor": {
		program: "monitor", health: "8084/readyz", needs: []string{"postgres", "redis-queue", "scheduler"},
		networks: []string{"data", "edge"}, redis: map[string]string{"queue": "monitor"}, published: "127.0.0.1:8090:8090",
		load: func(g func(string) string) (any, error) { return config.LoadMonitor(g) },
	},
	"rounds": {
		program: "rounds", profile: "tools", needs: stores, networks: []string{"data"}, redis: both("operator"),
		load: func(g func(string) string) (any, error) { return config.LoadWorker(g) },
	},
	"simulator": {program: "rounds", health: "8095/control/practices", networks: []string{"data"}},
	"redis-queue": {
		image: "redis:7.2.11-alpine", uid: "999:1000", command: []string{"redis-server", "/etc/redis/redis.conf"},
		health: "redis-cli --user health ping", networks: []string{"data"}, memory: 384 * mib,
	},
	"redis-cache": {
		image: "redis:7.2.11-alpine", uid: "999:1000", command: []string{"redis-server", "/etc/redis/redis.conf"},
		health: "redis-cli --user health ping", networks: []string{"data"}, memory: 640 * mib,
	},
	"postgres": {
		image: "postgres:17-alpine", uid: "70:70", health: "pg_isready -h 127.0.0.1 -U rounds -d rounds", networks: []string{"data"}, memory: 512 * mib,
	},
	"otel-collector": {
		image: "otel/opentelemetry-collector:0.128.0", uid: "10001:10001", command: []string{"--config", "/etc/otelcol/config.yaml"},
		profile: "observe", needs: []string{"jaeger"}, networks: []string{"data"}, memory: 256 * mib,
	},
	"jaeger": {
		image: "jaegertracing/all-in-one:1.62.0", uid: "10001:10001", profile: "observe", networks: []string{"data", "edge"},
		published: "127.0.0.1:16686:16686", memory: 512 * mib,
	},
}

// checkProject returns all faults of the compose file.
func checkProject(t testing.TB, p *types.Project, scheme string) (f faults) {
	f.want(p.Name == "rounds", "another project's name")
	f.want(slices.Equal(slices.Sorted(maps.Keys(p.Services)), slices.Sorted(maps.Keys(containers))), "other services")
	f.want(len(p.Networks) == 2 && p.Networks["data"].Internal && !p.Networks["edge"].Internal, "networks")
	f.want(slices.Equal(slices.Sorted(maps.Keys(p.Volumes)), []string{"config", "ledger", "queue"}), "volumes")
	for name, s := range p.Services {
		for _, fault := range containers[name].check(t, s, scheme) {
			f = append(f, name+": "+fault)
		}
	}
	return f
}

func (c container) check(t testing.TB, s types.ServiceConfig, scheme string) (f faults) {
	// Every container runs without privileges, with a read-only file system and resource limits,
	// and has Cloud Run's ten seconds to stop.
	f.want(s.ReadOnly && !s.Privileged && slices.Equal(s.CapDrop, []string{"ALL"}) && len(s.CapAdd) == 0, "not hardened")
	f.want(slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}), "may gain privileges")
	f.want(s.Init != nil && *s.Init, "no init")
	f.want(s.PidsLimit == 256 && s.CPUS > 0 && s.CPUS <= 1, "no bounds")
	f.want(s.StopGracePeriod != nil && time.Duration(*s.StopGracePeriod) == 10*time.Second && s.StopSignal == "", "another stop")
	f.want(regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(s.User), "runs as root")
	f.want(s.NetworkMode == "" && s.Pid == "" && s.Ipc == "" && len(s.Devices) == 0, "shares the host's")
	f.want(slices.Equal(slices.Sorted(maps.Keys(s.Networks)), c.networks), "other networks")
	f.want(slices.Equal(s.Profiles, list(c.profile)), "another profile")
	f.want(published(s.Ports) == c.published, "publishes "+published(s.Ports))
	want := "unless-stopped"
	if c.profile == "tools" {
		want = "no"
	}
	f.want(s.Restart == want, "another restart policy")
	f = append(f, c.depends(s)...)
	f = append(f, c.probe(s, scheme)...)
	f = append(f, mounts(s)...)
	if c.program == "" {
		f.want(s.Image == c.image && s.User == c.uid && s.Build == nil, "another image or user")
		f.want(slices.Equal(s.Command, c.command) || scheme == "rediss" && slices.Equal(s.Command, append(c.command, "--include", "/etc/redis/tls.conf")), "another command")
		f.want(s.MemLimit == c.memory, "another limit")
		return append(f, c.thirdParty(s)...)
	}
	return append(f, c.rounds(t, s, scheme)...)
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func published(ports []types.ServicePortConfig) string {
	var out []string
	for _, p := range ports {
		out = append(out, fmt.Sprintf("%s:%s:%d", p.HostIP, p.Published, p.Target))
	}
	return strings.Join(out, " ")
}

func (c container) depends(s types.ServiceConfig) (f faults) {
	f.want(slices.Equal(slices.Sorted(maps.Keys(s.DependsOn)), c.needs), "waits for others")
	for on, d := range s.DependsOn {
		want := types.ServiceConditionHealthy
		if containers[on].health == "" {
			want = types.ServiceConditionStarted
		}
		f.want(d.Condition == want && d.Required, "does not wait until "+on+" is healthy")
	}
	return f
}

func (c container) probe(s types.ServiceConfig, scheme string) (f faults) {
	h := s.HealthCheck
	if c.health == "" {
		f.want(h == nil, "has an unexpected health check")
		return f
	}
	if h == nil || h.Interval == nil || h.Timeout == nil || h.Retries == nil || h.StartPeriod == nil || h.StartInterval == nil {
		return faults{"an incomplete health check"}
	}
	want := "CMD " + c.health
	if c.program != "" {
		want = "CMD /rounds health http://127.0.0.1:" + c.health + " --timeout 2s"
	} else if scheme == "rediss" {
		want = strings.Replace(want, "redis-cli", "redis-cli --tls --cacert /etc/redis/tls/ca.pem", 1)
	}
	f.want(strings.Join(h.Test, " ") == want, "runs another check")
	f.want(time.Duration(*h.Interval) == 5*time.Second && time.Duration(*h.Timeout) == 3*time.Second && *h.Retries == 6, "has another interval")
	f.want(time.Duration(*h.StartPeriod) == 20*time.Second && time.Duration(*h.StartInterval) == time.Second, "another start")
	return f
}

// mounts checks that every mounted file exists in the repository, is read-only, and has a path of
// its own.
func mounts(s types.ServiceConfig) (f faults) {
	at := map[string]bool{}
	for _, v := range s.Volumes {
		f.want(!at[v.Target] && filepath.IsAbs(v.Target), "two mounts in one place, or none")
		at[v.Target] = true
		switch v.Type {
		case types.VolumeTypeBind:
			f.want(v.ReadOnly, v.Target+" is not read-only")
			_, err := os.Stat(v.Source)
			f.want(err == nil || strings.Contains(v.Source, "/local/certs"), v.Source+" does not exist")
			f.want(target[v.Target] == "" || strings.HasSuffix(v.Source, strings.ReplaceAll(target[v.Target], "ROLE", strings.TrimPrefix(s.Name, "redis-"))), v.Target+" is another file")
			f.want(target[v.Target] != "", v.Target+" is unexpected")
		case types.VolumeTypeVolume:
			writes := written[s.Name] == v.Source+":"+v.Target
			f.want(writes || v.Source == "config" && v.Target == "/config" && v.ReadOnly, "the volume "+v.Source+" at "+v.Target)
			f.want(writes != v.ReadOnly, "the volume "+v.Source+" has the wrong access mode")
		default:
			f = append(f, "a mount of type "+v.Type)
		}
	}
	want := tmpfs[s.Name]
	if containers[s.Name].program != "" {
		want = "/tmp:size=64m,mode=1777"
	}
	f.want(strings.Join(s.Tmpfs, " ") == want, "other tmpfs folders")
	return f
}

// target maps each mount path to its file in the repository.
var target = map[string]string{
	"/etc/redis/redis.conf": "deploy/redis/redis-ROLE.conf", "/etc/redis/users.acl": "deploy/redis/users-ROLE.acl",
	"/etc/redis/tls.conf": "deploy/redis/tls.conf", "/etc/redis/tls": "local/certs", "/etc/rounds/ca.pem": "local/certs/ca.pem",
	"/etc/rounds/api-keys": "deploy/compose/api-keys", "/etc/rounds/monitor-logins": "deploy/compose/monitor-logins",
	"/etc/otelcol/config.yaml": "deploy/compose/otel-collector.yaml",
}

// written lists the volumes that a service may write.
var written = map[string]string{
	"simulator": "config:/config", "redis-queue": "queue:/data", "postgres": "ledger:/var/lib/postgresql/data",
}

// tmpfs lists the tmpfs folders of third-party images.
var tmpfs = map[string]string{
	"redis-cache": "/data:size=16m,uid=999,gid=1000,mode=0700",
	"postgres":    "/tmp:size=64m /var/run/postgresql:size=1m,uid=70,gid=70,mode=0775",
	"jaeger":      "/tmp:size=64m,mode=1777",
}

// thirdParty checks the environment of third-party images.
func (c container) thirdParty(s types.ServiceConfig) (f faults) {
	want := types.MappingWithEquals{}
	set := func(k, v string) { want[k] = &v }
	switch {
	case strings.HasPrefix(c.image, "redis:"):
		set("REDISCLI_AUTH", "health-dev")
	case strings.HasPrefix(c.image, "postgres:"):
		set("POSTGRES_USER", "rounds")
		set("POSTGRES_PASSWORD", "rounds-dev")
		set("POSTGRES_DB", "rounds")
		f.want(s.ShmSize == 64*mib, "another shared memory")
	}
	f.want(text(s.Environment) == text(want) || len(want)+len(s.Environment) == 0, "another environment")
	return f
}

// rounds checks a container that runs a Rounds program.
func (c container) rounds(t testing.TB, s types.ServiceConfig, scheme string) (f faults) {
	f.want(s.Image == "rounds:dev" && s.User == "65532:65532" && s.MemLimit == 512*mib, "another image, user or limit")
	f.want(s.Build != nil && s.Build.Dockerfile == "deploy/cloudrun/Dockerfile" && s.Build.Target == "", "built in another way")
	if s.Build != nil {
		root, err := filepath.Abs(repoRoot)
		f.want(err == nil && s.Build.Context == root, "built from another folder")
	}
	f.want(slices.Contains(programs(t), c.program), "there is no such program")
	switch s.Name {
	case "simulator":
		want := "/rounds sim --addr 0.0.0.0:8095 --patients 300 --visits 30 --write-config /config"
		f.want(strings.Join(s.Command, " ") == want && len(s.Environment) == 0, "another simulator")
		return f
	case "rounds":
		f.want(slices.Equal(s.Entrypoint, []string{"/rounds"}) && slices.Equal(s.Command, []string{"doctor"}), "another command")
	default:
		f.want(slices.Equal(s.Command, []string{"/" + c.program}) && len(s.Entrypoint) == 0, "another program")
	}
	vars := map[string]string{}
	for k, v := range s.Environment {
		if v != nil {
			vars[k] = *v
		}
	}
	f = append(f, c.logins(t, vars, scheme)...)
	f.want(vars["ROUNDS_ENV"] == "dev", "not in development mode")
	f.want(vars["ROUNDS_LEDGER"] == "postgres://rounds:rounds-dev@postgres:5432/rounds?sslmode=disable", "another ledger")
	if e, ok := vars["ROUNDS_TEBRA_ENDPOINT"]; ok {
		f.want(e == "http://simulator:8095/services/soap/2.1/KareoServices.svc", "another vendor")
	}
	if c.health != "" {
		f.want(vars["ROUNDS_HEALTH_ADDR"] == ":"+c.health[:4], "serves its probes at another address than the health check requests")
	}
	if c.published != "" {
		f.want(strings.HasSuffix(c.published, vars["ROUNDS_"+strings.ToUpper(c.program)+"_ADDR"]), "serves at another address than the published one")
	}
	want := collector
	if c.program == "monitor" {
		want = "" // the monitor sends no traces
	}
	f.want(vars["OTEL_EXPORTER_OTLP_ENDPOINT"] == want, "traces are not configured, or are configured without effect")
	if ca, ok := vars["SSL_CERT_FILE"]; ok || scheme == "rediss" {
		f.want(ca == "/etc/rounds/ca.pem" && scheme == "rediss", "trusts another authority")
	}
	names := append(variables(), "SSL_CERT_FILE")
	for name, value := range vars {
		f.want(slices.Contains(names, name) && value != "", name+" is unknown or empty")
	}
	if len(f) > 0 {
		return f
	}
	return append(f, matters(t, s.Name, c.load, vars)...)
}

// logins compares the Redis URLs with the ACL files.
func (c container) logins(t testing.TB, vars map[string]string, scheme string) (f faults) {
	for _, role := range roles {
		value, ok := vars["ROUNDS_"+strings.ToUpper(role)+"_REDIS"]
		name := c.redis[role]
		if !ok && name == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || u.User == nil {
			f = append(f, "the "+role+"'s URL")
			continue
		}
		password, _ := u.User.Password()
		known := users(t, "deploy/redis/users-"+role+".acl")[u.User.Username()]
		f.want(u.Scheme == scheme && u.Host == "redis-"+role+":6379" && u.Path == "", "another address of the "+role)
		f.want(u.User.Username() == name && known.on && known.password == password && password != "", "cannot log in to the "+role)
	}
	return f
}

func TestCompose(t *testing.T) {
	t.Parallel()
	base, over := read(t, "docker-compose.yml"), read(t, "deploy/compose/tls.yml")
	for scheme, docs := range map[string][]string{"redis": {base}, "rediss": {base, over}} {
		p, err := load(t.Context(), types.Mapping{"OTEL_EXPORTER_OTLP_ENDPOINT": collector}, docs...)
		if err != nil {
			t.Fatalf("%s: %v", scheme, err)
		}
		for _, fault := range checkProject(t, p, scheme) {
			t.Errorf("%s: %s", scheme, fault)
		}
	}
}

// TestComposeDefaults checks that the stack needs no settings and then sends nothing to a
// collector.
func TestComposeDefaults(t *testing.T) {
	t.Parallel()
	p, err := load(t.Context(), types.Mapping{}, read(t, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range p.Services {
		if v := s.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"]; v != nil && *v != "" {
			t.Errorf("%s sends traces by default", name)
		}
	}
}

// TestComposeTypos misspells every word of both files one at a time; no such file may pass.
func TestComposeTypos(t *testing.T) {
	t.Parallel()
	base, over := read(t, "docker-compose.yml"), read(t, "deploy/compose/tls.yml")
	for name, tc := range map[string]struct {
		doc    string
		scheme string
		with   func(string) []string
	}{
		"docker-compose.yml": {base, "redis", func(doc string) []string { return []string{doc} }},
		"tls.yml":            {over, "rediss", func(doc string) []string { return []string{base, doc} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := words(t, tc.doc)
			for _, typo := range all {
				p, err := load(t.Context(), types.Mapping{"OTEL_EXPORTER_OTLP_ENDPOINT": collector}, tc.with(string(typo.doc))...)
				// An extension may have any name; other parts refer to its anchor.
				if err == nil && len(checkProject(t, p, tc.scheme)) == 0 && !strings.Contains(typo.where, ": x-") {
					t.Errorf("passes with another %s", typo.where)
				}
			}
			if len(all) < 80 {
				t.Errorf("only %d typos were tried", len(all))
			}
			t.Logf("%d typos", len(all))
		})
	}
}
