package config

import (
	"net"
	"strconv"
)

// Monitor is what cmd/monitor runs with. It has no keyset and no cache: it can open nothing.
type Monitor struct {
	Mode      Mode
	Queue     Secret // the queue's Redis
	LedgerURL Secret
	Addr      string  // host:port to serve operators on
	Logins    []Login // at least one
	Health    string
}

const (
	monitorAddr   = ":8090"
	monitorHealth = ":8084"
)

// LoadMonitor reads and checks the monitor's environment. The error, if any, is an [*Error] with every problem.
func LoadMonitor(getenv func(string) string) (Monitor, error) {
	l := newLoader(getenv)
	l.redisServers("ROUNDS_QUEUE_REDIS", l.vars.QueueRedis)
	m := Monitor{
		Mode:      l.mode,
		Queue:     Secret(l.vars.QueueRedis),
		LedgerURL: l.ledger(),
		Addr:      l.address("ROUNDS_MONITOR_ADDR", l.vars.MonitorAddr, monitorAddr),
		Logins:    l.logins(),
		Health:    l.health(monitorHealth),
	}
	return m, l.problems.err()
}

// address returns where to listen: fallback unless set.
func (l *loader) address(name, value, fallback string) string {
	if value == "" {
		return fallback
	}
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		l.problems.add(name, "is not host:port", "set it like :8090 or 127.0.0.1:8090")
		return ""
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		l.problems.add(name, "has no usable port", "use a number from 0 to 65535; 0 takes any free port")
		return ""
	}
	return value
}
