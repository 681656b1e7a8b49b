package config

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with the configuration. Its fields never hold a value that may be
// secret.
type Problem struct {
	Variable string // the environment variable to change
	Wrong    string // what is wrong
	Fix      string // what to do about it
}

// String returns "VARIABLE wrong; fix".
func (p Problem) String() string { return p.Variable + " " + p.Wrong + "; " + p.Fix }

// Error lists why a process cannot start with its environment. Callers exit with the code for wrong
// usage, 2.
type Error struct {
	problems []Problem
}

// Error returns all problems, one per line, below a heading.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "configuration: %d problem(s)", len(e.problems))
	for _, p := range e.problems {
		b.WriteString("\n  ")
		b.WriteString(p.String())
	}
	return b.String()
}

// Problems returns the problems. It is never empty.
func (e *Error) Problems() []Problem { return e.problems }

// problems collects the results of the checks.
type problems []Problem

func (ps *problems) add(variable, wrong, fix string) {
	*ps = append(*ps, Problem{Variable: variable, Wrong: wrong, Fix: fix})
}

// err returns nil when nothing was found; never a typed nil.
func (ps *problems) err() error {
	if len(*ps) == 0 {
		return nil
	}
	return &Error{problems: *ps}
}
