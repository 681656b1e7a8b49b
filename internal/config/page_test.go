package config

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEnvironmentPage compares the table of docs/environment.md with what each program reads.
func TestEnvironmentPage(t *testing.T) {
	t.Parallel()
	documented := map[string][]string{} // of each program
	for line := range strings.Lines(environmentPage(t)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		for _, program := range programsIn(cells[2]) {
			documented[program] = append(documented[program], name)
		}
	}
	for _, program := range Processes() {
		var read []string
		settings, _ := Show(program, getenv(nil))
		for _, s := range settings {
			name := s.Variable
			if strings.HasPrefix(name, "OTEL_") {
				name = "OTEL_*"
			}
			if !slices.Contains(read, name) {
				read = append(read, name)
			}
		}
		slices.Sort(read)
		slices.Sort(documented[program])
		if diff := cmp.Diff(read, documented[program]); diff != "" {
			t.Errorf("%s: variables read (-) and documented (+):\n%s", program, diff)
		}
	}
}

// programsIn returns the programs that a cell of the table names.
func programsIn(cell string) []string {
	programs := Processes()
	switch cell = strings.TrimSpace(cell); cell {
	case "all":
		return programs
	case "all but monitor":
		return slices.DeleteFunc(programs, func(p string) bool { return p == "monitor" })
	default:
		return strings.Split(cell, ", ")
	}
}

// TestEnvironmentPageTenants reads the page's example of a tenants' file.
func TestEnvironmentPageTenants(t *testing.T) {
	t.Parallel()
	_, example, _ := strings.Cut(environmentPage(t), "```yaml\n")
	example, _, found := strings.Cut(example, "```\n")
	if !found {
		t.Fatal("the page has no example of a tenants' file")
	}
	file, wrong, fix := parseTenants(example)
	if wrong != "" || len(file.Tenants) != 1 {
		t.Errorf("%d tenants; %s; %s", len(file.Tenants), wrong, fix)
	}
}

func environmentPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/environment.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}
