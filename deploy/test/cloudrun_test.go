package deploytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	strict "github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"
	"github.com/workflow-bolt/rounds/internal/config"
	run "google.golang.org/api/run/v1"
)

// settings are the settings of deploy/cloudrun/README.md, with example values.
var settings = map[string]string{
	"PROJECT": "clinic-prod", "PROJECT_NUMBER": "123456789012", "REGION": "us-central1", "NETWORK": "phi", "SUBNET": "run-usc1",
	"IMAGE":     "us-central1-docker.pkg.dev/clinic-prod/rounds/rounds@sha256:" + strings.Repeat("a", 64),
	"IMAGE_KEY": "projects/clinic-prod/locations/us-central1/keyRings/rounds/cryptoKeys/run", "WORKERS": "2",
}

var setting = regexp.MustCompile(`\$\{([A-Z_]+)\}`)

// render replaces the placeholders of a document with the settings, as envsubst does.
func render(doc string) (string, error) {
	var missing error
	out := setting.ReplaceAllStringFunc(doc, func(s string) string {
		v, ok := settings[s[2:len(s)-1]]
		if !ok {
			missing = errors.Join(missing, fmt.Errorf("%s is not a setting", s))
		}
		return v
	})
	return out, missing
}

// decode reads one manifest as the API's type and refuses unknown keys.
func decode[T any](doc []byte) (T, error) {
	var v T
	b, err := yaml.YAMLToJSON(doc)
	if err != nil {
		return v, err
	}
	return v, strict.Unmarshal(b, &v, strict.RejectUnknownMembers(true))
}

// process is the content of a manifest of any kind.
type process struct {
	apiVersion, kind string
	meta             *run.ObjectMeta
	template         *run.RevisionTemplate
	rest             string // the parts that differ between kinds, as one text
}

func pool(doc []byte) (process, error) {
	p, err := decode[run.WorkerPool](doc)
	if err != nil || p.Spec == nil {
		return process{}, errors.Join(err, errors.New("no pool"))
	}
	return process{apiVersion: p.ApiVersion, kind: p.Kind, meta: p.Metadata, template: p.Spec.Template, rest: text(p.Spec.InstanceSplits)}, nil
}

