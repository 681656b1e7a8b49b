package rounds_test

import (
	"go/build/constraint"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runScript runs a copy of a script in a folder with these files and a go command of the test's
// own, and returns what it prints.
func runScript(t *testing.T, name, goCommand string, files map[string]string) (string, error) {
	t.Helper()
	folder := t.TempDir()
	write := func(file, text string) {
		file = filepath.Join(folder, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(name, string(script))
	write("bin/go", "#!/bin/sh\n"+goCommand)
	for file, text := range files {
		write(file, text)
	}
	cmd := exec.CommandContext(t.Context(), "bash", filepath.Join(folder, name))
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(folder, "bin")+":"+os.Getenv("PATH"), "FOLDER="+folder)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestDeadCodeNeedsAReason(t *testing.T) {
	t.Parallel()
	const goCommand = `case "$1" in
list) echo example.test/m ;;
tool) echo example.test/m/internal/x.Unused x.go:1:1 ;;
esac
`
	for list, good := range map[string]bool{
		"internal/x.Unused | another module calls it\n": true,
		"internal/x.Unused | \n":                        false,
		"internal/x.Unused |  \n":                       false,
		"":                                              false,
	} {
		out, err := runScript(t, "scripts/deadcode", goCommand, map[string]string{"tools/deadcode.txt": list})
		if (err == nil) != good || !good && !strings.Contains(out, "give a reason") {
			t.Errorf("the list %q: %v\n%s", list, err, out)
		}
	}
}

func TestVulnerabilitiesAreRefused(t *testing.T) {
	t.Parallel()
	const goCommand = `case "$*" in
*Version*) echo v0.0.1 ;;
*Dir*) echo "$FOLDER/db" ;;
*govulncheck) echo "$FOLDER/bin/govulncheck" ;;
*GOVERSION) echo go1.99.0 ;;
esac
`
	for name, c := range map[string]struct {
		finds string // in the module itself
		good  bool
	}{
		"nothing":            {"exit 0", true},
		"a listed one":       {"echo 'Vulnerability #1: X'; exit 3", false},
		"in another wording": {"echo 'Finding 1: X'; exit 3", false},
		"a failure":          {"exit 1", false},
	} {
		out, err := runScript(t, "scripts/vuln", goCommand, map[string]string{
			"db/data/osv/1.json": "{}", "tools/tags.txt": "a,b\n",
			"bin/govulncheck": "#!/bin/sh\n[ -z \"$GOVERSION\" ] || { echo 'Vulnerability #1: X'; exit 3; }\n" + c.finds + "\n",
		})
		if (err == nil) != c.good {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// Checks that read all tests, such as those for vulnerabilities and licences, get the tags from one
// list.
func TestListOfBuildTagsIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("tools/tags.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Split(strings.TrimSpace(string(text)), ",")
	used := map[string]bool{}
	for _, name := range tracked(t) {
		if filepath.Ext(name) != ".go" {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(source)) {
			if !constraint.IsGoBuild(line) {
				continue
			}
			expr, err := constraint.Parse(strings.TrimSpace(line))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			expr.Eval(func(tag string) bool { used[tag] = true; return true })
		}
	}
	delete(used, "unix") // of the platform
	for tag := range used {
		if !slices.Contains(listed, tag) {
			t.Errorf("tools/tags.txt lacks %s", tag)
		}
	}
	for _, tag := range listed {
		if !used[tag] {
			t.Errorf("tools/tags.txt lists %s, which no file has", tag)
		}
	}
}
