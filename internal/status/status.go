// Package status is the scheduler's report to operators: one document in the queue's Redis, written
// every two seconds and read by the monitor, which cannot ask the other processes.
//
// The document contains names of tenants, numbers of practices, kinds, operations, codes, counts
// and times, and nothing about a person. Several schedulers write the same document and the last
// write wins: they read the same Redis and the same ledger.
//
// A document expires [Life] after its last write, so that a reader can report since when there is
// no news. Its age is derived from the remaining time to live, so no process's clock matters.
package status

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Every is the interval at which the document is written.
const Every = 2 * time.Second

// Late is the age above which a document no longer describes the present: three reports are
// missing. With the reader's own interval of two seconds, that is known within ten seconds.
const Late = 7 * time.Second

// Life is how long a document is kept after its last write.
const Life = 24 * time.Hour

// Document is the state of the system at one moment.
type Document struct {
	At        time.Time      `json:"at"` // when it was written, by the scheduler's clock
	Budgets   []Budget       `json:"budgets,omitempty"`
	Breakers  []Breaker      `json:"breakers,omitempty"`
	Freshness []Freshness    `json:"freshness,omitempty"`
	Workers   []Worker       `json:"workers,omitempty"`  // for readers of earlier releases; others read the heartbeats
	Attempts  map[string]int `json:"attempts,omitempty"` // how often a task of the kind may fail; it lists every known kind
	// Omitted counts the rows that were left out to keep the document small.
	Omitted int `json:"left,omitempty"`
	// Missing names the parts that could not be read: budgets, turns, breakers, freshness, workers.
	// Those parts are empty.
	Missing []string `json:"missing,omitempty"`
	// Unavailable names the stores that the scheduler could not read: queue, cache, ledger.
	Unavailable []string `json:"unavailable,omitempty"`
}

// Budget is the state of one operation of one account at the vendor.
type Budget struct {
	Tenant    tenant.ID     `json:"tenant"`
	Operation string        `json:"operation"`
	Spacing   time.Duration `json:"spacing"`           // between calls: the vendor's interval and our margin
	Next      time.Duration `json:"next,omitempty"`    // until the next call may be sent; 0 when one may be sent now
	Blocked   time.Duration `json:"blocked,omitempty"` // until a throttling by the vendor ends; 0 without one
	Backlog   time.Duration `json:"backlog,omitempty"` // how far ahead background work is booked
	// Used is the share of the last hour's budget that was used, about. It and Turn are absent
	// beyond the first rows.
	Used float64 `json:"used,omitempty"`
	// Turn is the tenant's place among those that wait for slots of the workers: next, waiting or
	// held. It is empty if none of its background calls had to wait.
	Turn string `json:"turn,omitempty"`
}

// Full reports that more calls are demanded than the vendor allows: background tasks are booked
// further ahead than the schedule of a practice may be old, or nearly all calls of the last hour
// were used and tasks are booked further than a minute.
func (b Budget) Full() bool {
	return b.Backlog > FreshnessObjective || b.Used >= nearlyAll && b.Backlog > time.Minute
}

// nearlyAll is the share of an hour's calls above which a budget counts as used up. The rest is
// lost between two calls.
const nearlyAll = 0.95

// Breaker is a breaker that is not closed, or the host's.
type Breaker struct {
	Scope  string        `json:"scope"`            // host, credential, or an operation
	Tenant tenant.ID     `json:"tenant,omitempty"` // empty for the host
	State  string        `json:"state"`            // closed, open, probing, ramp
	Wait   time.Duration `json:"wait,omitempty"`   // until a probe is due, when open
	Opens  int           `json:"opens,omitempty"`  // openings in a row
	Reason string        `json:"reason,omitempty"` // code of the failure that opened it last
}

// Freshness is the age of one practice's schedule of today.
type Freshness struct {
	Tenant   tenant.ID     `json:"tenant"`
	Practice string        `json:"practice"`
	Open     bool          `json:"open"`          // within opening hours, when the schedule is kept fresh
	Known    bool          `json:"known"`         // the vendor has confirmed the day, and the confirmation is still stored
	Age      time.Duration `json:"age,omitempty"` // since the last confirmation
}

// Worker is one worker process.
type Worker struct {
	Name    string    `json:"name"` // host and process ID
	Slots   int       `json:"slots"`
	Busy    int       `json:"busy"`
	Started time.Time `json:"started"`
}

// FreshnessObjective is the greatest age of today's schedule within opening hours. The schedule is
// synced every two minutes, so one failed sync and the duration of a call still fit.
const FreshnessObjective = 5 * time.Minute

// Late reports whether the practice is open and its day is unknown or older than
// FreshnessObjective.
func (f Freshness) Late() bool { return f.Open && (!f.Known || f.Age > FreshnessObjective) }
