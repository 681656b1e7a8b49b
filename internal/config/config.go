package config

import (
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/workflow-bolt/rounds/internal/secret"
)

// Base is what worker, scheduler and gateway have in common.
type Base struct {
	Mode      Mode
	Redis     Redis
	LedgerURL secret.Value // postgres://… or sqlite:FILE; a secret because it may hold a password
	Keyset    secret.Value // the contents of the keyset file, unparsed
	Tenants   []Tenant
	Health    string // host:port to serve health on; empty serves none
	// StartWait is how long to wait for Redis and the ledger at start. Zero gives up at the first
	// failure.
	StartWait time.Duration
}

// Worker is what cmd/worker runs with.
type Worker struct {
	Base
	Endpoint string // where the vendor's SOAP service answers
}

// Scheduler is what cmd/scheduler runs with. It never calls the vendor, so it has no endpoint.
type Scheduler struct{ Base }

// Mode selects the rules. The zero value is production.
type Mode uint8

// The modes.
const (
	Production Mode = iota // ROUNDS_ENV=production, unset, or an unknown value
	Dev                    // ROUNDS_ENV=dev
)

// String returns the value of ROUNDS_ENV for the mode.
func (m Mode) String() string {
	if m == Dev {
		return "dev"
	}
	return "production"
}

// The default health addresses differ, so that one machine can run all programs without
// configuration.
const (
	workerHealth    = ":8081"
	schedulerHealth = ":8082"
)

// LoadWorker reads and checks the worker's environment. The error, if any, is an [*Error] with
// every problem.
func LoadWorker(getenv func(string) string) (Worker, error) {
	l := newLoader(getenv)
	w := Worker{Base: l.base(workerHealth), Endpoint: l.endpoint()}
	l.collector()
	return w, l.problems.err()
}

// LoadScheduler reads and checks the scheduler's environment. The error, if any, is an [*Error]
// with every problem.
func LoadScheduler(getenv func(string) string) (Scheduler, error) {
	l := newLoader(getenv)
	s := Scheduler{Base: l.base(schedulerHealth)}
	l.collector()
	return s, l.problems.err()
}

// variables are the raw values. All are strings, so that a bad value is reported by this package,
// which does not repeat it, and not by the parser, which does. The tag "of" names the programs that
// read a variable. The tag "show" is how its value may be shown: "plain", or "url" without the
// parts that may be secret.
type variables struct {
	Env        string `env:"ROUNDS_ENV" of:"worker scheduler gateway monitor" show:"plain"`
	QueueRedis string `env:"ROUNDS_QUEUE_REDIS" of:"worker scheduler gateway monitor" show:"url"`
	CacheRedis string `env:"ROUNDS_CACHE_REDIS" of:"worker scheduler gateway" show:"url"`
	Ledger     string `env:"ROUNDS_LEDGER" of:"worker scheduler gateway monitor" show:"url"`
	Keys       string `env:"ROUNDS_KEYS" of:"worker scheduler gateway" show:"plain"`
	Endpoint   string `env:"ROUNDS_TEBRA_ENDPOINT" of:"worker" show:"url" envDefault:"https://webservice.kareo.com/services/soap/2.1/KareoServices.svc"`
	Tenants    string `env:"ROUNDS_TENANTS" of:"worker scheduler gateway" show:"plain"`
	Health     string `env:"ROUNDS_HEALTH_ADDR" of:"worker scheduler gateway monitor" show:"plain"`
	StartWait  string `env:"ROUNDS_START_WAIT" of:"worker scheduler gateway monitor" show:"plain"`

	Gateway string `env:"ROUNDS_GATEWAY_ADDR" of:"gateway" show:"plain"`
	APIKeys string `env:"ROUNDS_API_KEYS" of:"gateway" show:"plain"`

	MonitorAddr  string `env:"ROUNDS_MONITOR_ADDR" of:"monitor" show:"plain"`
	PasswordFile string `env:"ROUNDS_MONITOR_PASSWORD_FILE" of:"monitor" show:"plain"`

	Collector string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" of:"worker scheduler gateway" show:"url"`
}

// loader checks one setting per method and collects the problems.
type loader struct {
	getenv   func(string) string
	vars     variables
	mode     Mode
	problems problems
}

func newLoader(getenv func(string) string) *loader {
	l := &loader{getenv: getenv}
	if err := l.read(); err != nil {
		// Parsing strings cannot fail, so this is an error in the declaration of variables. Its
		// text is left out because it may quote a value.
		l.problems.add("environment", "could not be read", "report this: no value of a variable can cause it")
	}
	switch l.vars.Env {
	case "dev":
		l.mode = Dev
	case "production", "":
	default:
		l.problems.add("ROUNDS_ENV", "is neither dev nor production", "set it to one of the two, or leave it out for production")
	}
	return l
}

// read fills l.vars from getenv. An empty variable counts as not set.
func (l *loader) read() error {
	fields, err := env.GetFieldParams(&l.vars)
	if err != nil {
		return err
	}
	set := make(map[string]string, len(fields))
	for _, f := range fields {
		if v := l.getenv(f.Key); v != "" {
			set[f.Key] = v
		}
	}
	return env.ParseWithOptions(&l.vars, env.Options{Environment: set})
}

// base reads what worker, scheduler and gateway have in common.
func (l *loader) base(health string) Base {
	return Base{
		Mode:      l.mode,
		Redis:     l.redis(),
		LedgerURL: l.ledger(),
		Keyset:    l.keyset(),
		Tenants:   l.tenants(),
		Health:    l.health(health),
		StartWait: l.startWait(),
	}
}

// health returns the address to serve health on: the fallback if it is not set, empty for "off".
func (l *loader) health(fallback string) string {
	switch l.vars.Health {
	case "":
		return fallback
	case "off":
		return ""
	}
	return l.address("ROUNDS_HEALTH_ADDR", l.vars.Health, fallback)
}

// address returns the address to listen on: the fallback if it is not set.
func (l *loader) address(name, value, fallback string) string {
	if value == "" {
		return fallback
	}
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		l.problems.add(name, "is not host:port", "set it like :8081 or 127.0.0.1:8081")
		return ""
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		l.problems.add(name, "has no usable port", "use a number from 0 to 65535; 0 takes any free port")
		return ""
	}
	return value
}

// collector checks the one OTEL variable whose mistakes would show only as missing traces. The
// exporters read the other OTEL variables themselves, as the OpenTelemetry specification defines.
func (l *loader) collector() {
	if l.vars.Collector == "" {
		return
	}
	u, err := url.Parse(l.vars.Collector)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		l.problems.add("OTEL_EXPORTER_OTLP_ENDPOINT", "is not an http or https URL", "set it like http://127.0.0.1:4318, or leave it out")
	}
}
