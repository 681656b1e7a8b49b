package config

import (
	"cmp"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/workflow-bolt/rounds/internal/secret"
)

// Setting is one variable as a program uses it. Its value is safe to show.
type Setting struct {
	Variable string
	Value    string // empty if it is not set and has no default
	Source   string // FromEnvironment, FromDefault or NotSet
}

// The sources of a value.
const (
	FromEnvironment = "environment"
	FromDefault     = "default"
	NotSet          = "not set"
)

// process is a program that is configured by its environment.
type process struct {
	name     string
	load     func(getenv func(string) string) ([]Tenant, error)
	defaults map[string]string // in addition to the defaults that all programs share
}

var processes = []process{
	{"worker", func(g func(string) string) ([]Tenant, error) { c, err := LoadWorker(g); return c.Tenants, err }, map[string]string{"ROUNDS_HEALTH_ADDR": workerHealth}},
	{"scheduler", func(g func(string) string) ([]Tenant, error) { c, err := LoadScheduler(g); return c.Tenants, err }, map[string]string{"ROUNDS_HEALTH_ADDR": schedulerHealth}},
	{"gateway", func(g func(string) string) ([]Tenant, error) { c, err := LoadGateway(g); return c.Tenants, err }, map[string]string{"ROUNDS_HEALTH_ADDR": gatewayHealth, "ROUNDS_GATEWAY_ADDR": gatewayAddr}},
	{"monitor", func(g func(string) string) ([]Tenant, error) { _, err := LoadMonitor(g); return nil, err }, map[string]string{"ROUNDS_HEALTH_ADDR": monitorHealth, "ROUNDS_MONITOR_ADDR": monitorAddr}},
}

// Processes returns the names that Show accepts.
func Processes() []string {
	names := make([]string, 0, len(processes))
	for _, p := range processes {
		names = append(names, p.name)
	}
	return names
}

// Show returns the settings of a program, in the order in which they are documented, and the
// [*Error] with which the program would refuse to start. An unknown program has no settings.
func Show(name string, getenv func(string) string) ([]Setting, error) {
	i := slices.IndexFunc(processes, func(p process) bool { return p.name == name })
	if i < 0 {
		return nil, nil
	}
	p := processes[i]
	var out []Setting
	for f := range reflect.TypeFor[variables]().Fields() {
		if !slices.Contains(strings.Fields(f.Tag.Get("of")), name) {
			continue
		}
		s := Setting{Variable: f.Tag.Get("env"), Source: NotSet}
		fallback := f.Tag.Get("envDefault")
		if own := p.defaults[s.Variable]; own != "" {
			fallback = own
		}
		if s.Variable == "ROUNDS_ENV" {
			fallback = Production.String()
		}
		switch value := getenv(s.Variable); {
		case value != "":
			s.Value, s.Source = showValue(f.Tag.Get("show"), value), FromEnvironment
		case fallback != "":
			s.Value, s.Source = fallback, FromDefault
		}
		out = append(out, s)
	}
	_, err := p.load(getenv)
	return out, err
}

// PracticeZone is a practice in the tenants' file and the name of the time zone that it is in.
type PracticeZone struct{ Tenant, Practice, Zone string }

// ShowZones returns the time zones of all practices in the tenants' file of a program, in the order
// of the file. It returns nothing if the program would refuse to start.
func ShowZones(name string, getenv func(string) string) []PracticeZone {
	i := slices.IndexFunc(processes, func(p process) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	tenants, err := processes[i].load(getenv)
	if err != nil {
		return nil
	}
	var all []PracticeZone
	for _, t := range tenants {
		for _, p := range t.Practices {
			all = append(all, PracticeZone{t.ID, p.ID, cmp.Or(p.TimeZone, t.TimeZone)})
		}
	}
	return all
}

var (
	plainValue = regexp.MustCompile(`^[A-Za-z0-9_./:~+ \[\]-]{1,400}$`)
	plainHosts = regexp.MustCompile(`^[A-Za-z0-9_.:,\[\]-]*$`)
	plainPath  = regexp.MustCompile(`^[A-Za-z0-9_./-]*$`)
	// plainQuery lists the parameters that describe the connection and hold no secret.
	plainQuery = []string{"tls", "db", "sslmode", "sslrootcert", "application_name", "connect_timeout"}
)

// showValue returns a value in the form in which it may be shown. A value with an unexpected form
// is masked completely, because it may be a password in the wrong variable.
func showValue(how, value string) string {
	switch {
	case how == "plain" && plainValue.MatchString(value) && !strings.Contains(value, "://"):
		return value
	case how == "url":
		if file, ok := strings.CutPrefix(value, "sqlite:"); ok && plainPath.MatchString(file) {
			return value
		}
		return showURL(value)
	}
	return secret.Mask
}

// showURL returns a URL without its credentials and without unknown parameters.
func showURL(value string) string {
	u, hosts, err := parseRedis(value) // parses other URLs too
	list := strings.Join(hosts, ",")
	switch {
	case err != nil || !strings.Contains(value, "://") || u.Opaque != "" || u.Fragment != "":
		return secret.Mask
	case strings.Count(value, "@") > 1, strings.Contains(value, "@") && u.User == nil:
		return secret.Mask // part of an unescaped secret may be anywhere in it
	case !plainHosts.MatchString(list) || !plainPath.MatchString(u.Path):
		return secret.Mask
	}
	var b strings.Builder
	b.WriteString(u.Scheme + "://")
	if u.User != nil {
		b.WriteString(secret.Mask + "@")
	}
	b.WriteString(list + u.Path)
	query := u.Query()
	for name := range query {
		if !slices.Contains(plainQuery, name) || !plainPath.MatchString(query.Get(name)) {
			query = url.Values{}
			b.WriteString("?" + secret.Mask)
			break
		}
	}
	if len(query) > 0 {
		b.WriteString("?" + query.Encode())
	}
	return b.String()
}
