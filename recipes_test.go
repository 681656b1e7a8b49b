//go:build !race

// The recipes run the Go command and nothing in this process.

package rounds_test

import (
	"bytes"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRecipes follows the recipes of CONTRIBUTING.md in a copy of the repository: it writes their
// code into the files that they name, and runs their commands.
func TestRecipes(t *testing.T) {
	t.Parallel()
	recipes := readRecipes(t)
	if len(recipes) < 1 {
		t.Fatalf("CONTRIBUTING.md has %d recipes", len(recipes))
	}
	files := tracked(t)
	for _, r := range recipes {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for _, name := range files {
				copyFile(t, name, filepath.Join(root, name))
			}
			for _, s := range r.steps {
				s.follow(t, root)
			}
		})
	}
}

// recipe is a section of CONTRIBUTING.md with code that belongs into files.
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
type step struct {
	language, file, place, anchor, text string
}

var fence = regexp.MustCompile("^( *)```(\\S+)(?: (\\S+))?(?: (before|after) (.+))?$")

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

func (s step) follow(t *testing.T, root string) {
	t.Helper()
	switch {
	case s.language == "sh":
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", s.text)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "PWD="+root, "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", s.text, err, out)
		}
	case s.file == "":
		t.Fatalf("a block of %s names no file:\n%s", s.language, s.text)
	default:
		s.write(t, filepath.Join(root, s.file))
	}
}

// write writes a new file, or adds to one. Go is formatted, so that a recipe need not align rows.
func (s step) write(t *testing.T, name string) {
	t.Helper()
	text := []byte(s.text)
	old, err := os.ReadFile(name)
	if (err == nil) != (s.anchor != "") {
		t.Fatalf("%s: a new file exists, or an old one does not (%v)", s.file, err)
	}
	if s.anchor != "" {
		if bytes.Count(old, []byte(s.anchor)) != 1 {
			t.Fatalf("%s: %q is not once in the file", s.file, s.anchor)
		}
		at := bytes.Index(old, []byte(s.anchor))
		if s.place == "after" {
			at += bytes.IndexByte(old[at:], '\n') + 1
		} else {
			at = bytes.LastIndexByte(old[:at], '\n') + 1
		}
		text = append(append(bytes.Clone(old[:at]), text...), old[at:]...)
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
