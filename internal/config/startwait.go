package config

import "time"

// longestStartWait is below the 240 s that Cloud Run gives a container to start.
const longestStartWait = 4 * time.Minute

// startWait returns how long a process may wait at start for Redis and the ledger. If it is not
// set, the process gives up at the first failure: on a machine whose network is up, waiting would
// only hide a mistake.
func (l *loader) startWait() time.Duration {
	if l.vars.StartWait == "" {
		return 0
	}
	d, err := time.ParseDuration(l.vars.StartWait)
	if err != nil || d < 0 || d > longestStartWait {
		l.problems.add("ROUNDS_START_WAIT", "is not a time from 0s to 4m", "set it like 180s, or leave it out to give up at the first failure")
		return 0
	}
	return d
}
