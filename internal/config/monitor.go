package config

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/secret"
)

// Monitor is what cmd/monitor runs with. It has no keyset and no cache, so that it cannot open
// payloads.
type Monitor struct {
	Mode      Mode
	Queue     secret.Value // URL of the queue's Redis
	LedgerURL secret.Value
	Addr      string         // host:port to serve operators on
	Logins    []access.Login // at least one
	Health    string
	StartWait time.Duration
}

const (
	monitorAddr   = ":8090"
	monitorHealth = ":8084"
)

// LoadMonitor reads and checks the monitor's environment. The error, if any, is an [*Error] with
// every problem.
func LoadMonitor(getenv func(string) string) (Monitor, error) {
	l := newLoader(getenv)
	l.redisServers("ROUNDS_QUEUE_REDIS", l.vars.QueueRedis)
	m := Monitor{
		Mode:      l.mode,
		Queue:     secret.Value(l.vars.QueueRedis),
		LedgerURL: l.ledger(),
		Addr:      l.address("ROUNDS_MONITOR_ADDR", l.vars.MonitorAddr, monitorAddr),
		Logins:    l.logins(),
		Health:    l.health(monitorHealth),
		StartWait: l.startWait(),
	}
	return m, l.problems.err()
}

// maxLoginFile is far above the size of 200 lines, which is the limit of access.ParseLogins.
const maxLoginFile = 64 << 10

// logins returns the operators that may log in to the pages.
func (l *loader) logins() []access.Login {
	const name = "ROUNDS_MONITOR_PASSWORD_FILE"
	if l.vars.PasswordFile == "" {
		l.problems.add(name, "is not set", `set it to a file of lines "name role hash"; "rounds login new" prints one`)
		return nil
	}
	data, wrong, fix := readFile(l.vars.PasswordFile, maxLoginFile, l.mode == Production)
	if wrong != "" {
		l.problems.add(name, wrong, fix)
		return nil
	}
	logins, faults := access.ParseLogins(data)
	for _, f := range faults {
		l.problems.add(name, f.Wrong, f.Fix)
	}
	return logins
}
