package access

import "github.com/workflow-bolt/rounds/internal/tenant"

// Fault is one thing wrong with a file of keys or logins. It names the line and quotes nothing of
// it.
type Fault struct {
	Wrong string // what is wrong
	Fix   string // what to do about it
}

// maxFaults is how many faults of one file are reported: a file of another kind has one on each
// line.
const maxFaults = 20

// validName reports whether s may name a caller or an operator: names follow the rule for tenant
// IDs.
func validName(s string) bool {
	_, err := tenant.Parse(s)
	return err == nil
}
