package rounds_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
)

// installer is the one script that installs npm packages.
const installer = "scripts/npm-ci"

// npmCall matches a call of a package manager that installs something, with flags before the
// command or without.
var npmCall = regexp.MustCompile(`\bnpm(?:\s+--?\S+(?:\s+[^-\s]\S*)?)*\s+(?:install|install-\w+|i|add|ci|cit|it|exec|x|update|up|rebuild|link|init|create)\b|\b(?:npx|pnpm|yarn|corepack)\s+[\w@-]`)

// TestNPMInstallsLockedPackagesWithoutScripts refuses every way to install npm packages but one: a
// published package may run any code when it is installed, and may have a new version each time.
func TestNPMInstallsLockedPackagesWithoutScripts(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"npm install", "npm i", "npm ci", "npm exec x", "npx x", "npm --prefix=a ci", "npm --silent --prefix a ci", "yarn add x"} {
		if !npmCall.MatchString(call) {
			t.Errorf("%q is not found", call)
		}
	}
	for _, name := range tracked(t) {
		if name == installer || strings.HasSuffix(name, "_test.go") || path.Base(name) == "package-lock.json" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range npmCall.FindAllString(string(text), -1) {
			t.Errorf("%s calls %q: install with %s", name, call, installer)
		}
	}
	text, err := os.ReadFile(installer)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^exec npm ci .*--ignore-scripts`).Match(text) {
		t.Errorf("%s does not install from the lock file without scripts", installer)
	}
}

// TestNPMLocksHoldDigests checks that each locked package comes from the registry, has the digest
// that its file must have, and is in the list of licences.
func TestNPMLocksHoldDigests(t *testing.T) {
	t.Parallel()
	locks := 0
	licences, err := os.ReadFile("docs/licences.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tracked(t) {
		if path.Base(name) != "package-lock.json" {
			continue
		}
		locks++
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var lock struct {
			Packages map[string]struct{ Resolved, Integrity string } // without Resolved: the registry
		}
		if err := json.Unmarshal(text, &lock); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for pkg, p := range lock.Packages {
			if i := strings.LastIndex(pkg, "node_modules/"); i >= 0 && !strings.Contains(string(licences), " | npm:"+pkg[i+len("node_modules/"):]+"\n") {
				t.Errorf("%s: docs/licences.txt lacks %s", name, pkg)
			}
			if pkg != "" && (p.Resolved != "" && !strings.HasPrefix(p.Resolved, "https://registry.npmjs.org/") || !strings.HasPrefix(p.Integrity, "sha512-")) {
				t.Errorf("%s: %s comes from %q with the digest %q", name, pkg, p.Resolved, p.Integrity)
			}
		}
	}
	if locks == 0 {
		t.Error("no lock file")
	}
}

// tracked lists the files that git tracks and that are there.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "ls-files").Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	return names
}
