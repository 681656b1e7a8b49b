//go:build recipes

// The recipes compile a copy of the repository, so they run apart from the other tests.

package rounds_test

import (
	"bytes"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRecipes follows the recipes of CONTRIBUTING.md in a copy of the repository: it writes their
// code into the files that they name, and runs their commands. All recipes share one copy, so that
// packages that they do not change are built once.
func TestRecipes(t *testing.T) {
	t.Parallel()
	recipes := readRecipes(t)
	if len(recipes) < 3 {
		t.Fatalf("CONTRIBUTING.md has %d recipes with code", len(recipes))
	}
	root := t.TempDir()
	for _, name := range tracked(t) {
		copyFile(t, name, filepath.Join(root, name))
	}
	for _, r := range recipes {
		for _, s := range r.steps {
			if s.language != "sh" {
				s.write(t, root)
			}
		}
	}
	for _, r := range recipes {
		for _, s := range r.steps {
			if s.language == "sh" {
				run(t, root, r.name, s.text)
			}
		}
	}
}

// recipe is a section of CONTRIBUTING.md with code that belongs in files.
type recipe struct {
	name  string
	steps []step
}

// step is a fenced block: commands, or text for a file.
//
//	```sh                    the commands run in the root folder
//	```go FILE               the block is a new file
//	```go FILE before TEXT   the block precedes the one line of the file that contains TEXT
//	```go FILE after TEXT    the block follows it
//	```go FILE for TEXT      the block replaces it
type step struct {
	language, file, place, anchor, text string
}

var fence = regexp.MustCompile("^( *)```(\\S+)(?: (\\S+))?(?: (before|after|for) (.+))?$")

// readRecipes returns the sections with at least one block for a file.
func readRecipes(t *testing.T) []recipe {
	t.Helper()
	document, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	var recipes []recipe
	for _, section := range strings.Split(string(document), "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		r := recipe{name: name}
		writes := false
		for lines := strings.Split(text, "\n"); len(lines) > 0; lines = lines[1:] {
			open := fence.FindStringSubmatch(lines[0])
			if open == nil {
				continue
			}
			var block strings.Builder
			for lines = lines[1:]; len(lines) > 0 && lines[0] != open[1]+"```"; lines = lines[1:] {
				block.WriteString(strings.TrimPrefix(lines[0], open[1]) + "\n")
			}
			if len(lines) == 0 {
				t.Fatalf("%s: a block does not end", name)
			}
			r.steps = append(r.steps, step{open[2], open[3], open[4], open[5], block.String()})
			writes = writes || open[3] != ""
		}
		if writes {
			recipes = append(recipes, r)
		}
	}
	return recipes
}

// run runs commands, which must not write into the repository itself.
func run(t *testing.T, root, recipe, commands string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PWD="+root, "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %s: %v\n%s", recipe, commands, err, out)
	}
}

// write writes a new file, or adds to one. Go is formatted, so that a recipe need not align rows.
func (s step) write(t *testing.T, root string) {
	t.Helper()
	if s.file == "" {
		t.Fatalf("a block names no file:\n%s", s.text)
	}
	name := filepath.Join(root, s.file)
	text := []byte(s.text)
	old, err := os.ReadFile(name)
	if (err == nil) != (s.anchor != "") {
		t.Fatalf("%s: a new file exists, or an old one does not (%v)", s.file, err)
	}
	if s.anchor != "" {
		if bytes.Count(old, []byte(s.anchor)) != 1 {
			t.Fatalf("%s: %q is not once in the file", s.file, s.anchor)
		}
		before, _, _ := bytes.Cut(old, []byte(s.anchor))
		start := bytes.LastIndexByte(before, '\n') + 1
		end := start + bytes.IndexByte(old[start:], '\n') + 1
		switch s.place {
		case "before":
			end = start
		case "after":
			start = end
		}
		text = slices.Concat(old[:start], text, old[end:])
	}
	if s.language == "go" {
		formatted, err := format.Source(text)
		if err != nil {
			t.Fatalf("%s: %v", s.file, err)
		}
		text = formatted
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, info.Mode().Perm()|0o200); err != nil {
		t.Fatal(err)
	}
}
