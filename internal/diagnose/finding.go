// Package diagnose inspects the services that Rounds depends on and grades what it finds.
//
// [Run] makes all the checks of "rounds doctor". The methods of [Server] inspect one Redis server
// for "rounds redis". Results are data with JSON names, and the caller prints them. No check
// changes anything.
package diagnose

import "slices"

// Grade is the result of one check.
type Grade string

// The grades.
const (
	OK   Grade = "ok"
	Warn Grade = "warn" // works, but will cause trouble later
	Fail Grade = "fail"
	Skip Grade = "skip" // not checked, because of another finding
)

// Finding is the result of one check, with its evidence.
type Finding struct {
	Check    string `json:"check"`
	Grade    Grade  `json:"verdict"`
	Evidence string `json:"evidence"`      // what the check observed
	Means    string `json:"means"`         // why it matters
	Fix      string `json:"fix,omitempty"` // set if the grade is Warn or Fail
	TookMS   int64  `json:"took_ms"`
}

// Failed reports whether any finding is graded Fail.
func Failed(found []Finding) bool {
	return slices.ContainsFunc(found, func(f Finding) bool { return f.Grade == Fail })
}

// Report is the result of all checks.
type Report struct {
	OK       bool          `json:"ok"` // no check failed
	Mode     string        `json:"mode"`
	Counts   map[Grade]int `json:"counts"`
	Findings []Finding     `json:"findings"`
}

// skipped is the finding of a check that cannot run.
func skipped(check, because string) Finding {
	return Finding{Check: check, Grade: Skip, Evidence: because, Means: "not checked"}
}

// skipAll returns a skipped finding for each aspect of a subject. The empty aspect is the subject
// itself.
func skipAll(name string, aspects []string, because string) []Finding {
	found := make([]Finding, 0, len(aspects))
	for _, a := range aspects {
		found = append(found, skipped(joinName(name, a), because))
	}
	return found
}

func joinName(name, aspect string) string {
	if aspect == "" {
		return name
	}
	return name + "-" + aspect
}
