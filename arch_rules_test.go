package rounds_test

// The rules of the architecture as data. arch_test.go checks the code against them.

// module is the module's path; the rules name its packages without it.
const module = "github.com/workflow-bolt/rounds"

// packageRule says what one package may import: packages of lower rows, and no others except those
// that it lists. Tests are exempt.
type packageRule struct {
	path string
	row  int
	// only, unless nil, lists the only packages of the module that it may import.
	only []string
	// beside lists packages of its own row that it may import too.
	beside []string
	// by, unless nil, lists the only packages that may import it.
	by []string
	// planned marks a package that does not exist yet.
	planned bool
	why     string
}

// testsOnly is a value of packageRule.by: only tests import the package.
var testsOnly = []string{}

var packageRules = []packageRule{
	// Row 7: programs.
	{path: "cmd/worker", row: 7, only: []string{"internal/app", "internal/config", "internal/lifecycle", "internal/telemetry/logging"}, why: "a main function reads the environment and calls the wiring"},
	{path: "cmd/scheduler", row: 7, only: []string{"internal/app", "internal/config", "internal/lifecycle", "internal/telemetry/logging"}, why: "as the worker"},
	{path: "cmd/gateway", row: 7, only: []string{"internal/app", "internal/config", "internal/lifecycle", "internal/telemetry/logging"}, why: "as the worker"},
	{path: "cmd/rounds", row: 7, only: []string{"internal/cli", "internal/lifecycle"}, why: "the command tree is in internal/cli; main only starts it"},
	{path: "cmd/monitor", row: 7, only: []string{"internal/monitor", "internal/config", "internal/lifecycle", "internal/telemetry/logging"}, why: "the monitor must not be able to open a payload, so it does not link the wiring that can"},

	// Row 6: wiring and commands.
	{path: "internal/cli", row: 6, beside: []string{"internal/app", "internal/daycheck"}, why: "commands start the same processes that the binaries start"},
	{path: "internal/daycheck", row: 6, beside: []string{"internal/app"}, by: []string{"internal/cli"}, why: "plays and verifies the demo's day; it is above row 5 because it runs whole processes through internal/app"},
	{path: "internal/app", row: 6, why: "the only package that may import all others; it defines the order of the pipeline"},

	// Row 5: what the processes do.
	{path: "internal/gateway", row: 5, only: []string{"internal/codes", "internal/access", "internal/civil", "internal/practice", "tasks", "internal/events", "internal/ledger", "internal/outage", "internal/phi", "internal/tenant", "internal/telemetry", "internal/zone"}, why: "HTTP over cache and queue; it imports neither the vendor's client nor work, so it cannot call the vendor"},
	{path: "internal/monitor", row: 5, only: []string{"internal/alarm", "internal/codes", "internal/access", "internal/queue", "internal/ledger", "internal/lifecycle", "internal/redisconn", "internal/status", "internal/tenant"}, why: "shows refs and codes; it links no key code and no PHI"},
	{path: "internal/report", row: 5, beside: []string{"internal/plan"}, why: "reads every store for the status document and changes none"},
	{path: "internal/sweep", row: 5, only: []string{"internal/cache", "internal/ledger"}, why: "removes obsolete records in the background of a scheduler"},
	{path: "internal/work", row: 5, why: "processes each kind of task"},
	{path: "internal/plan", row: 5, why: "decides what is due and enqueues it; it processes no task"},
	{path: "internal/diagnose", row: 5, why: "inspects and grades for doctor and the redis commands; its vendor call goes through flow's gate"},
	{path: "internal/scale", row: 5, planned: true, why: "reads depth and budget and sets the number of workers"},

	// Row 4: practices, tasks, and flow control.
	{path: "internal/practice", row: 4, why: "maps the vendor's rows to documents and views"},
	{path: "internal/account", row: 4, beside: []string{"tasks"}, why: "a tenant's credentials, vendor client and data key; the one package that opens them"},
	{path: "internal/flow", row: 4, why: "implements the gate that the vendor client asks"},
	{path: "tasks", row: 4, only: []string{"internal/codes", "internal/budget", "internal/civil", "internal/explain", "internal/outage", "internal/queue", "internal/phi", "internal/redisconn", "internal/tenant", "internal/telemetry"}, why: "a service that enqueues links no SOAP, no cache and no SQL"},
	{path: "internal/alarm", row: 4, only: []string{"internal/breaker", "internal/codes", "internal/ledger", "internal/outage", "internal/queue", "internal/status"}, why: "one rule for what needs attention, for the monitor, which links no key, and for commands"},
	{path: "internal/override", row: 3, only: []string{"internal/breaker", "internal/ledger"}, why: "operators' decisions about breakers, recorded before they take effect, for commands and the monitor"},
	{path: "tasks/taskstest", row: 4, beside: []string{"tasks"}, by: testsOnly, why: "test support for users of tasks; it imports testing"},

	// Row 3: the vendor, the cache, the queue.
	{path: "integrations/tebra", row: 3, only: []string{"internal/phi"}, why: "the vendor client implements the protocol and does not depend on queue, cache or flow"},
	{path: "integrations/tebra/tebratest", row: 3, only: []string{"internal/phi"}, beside: []string{"integrations/tebra"}, by: []string{"internal/app", "internal/cli", "internal/daycheck"}, why: "the simulator serves tests and the demo; no worker may link it"},
	{path: "internal/config", row: 3, only: []string{"internal/access", "internal/secret", "internal/tenant", "internal/zone"}, why: "parses the environment into values; it does not depend on other packages' options"},
	{path: "internal/cache", row: 3, why: "stamps, tags and the scripts that maintain them, events included"},
	{path: "internal/queue", row: 3, why: "the engine under tasks, built on asynq"},
	{path: "internal/explain", row: 3, only: []string{"internal/breaker", "internal/codes", "internal/budget", "internal/redisconn", "internal/tenant"}, beside: []string{"internal/queue"}, why: "why a task waits, from the queue's Redis alone: clients and the monitor link it"},

	// Row 2: stores.
	{path: "internal/access", row: 2, only: []string{"internal/secret", "internal/tenant"}, why: "API keys and operators' logins: made by commands, checked by gateway and monitor"},
	{path: "internal/events", row: 2, why: "the event log's format and its readers"},
	{path: "internal/ledger", row: 2, why: "the one user of SQL"},
	{path: "internal/ledger/ledgertest", row: 2, beside: []string{"internal/ledger"}, by: testsOnly, why: "opens ledgers for tests; internal/ledger does not link testing"},
	{path: "internal/breaker", row: 2, only: []string{"internal/redisconn", "internal/tenant"}, why: "the shared state of breakers; names no type of the vendor's client, so that light programs can read it"},
	{path: "internal/budget", row: 2, only: []string{"internal/outage", "internal/redisconn", "internal/tenant"}, why: "how often each operation may be called; names no type of the vendor's client"},
	{path: "internal/status", row: 2, only: []string{"internal/tenant"}, why: "what the scheduler publishes for the monitor, which links nothing of the scheduler's"},

	// Row 1: packages at the bottom, which import no other package of the module except as listed.
	{path: "internal/codes", row: 1, why: "every code and what it means; links nothing, so that the monitor may show meanings"},
	{path: "internal/phi", row: 1, why: "packages that can open a payload must be easy to find"},
	{path: "internal/secret", row: 1, why: "the type of a value that must not be printed, for packages that hold no key to a payload"},
	{path: "internal/outage", row: 1, beside: []string{"internal/codes"}, why: "what it means that one of our stores is unavailable, for the packages of all stores and for those that wait"},
	{path: "internal/redisconn", row: 1, beside: []string{"internal/outage"}, why: "one way to connect to Redis and to read its errors, for processes, commands and monitor"},
	{path: "internal/tenant", row: 1, why: "the one builder of keys"},
	{path: "internal/civil", row: 1, why: "one type of calendar day, which JSON of tasks and documents share"},
	{path: "internal/zone", row: 1, why: "one rule about which names of zones are usable"},
	{path: "internal/telemetry", row: 1, why: "the one vocabulary of what leaves the process"},
	{path: "internal/telemetry/logging", row: 1, beside: []string{"internal/telemetry"}, by: []string{"cmd/worker", "cmd/scheduler", "cmd/gateway", "cmd/monitor", "internal/cli", "internal/daycheck"}, why: "programs set up a log, and the day check one whose output it searches; packages are passed one"},
	{path: "internal/telemetry/export", row: 1, beside: []string{"internal/telemetry"}, by: []string{"internal/app"}, why: "the exporters are large; a service that only enqueues must not link them"},
	{path: "internal/lifecycle", row: 1, why: "start, stop, health"},

	// Row 0: test support. It imports no other package of the module, and no program links it
	// except as listed.
	{path: "internal/redistest", row: 0, by: testsOnly, why: "starts redis-server for tests"},
	{path: "internal/pgtest", row: 0, by: testsOnly, why: "starts PostgreSQL for tests"},
	{path: "internal/mutation", row: 0, by: testsOnly, why: "mutates the vendor's lists for property tests; links nothing, so that it shares no mistake with a reader"},
	{path: "internal/progtest", row: 0, by: testsOnly, why: "what every program must do, tested in one place; links no other package of the module, because the monitor's test uses it too"},
	{path: "internal/canary", row: 0, by: []string{"internal/daycheck"}, why: "searches what a run leaves behind, in tests and in the demo's check"},
	{path: "internal/telemetry/otlptest", row: 0, by: []string{"internal/daycheck"}, why: "the collector of tests, and of the demo when it inspects itself"},
}

