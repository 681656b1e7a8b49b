package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

const (
	listFile    = "docs/licences.txt"
	allowedFile = "tools/licences/allowed.txt"
	tagsFile    = "tools/tags.txt" // the build tags of all tests
)

const header = `# The licences of all dependencies: "make licences" compares this list with what is
# linked and installed, and "go run -C tools ./licences -update" writes it.
#
#   licence | used by | dependency
`

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// run compares or, with -update, writes the list. The repository is the folder above this module.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("licences", flag.ContinueOnError)
	update := flags.Bool("update", false, "write the list")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := os.Chdir(".."); err != nil {
		return err
	}
	rules, err := readRules(allowedFile)
	if err != nil {
		return err
	}
	dependencies, err := collect(ctx, rules)
	if err != nil {
		return err
	}
	if err := check(dependencies, rules); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(header + "\n")
	for _, d := range dependencies {
		b.WriteString(d.String() + "\n")
	}
	list := b.String()
	if *update {
		return os.WriteFile(listFile, []byte(list), 0o600)
	}
	committed, err := os.ReadFile(listFile)
	if err != nil {
		return err
	}
	if string(committed) != list {
		return fmt.Errorf("%s is stale:\n%sgo run -C tools ./licences -update writes it", listFile, difference(string(committed), list))
	}
	_, err = fmt.Fprintf(stdout, "licences: %d dependencies, each with a licence that %s allows\n", len(dependencies), allowedFile)
	return err
}

// collect returns the dependencies of every module and lock file, sorted.
func collect(ctx context.Context, rules []rule) ([]dependency, error) {
	found := map[string]dependency{}
	if err := goModules(ctx, rules, found); err != nil {
		return nil, err
	}
	if err := npmPackages(ctx, rules, found); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(found), func(a, b dependency) int {
		return strings.Compare(a.String(), b.String())
	}), nil
}

// check refuses licences that are unknown or that no rule allows, and rules that allow nothing.
func check(dependencies []dependency, rules []rule) error {
	var faults []string
	used := map[rule]bool{}
	for _, d := range dependencies {
		if len(d.licences) == 0 {
			faults = append(faults, d.name+": no known licence in "+d.source)
		}
		for _, licence := range d.licences {
			i := slices.IndexFunc(rules, func(r rule) bool { return r.allows(licence, d) })
			if i < 0 {
				faults = append(faults, d.name+": licence "+licence+" is not allowed")
				continue
			}
			used[rules[i]] = true
		}
	}
	for _, r := range rules {
		if !used[r] && !r.excludes() && !r.states() {
			faults = append(faults, allowedFile+": no dependency needs "+r.licence+" for "+r.who)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d faults:\n  %s", len(faults), strings.Join(faults, "\n  "))
	}
	return nil
}

// difference shows the lines that only one of two lists has.
func difference(was, is string) string {
	before, after := strings.Split(was, "\n"), strings.Split(is, "\n")
	var b strings.Builder
	for _, line := range before {
		if !slices.Contains(after, line) {
			fmt.Fprintln(&b, "  -", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			fmt.Fprintln(&b, "  +", line)
		}
	}
	return b.String()
}
