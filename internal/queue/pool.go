package queue

import (
	"errors"
	"maps"
	"slices"
)

// Pool is a number of slots that serve some lanes.
type Pool struct {
	// Slots is the number of tasks that run at once.
	Slots int
	// Lanes are the lanes with their weights: how often a lane is asked first, relative to the
	// others.
	Lanes map[string]int
}

// maxPools bounds the pools of a server, because each has its own asynq server.
const maxPools = 32

func defaultPools(reserved, background int) []Pool {
	return []Pool{
		{Slots: reserved, Lanes: map[string]int{Interactive: 6, Push: 4}},
		{Slots: background, Lanes: map[string]int{Sync: 6, Warm: 3, Quarantine: 1}},
	}
}

// withQuarantines returns a copy in which the last pool serves each missing quarantine lane.
func withQuarantines(pools []Pool) []Pool {
	out := slices.Clone(pools)
	served := map[string]bool{}
	for i := range out {
		out[i].Lanes = maps.Clone(out[i].Lanes)
		for lane := range out[i].Lanes {
			served[lane] = true
		}
	}
	last := out[len(out)-1].Lanes
	for lane := range served {
		if q := QuarantineOf(lane); !served[q] && last != nil {
			last[q] = 1
		}
	}
	return out
}

func checkPools(pools []Pool) error {
	served := map[string]bool{}
	for _, p := range pools {
		if p.Slots < 1 || len(p.Lanes) == 0 {
			return errors.New("a pool has no slots or no lanes")
		}
		for lane, weight := range p.Lanes {
			switch {
			case !ValidLane(lane):
				return errors.New("a pool names a malformed lane")
			case weight < 1:
				return errors.New("the weight of a lane is below 1")
			case served[lane]:
				return errors.New("two pools serve one lane")
			}
			served[lane] = true
		}
	}
	if len(pools) > maxPools {
		return errors.New("too many pools")
	}
	return nil
}