// owner restricts the imports of an external package, including all packages below its path.
type owner struct {
	path string
	of   []string // packages that may import it; "/..." covers those below
	why  string
}

var owners = []owner{
	{"github.com/hibiken/asynq", []string{"tasks/...", "internal/queue", "internal/monitor", "internal/app"}, "what we rely on in asynq stays where its characterization tests are"},
	{"go.opentelemetry.io", []string{"internal/telemetry/..."}, "attributes are closed because no other package can make one"},
	{"go.opentelemetry.io/otel/sdk", []string{"internal/telemetry/export"}, "packages record spans through the API alone; only a process decides where they go"},
	{"go.opentelemetry.io/otel/exporters", []string{"internal/telemetry/export"}, "as the SDK"},
	{"go.opentelemetry.io/contrib", []string{"internal/telemetry/export"}, "as the SDK"},
	{"go.opentelemetry.io/proto", []string{"internal/telemetry/otlptest"}, "the wire format is decoded by the test collector alone"},
	{"github.com/tink-crypto", []string{"internal/phi"}, "sealing is done in one place"},
	{"crypto/aes", []string{"internal/phi"}, "sealing is done in one place"},
	{"crypto/cipher", []string{"internal/phi"}, "sealing is done in one place"},
	{"crypto/hmac", []string{"internal/phi"}, "refs are made in one place, or they would not match"},
	{"crypto/hkdf", []string{"internal/phi"}, "keys are derived in one place"},
	{"github.com/sony/gobreaker", []string{"internal/flow"}, "one breaker per scope, and one place that decides scopes"},
	{"github.com/cenkalti/backoff", []string{"integrations/tebra", "internal/flow"}, "two retry clocks: inside a call here, everything longer is the queue's"},
	{"database/sql", []string{"internal/ledger"}, "data that cannot be rebuilt is in one store"},
	{"github.com/jackc/pgx", []string{"internal/ledger", "internal/pgtest"}, "the ledger's driver"},
	{"modernc.org/sqlite", []string{"internal/ledger"}, "the ledger's driver on one host"},
	{"github.com/pressly/goose", []string{"internal/ledger"}, "the ledger's migrations"},
	{"github.com/alicebob/miniredis", []string{"internal/app", "internal/redistest"}, "the embedded Redis of demo and tests; no product runs on it"},
	{"github.com/robfig/cron", []string{"internal/plan"}, "schedules are read in one place"},
	{"github.com/danielgtaylor/huma", []string{"internal/gateway"}, "its errors are made by one function of the process, which one package sets"},
	{"github.com/spf13/cobra", []string{"internal/cli"}, "commands are defined in one place"},
	{"github.com/caarlos0/env", []string{"internal/config"}, "the environment is read in one place"},
	{"github.com/hibiken/asynqmon", []string{"internal/monitor"}, "asynqmon is never served without what keeps it harmless"},
	{"golang.org/x/crypto/bcrypt", []string{"internal/access"}, "passwords are hashed and checked in one place"},
	{"github.com/lmittmann/tint", []string{"internal/telemetry/logging"}, "the log is set up in one place"},
	{"github.com/google/go-cmp", []string{"tasks/taskstest"}, "for tests"},
	{"github.com/chromedp", nil, "for tests"},
	{"pgregory.net/rapid", nil, "for tests"},
	{"go.uber.org/goleak", []string{"internal/redistest", "internal/pgtest"}, "for tests"},
	{"testing", []string{"internal/redistest", "internal/pgtest", "internal/ledger/ledgertest", "internal/progtest", "tasks/taskstest"}, "a binary that links testing carries its flags"},
	{"log", nil, "the log is slog"},
	{"math/rand", nil, "math/rand/v2 where chance is enough"},
}

// notOwned lists packages below an owned path that are unrestricted.
var notOwned = map[string]bool{"log/slog": true, "math/rand/v2": true}

// call restricts the use of functions.
type call struct {
	pkg  string
	name []string
	of   []string
	why  string
}

var calls = []call{
	{"os", []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, []string{"cmd/..."}, "run gets its environment as an argument, so that tests have their own"},
	{"os", []string{"Exit"}, []string{"cmd/...", "internal/redistest", "internal/pgtest"}, "exiting skips every deferred close"},
	{"github.com/redis/go-redis/v9", []string{"NewClient", "NewClusterClient", "NewFailoverClient", "NewFailoverClusterClient", "NewUniversalClient", "NewRing", "NewSentinelClient"}, []string{"internal/redisconn", "internal/redistest"}, "one constructor of clients knows our timeouts, and that credentials stay out of errors"},
	{"log/slog", []string{"SetDefault"}, nil, "loggers are passed; a process-wide one mixes tests"},
}
