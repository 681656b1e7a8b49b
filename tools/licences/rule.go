package main

import (
	"fmt"
	"os"
	"strings"
)

// rule is one line of allowed.txt: a licence and which dependencies may have it, a file of a
// dependency that is not its licence, or the licence of a dependency that names none.
type rule struct {
	licence string // SPDX identifier, "not FILE", or "is SPDX identifier"
	who     string // programs, tests, clients, the name of a dependency, or "*"
}

func (r rule) allows(licence string, d dependency) bool {
	return r.licence == licence && (r.who == "*" || r.who == d.usedBy || r.who == d.name)
}

// excludes reports whether the rule names a file.
func (r rule) excludes() bool { return strings.HasPrefix(r.licence, "not ") }

// stated is what the licence of a rule begins with that says what a dependency's licence is.
const stated = "is "

// states reports whether the rule says what a dependency's licence is.
func (r rule) states() bool { return strings.HasPrefix(r.licence, stated) }

func readRules(file string) ([]rule, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rules []rule
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		part := strings.Split(line, "|")
		if len(part) != 3 || strings.TrimSpace(part[2]) == "" {
			return nil, fmt.Errorf("%s: %q is not licence | who | reason", file, line)
		}
		rules = append(rules, rule{strings.TrimSpace(part[0]), strings.TrimSpace(part[1])})
	}
	return rules, nil
}
