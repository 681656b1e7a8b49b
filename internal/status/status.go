// Package status is how the scheduler tells operators how things stand: one document in the queue's Redis, written every
// two seconds and read by the monitor, which can ask none of those who know.
//
// The document holds names of tenants, numbers of practices, kinds, operations, codes, counts and times, and nothing
// about a person. Several schedulers write the same document, and the last one wins: they read the same Redis and the
// same ledger.
//
// A document outlives its scheduler by [Life], so that a reader can say since when nothing is known. How old it is, Redis
// tells by what is left of its life; nobody's clock is asked.
package status

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Every is how often the document is written.
const Every = 2 * time.Second

// Late is the age above which a document tells nothing about now.
const Late = 5 * Every

// Life is how long a document is kept after it was written.
const Life = 24 * time.Hour

// Document is how things stand.
type Document struct {
	At        time.Time      `json:"at"` // when it was written, by the scheduler's clock
	Budgets   []Budget       `json:"budgets,omitempty"`
	Breakers  []Breaker      `json:"breakers,omitempty"`
	Freshness []Freshness    `json:"freshness,omitempty"`
	Workers   []Worker       `json:"workers,omitempty"`
	Attempts  map[string]int `json:"attempts,omitempty"` // how often a task of the kind may fail; kinds in it are the known ones
	// Omitted counts what was left out, so that the document stays small.
	Omitted int `json:"left,omitempty"`
	// Missing names what could not be read: budgets, breakers, freshness, workers. Their parts are empty then.
	Missing []string `json:"missing,omitempty"`
}

// Budget is one operation of one account at the vendor.
type Budget struct {
	Tenant    tenant.ID     `json:"tenant"`
	Operation string        `json:"operation"`
	Spacing   time.Duration `json:"spacing"`           // between calls: the vendor's interval and our margin
	Next      time.Duration `json:"next,omitempty"`    // until the next call may leave; 0 when one could now
	Blocked   time.Duration `json:"blocked,omitempty"` // until the vendor's throttling is waited out; 0 when it is not
	Backlog   time.Duration `json:"backlog,omitempty"` // how far the background is booked ahead
}

// Breaker is one that is not closed, or the host's.
type Breaker struct {
	Scope  string        `json:"scope"`            // host, credential, or a class of operations
	Tenant tenant.ID     `json:"tenant,omitempty"` // empty for the host
	State  string        `json:"state"`            // closed, open, probing, ramp
	Wait   time.Duration `json:"wait,omitempty"`   // until a probe is due, when open
	Opens  int           `json:"opens,omitempty"`  // openings in a row
	Reason string        `json:"reason,omitempty"` // code of the failure that opened it last
}

// Freshness is how well one practice's schedule of today is known.
type Freshness struct {
	Tenant   tenant.ID     `json:"tenant"`
	Practice string        `json:"practice"`
	Open     bool          `json:"open"`          // within opening hours, when it is kept fresh
	Known    bool          `json:"known"`         // the vendor has confirmed the day at least once, and that is still remembered
	Age      time.Duration `json:"age,omitempty"` // since it did last
}

// Worker is one worker process.
type Worker struct {
	Name    string    `json:"name"` // host and process ID
	Slots   int       `json:"slots"`
	Busy    int       `json:"busy"`
	Started time.Time `json:"started"`
}

// FreshnessObjective is how old the schedule of today may be within opening hours. It is asked for every two minutes, so this
// leaves a look that failed and the time that a call takes.
const FreshnessObjective = 5 * time.Minute

// Late reports whether the practice is open and what is known of its day is older than Objective.
func (f Freshness) Late() bool { return f.Open && (!f.Known || f.Age > FreshnessObjective) }
