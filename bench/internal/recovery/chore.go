package recovery

import (
	"strconv"

	"github.com/workflow-bolt/rounds/tasks"
)

// chore is a task of the bench. It works for a while and then has one effect on the sink.
type chore struct {
	Number int    `json:"number"`
	Lane   string `json:"lane"`
	// Work is how long it works, in milliseconds.
	Work int `json:"work"`
	// Poison makes it end its worker's process instead.
	Poison bool `json:"poison,omitempty"`
	// Fenced leaves it to the sink to refuse the effect of a run that has lost its task. Other
	// chores call tasks.Held before the effect.
	Fenced bool `json:"fenced,omitempty"`
}

var (
	_ tasks.Optioned    = chore{}
	_ tasks.UniqueKeyed = chore{}
)

// Kind returns "bench.chore".
func (chore) Kind() string { return "bench.chore" }

// Options puts the chore into its lane.
func (c chore) Options() tasks.Options { return tasks.Options{Lane: c.Lane} }

// UniqueKey returns the number: no two chores are equal.
func (c chore) UniqueKey() string { return strconv.Itoa(c.Number) }
