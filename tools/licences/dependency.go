package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// dependency is one third-party module or package.
type dependency struct {
	name     string
	licences []string // SPDX identifiers; none: unknown
	usedBy   string   // programs, tests or clients
	source   string   // the folder or file that names the licence
}

func (d dependency) String() string {
	return strings.Join(d.licences, ", ") + " | " + d.usedBy + " | " + d.name
}

// ourModule is the prefix of our own modules.
const ourModule = "github.com/workflow-bolt/rounds"

// goModules adds the Go modules that programs and public packages link, then those that only tests
// link.
func goModules(ctx context.Context, rules []rule, found map[string]dependency) error {
	tags, err := os.ReadFile(tagsFile)
	if err != nil {
		return err
	}
	for _, l := range []struct {
		folder, usedBy string
		args           []string
	}{
		{".", "programs", []string{"./cmd/...", "./tasks", "./integrations/tebra"}},
		{".", "tests", []string{"-test", "-tags", strings.TrimSpace(string(tags)), "./..."}},
		{"deploy/test", "tests", []string{"-test", "./..."}},
		{"bench", "tests", []string{"-test", "./..."}},
	} {
		cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-C", l.folder, "-deps", "-json=Module"}, l.args...)...)
		out, err := cmd.Output()
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			return fmt.Errorf("go list in %s: %w: %s", l.folder, err, failed.Stderr)
		} else if err != nil {
			return err
		}
		if err := linked(out, l.usedBy, rules, found); err != nil {
			return fmt.Errorf("go list in %s: %w", l.folder, err)
		}
	}
	return nil
}

// linked adds the modules of go list's documents that are not found yet.
func linked(documents []byte, usedBy string, rules []rule, found map[string]dependency) error {
	for dec := json.NewDecoder(bytes.NewReader(documents)); ; {
		var pkg struct {
			Module *struct{ Path, Dir string }
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		m := pkg.Module
		if m == nil || m.Path == ourModule || strings.HasPrefix(m.Path, ourModule+"/") {
			continue
		}
		if _, ok := found[m.Path]; ok {
			continue
		}
		licences, err := licencesIn(m.Dir, func(file string) bool {
			return slices.ContainsFunc(rules, func(r rule) bool { return r.licence == "not "+file && r.who == m.Path })
		})
		if err != nil {
			return err
		}
		found[m.Path] = dependency{m.Path, licences, usedBy, m.Dir}
	}
}

// licencesIn identifies the licences in a module's root folder. They are unknown when most of one
// of its files matches no known licence.
func licencesIn(folder string, skip func(file string) bool) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) || skip(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		cover := licensecheck.Scan(text)
		if cover.Percent < 75 {
			return nil, nil
		}
		for _, m := range cover.Match {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying)`)

// npmPackages adds the packages that the lock files install: those of clients, and those that tests
// run with.
func npmPackages(ctx context.Context, rules []rule, found map[string]dependency) error {
	out, err := exec.CommandContext(ctx, "git", "ls-files", "*package-lock.json").Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for file := range strings.Lines(string(out)) {
		file = strings.TrimSpace(file)
		usedBy := "tests"
		if strings.HasPrefix(file, "clients/") {
			usedBy = "clients"
		}
		if err := locked(file, usedBy, rules, found); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// locked adds the packages of one lock file.
func locked(file, usedBy string, rules []rule, found map[string]dependency) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var lock struct {
		Packages map[string]struct{ License string }
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return err
	}
	for path, p := range lock.Packages {
		i := strings.LastIndex(path, "node_modules/")
		if i < 0 {
			continue // the package itself
		}
		name := "npm:" + path[i+len("node_modules/"):]
		var licences []string
		if p.License != "" {
			licences = []string{p.License}
		} else if i := slices.IndexFunc(rules, func(r rule) bool { return r.states() && r.who == name }); i >= 0 {
			licences = []string{strings.TrimPrefix(rules[i].licence, stated)}
		}
		found[name] = dependency{name, licences, usedBy, file}
	}
	return nil
}