func service(doc []byte) (process, error) {
	s, err := decode[run.Service](doc)
	if err != nil || s.Spec == nil {
		return process{}, errors.Join(err, errors.New("no service"))
	}
	return process{apiVersion: s.ApiVersion, kind: s.Kind, meta: s.Metadata, template: s.Spec.Template, rest: text(s.Spec.Traffic)}, nil
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// manifest is the expected content of one manifest.
type manifest struct {
	read             func([]byte) (process, error)
	apiVersion, kind string
	health           int
	annotations      map[string]string // of the resource
	revision         map[string]string // of the revision, in addition to the common ones
	concurrency      int64
	timeout          int64
	port             int64 // for requests; zero for pools
	files            []string
	environment      []string // in addition to the common ones
	load             func(getenv func(string) string) (any, error)
}

// Only one row lists each process's own secrets, so no other manifest passes with them.
var manifests = map[string]manifest{
	"worker": {
		read: pool, apiVersion: "run.googleapis.com/v1", kind: "WorkerPool", health: 8081,
		annotations: map[string]string{
			"run.googleapis.com/scalingMode": "manual", "run.googleapis.com/manualInstanceCount": settings["WORKERS"],
			"run.googleapis.com/binary-authorization": "default",
		},
		files:       []string{"/etc/rounds/keys/rounds.keys", "/etc/rounds/redis-ca/redis-ca.pem"},
		environment: []string{"ROUNDS_KEYS", "ROUNDS_CACHE_REDIS"},
		load:        func(g func(string) string) (any, error) { return config.LoadWorker(g) },
	},
	"scheduler": {
		read: pool, apiVersion: "run.googleapis.com/v1", kind: "WorkerPool", health: 8082,
		annotations: map[string]string{
			"run.googleapis.com/scalingMode": "manual", "run.googleapis.com/manualInstanceCount": "1",
			"run.googleapis.com/binary-authorization": "default",
		},
		files: []string{"/etc/rounds/keys/rounds.keys", "/etc/rounds/redis-ca/redis-ca.pem", "/etc/rounds/tenants/tenants.yaml"},
		environment: []string{
			"ROUNDS_KEYS", "ROUNDS_CACHE_REDIS", "ROUNDS_TENANTS", "CLINIC_A_CUSTOMER_KEY", "CLINIC_A_USER", "CLINIC_A_PASSWORD",
		},
		load: func(g func(string) string) (any, error) { return config.LoadScheduler(g) },
	},
	"gateway": {
		read: service, apiVersion: "serving.knative.dev/v1", kind: "Service", health: 8083, port: 8080, concurrency: 200, timeout: 3600,
		annotations: serviceAnnotations("10"), revision: serviceRevision("1", "10"),
		files:       []string{"/etc/rounds/keys/rounds.keys", "/etc/rounds/redis-ca/redis-ca.pem", "/etc/rounds/api-keys/api-keys"},
		environment: []string{"ROUNDS_KEYS", "ROUNDS_CACHE_REDIS", "ROUNDS_GATEWAY_ADDR", "ROUNDS_API_KEYS"},
		load:        func(g func(string) string) (any, error) { return config.LoadGateway(g) },
	},
	// The monitor has no keyset, tenants or cache.
	"monitor": {
		read: service, apiVersion: "serving.knative.dev/v1", kind: "Service", health: 8084, port: 8090, concurrency: 80, timeout: 3600,
		annotations: serviceAnnotations("2"), revision: serviceRevision("1", "2"),
		files:       []string{"/etc/rounds/redis-ca/redis-ca.pem", "/etc/rounds/logins/monitor-logins"},
		environment: []string{"ROUNDS_MONITOR_ADDR", "ROUNDS_MONITOR_PASSWORD_FILE"},
		load:        func(g func(string) string) (any, error) { return config.LoadMonitor(g) },
	},
}

func serviceAnnotations(most string) map[string]string {
	return map[string]string{
		"run.googleapis.com/ingress": "internal-and-cloud-load-balancing", "run.googleapis.com/default-url-disabled": "true",
		"run.googleapis.com/binary-authorization": "default", "run.googleapis.com/maxScale": most,
	}
}

func serviceRevision(least, most string) map[string]string {
	return map[string]string{
		"autoscaling.knative.dev/minScale": least, "autoscaling.knative.dev/maxScale": most,
		"run.googleapis.com/cpu-throttling": "false", "run.googleapis.com/execution-environment": "gen2",
	}
}

// revisionAnnotations are the annotations of every revision.
func revisionAnnotations(name string) map[string]string {
	return map[string]string{
		"run.googleapis.com/network-interfaces":              `[{"network":"phi","subnetwork":"run-usc1","tags":["rounds-` + name + `"]}]`,
		"run.googleapis.com/vpc-access-egress":               "all-traffic",
		"run.googleapis.com/encryption-key":                  settings["IMAGE_KEY"],
		"run.googleapis.com/post-key-revocation-action-type": "shut-down",
		"run.googleapis.com/encryption-key-shutdown-hours":   "1",
	}
}

// check returns all faults of the named program's manifest.
func (m manifest) check(t testing.TB, name string, doc []byte) faults {
	var f faults
	p, err := m.read(doc)
	if err != nil {
		return faults{err.Error()}
	}
	if p.meta == nil || p.template == nil || p.template.Metadata == nil || p.template.Spec == nil || len(p.template.Spec.Containers) != 1 || p.template.Spec.Containers[0] == nil {
		return faults{"a part is missing, or there is not one container"}
	}
	spec, c := p.template.Spec, p.template.Spec.Containers[0]
	f.want(p.apiVersion == m.apiVersion && p.kind == m.kind, "another kind of resource")
	f.want(p.rest == `[{"latestRevision":true,"percent":100}]`, "instances or requests do not all go to the latest revision")
	f.want(p.meta.Name == "rounds-"+name && p.meta.Namespace == settings["PROJECT_NUMBER"], "another name or namespace")
	f.want(maps.Equal(p.meta.Labels, map[string]string{"cloud.googleapis.com/location": settings["REGION"]}), "labels")
	f.want(maps.Equal(p.meta.Annotations, m.annotations), "annotations of the resource")
	want := revisionAnnotations(name)
	maps.Copy(want, m.revision)
	f.want(maps.Equal(p.template.Metadata.Annotations, want), "annotations of the revision")
	f.want(spec.ServiceAccountName == "rounds-"+name+"@clinic-prod.iam.gserviceaccount.com", "not its own service account")
	f.want(spec.ContainerConcurrency == m.concurrency && spec.TimeoutSeconds == m.timeout, "concurrency or time limit")
	f.want(c.Name == name && slices.Equal(c.Command, []string{"/" + name}) && len(c.Args) == 0, "runs another program")
	f.want(slices.Contains(programs(t), name), "there is no such program")
	f.want(c.Image == settings["IMAGE"] && strings.Contains(c.Image, "@sha256:"), "the image is not named by its digest")
	f.want(c.SecurityContext == nil && c.WorkingDir == "" && len(c.EnvFrom) == 0, "sets what the image sets")
	if m.port == 0 {
		f.want(len(c.Ports) == 0, "a pool has no port")
	} else {
		f.want(text(c.Ports) == fmt.Sprintf(`[{"containerPort":%d,"name":"http1"}]`, m.port), "another port")
	}
	f = append(f, m.probes(c)...)
	f = append(f, m.resources(c)...)
	f = append(f, m.volumes(spec)...)
	return append(f, m.env(t, name, c)...)
}

// probes checks the probes against the platform's limits and the longest start.
func (m manifest) probes(c *run.Container) (f faults) {
	start, live := c.StartupProbe, c.LivenessProbe
	if start == nil || live == nil || start.HttpGet == nil || live.HttpGet == nil || c.ReadinessProbe != nil {
		return faults{"probes"}
	}
	f.want(start.HttpGet.Path == "/startupz" && start.HttpGet.Port == int64(m.health), "startup probe asks elsewhere")
	f.want(live.HttpGet.Path == "/livez" && live.HttpGet.Port == int64(m.health), "liveness probe asks elsewhere")
	f.want(start.FailureThreshold*start.PeriodSeconds == 200 && start.PeriodSeconds == 5, "a start has not its 200 s")
	f.want(start.TimeoutSeconds == 4 && live.TimeoutSeconds == 5, "a probe's answer has another time")
	f.want(live.FailureThreshold == 6 && live.PeriodSeconds == 10, "liveness is not given a minute")
	return f
}

func (m manifest) resources(c *run.Container) (f faults) {
	if c.Resources == nil {
		return faults{"no limits"}
	}
	f.want(maps.Equal(c.Resources.Limits, map[string]string{"cpu": "1", "memory": "512Mi"}), "other limits than docker-compose.yml tries")
	f.want(len(c.Resources.Requests) == 0, "requests are not Cloud Run's")
	return f
}

// volumes checks that every volume is a secret of a pinned version, mounted once, and that together
// they provide exactly the expected files.
func (m manifest) volumes(spec *run.RevisionSpec) (f faults) {
	mounts := map[string]string{}
	for _, v := range spec.Containers[0].VolumeMounts {
		f.want(mounts[v.Name] == "" && !v.ReadOnly && v.SubPath == "", "a volume is mounted twice or in part")
		mounts[v.Name] = v.MountPath
	}
	var files []string
	for _, v := range spec.Volumes {
		if v.Secret == nil || len(v.Secret.Items) != 1 {
			f = append(f, "a volume is not one secret")
			continue
		}
		item := v.Secret.Items[0]
		f.want(v.Secret.SecretName == secretNames[item.Path], "the file "+item.Path+" comes from another secret")
		f.want(item.Key == "1", "the version is not pinned")
		files = append(files, path.Join(mounts[v.Name], item.Path))
		delete(mounts, v.Name)
	}
	slices.Sort(files)
	f.want(slices.Equal(files, slices.Sorted(slices.Values(m.files))), fmt.Sprintf("the files are %q", files))
	f.want(len(mounts) == 0, "a mount has no volume")
	return f
}

// secretNames maps each mounted file to its secret.
var secretNames = map[string]string{
	"rounds.keys": "rounds-keys", "redis-ca.pem": "rounds-redis-ca", "tenants.yaml": "rounds-tenants",
	"api-keys": "rounds-api-keys", "monitor-logins": "rounds-monitor-logins",
}

func TestManifests(t *testing.T) {
	t.Parallel()
	for name, m := range manifests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := render(read(t, "deploy/cloudrun/"+name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range m.check(t, name, []byte(doc)) {
				t.Error(fault)
			}
		})
	}
}

