// Package diagnose inspects what Rounds depends on, and grades what it finds.
//
// [Run] is the check of everything that "rounds doctor" prints. The methods of [Server] inspect one Redis server for
// "rounds redis". Results are data with JSON names; printing them is up to the caller. Nothing here changes anything.
package diagnose

import "slices"

// Grade is the result of one check.
type Grade string

// The grades.
const (
	OK   Grade = "ok"
	Warn Grade = "warn" // works, and will hurt some day
	Fail Grade = "fail"
	Skip Grade = "skip" // could not be looked at, because of another finding
)

// Finding is what one check saw.
type Finding struct {
	Check    string `json:"check"`
	Grade    Grade  `json:"verdict"`
	Evidence string `json:"evidence"`      // what was seen
	Means    string `json:"means"`         // why it matters
	Fix      string `json:"fix,omitempty"` // unless all is well
	TookMS   int64  `json:"took_ms"`
}

// Failed reports whether any of the findings is a failure.
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

// skipped is what a check reports that cannot look.
func skipped(check, because string) Finding {
	return Finding{Check: check, Grade: Skip, Evidence: because, Means: "not looked at"}
}

// skipAll skips the aspects of one subject; the empty aspect is the subject itself.
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
