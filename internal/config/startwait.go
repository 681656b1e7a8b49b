package config

import "time"

// longestStartWait is below the 240 s that Cloud Run gives a container to start.
const longestStartWait = 4 * time.Minute

// startWait reads for how long a process that starts may wait for Redis and the ledger before it gives up. Unset it gives
// up at the first refusal: on a machine whose network is there, waiting would only hide a mistake.
func (l *loader) startWait() time.Duration {
	if l.vars.StartWait == "" {
		return 0
	}
	d, err := time.ParseDuration(l.vars.StartWait)
	if err != nil || d < 0 || d > longestStartWait {
		l.problems.add("ROUNDS_START_WAIT", "is not a time from 0s to 4m", "set it like 180s, or leave it out to give up at once")
		return 0
	}
	return d
}