// TestManifestTypos misspells every key of every manifest and changes every value; no such manifest
// may pass.
func TestManifestTypos(t *testing.T) {
	t.Parallel()
	for name, m := range manifests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := render(read(t, "deploy/cloudrun/"+name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			all := typos(t, doc, func(string) bool { return false })
			for _, typo := range all {
				if len(m.check(t, name, typo.doc)) == 0 {
					t.Errorf("passes with another %s", typo.where)
				}
			}
			if len(all) < 150 {
				t.Errorf("only %d typos were tried", len(all))
			}
		})
	}
}

// TestManifestsSetEveryVariable finds variables that a program reads and no manifest sets.
func TestManifestsSetEveryVariable(t *testing.T) {
	t.Parallel()
	elsewhere := map[string]string{
		"ROUNDS_TEBRA_ENDPOINT":       "the vendor's own is the default",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "nothing is exported unless it is set; the README describes how",
	}
	set := map[string]bool{}
	for _, m := range manifests {
		for _, v := range slices.Concat(common, m.environment) {
			set[v] = true
		}
	}
	for _, name := range variables() {
		if set[name] == (elsewhere[name] != "") {
			t.Errorf("%s: set by a manifest: %v; reason not to: %q", name, set[name], elsewhere[name])
		}
	}
}
