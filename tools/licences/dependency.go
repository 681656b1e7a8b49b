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
	for _, l := range []struct {
		folder, usedBy string
		args           []string
	}{
		{".", "programs", []string{"./cmd/...", "./tasks", "./integrations/tebra"}},
		{".", "tests", []string{"-test", "-tags", "soak,browser,clients,deploy", "./..."}},
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

// npmPackages adds the packages that the lock files install.
func npmPackages(found map[string]dependency) error {
	for _, l := range []struct{ file, usedBy string }{
		{"clients/typescript/package-lock.json", "clients"},
		{"tools/browser/package-lock.json", "tests"},
	} {
		text, err := os.ReadFile(l.file)
		if err != nil {
			return err
		}
		var lock struct {
			Packages map[string]struct{ License string }
		}
		if err := json.Unmarshal(text, &lock); err != nil {
			return fmt.Errorf("%s: %w", l.file, err)
		}
		for path, p := range lock.Packages {
			i := strings.LastIndex(path, "node_modules/")
			if i < 0 {
				continue // the package itself
			}
			var licences []string
			if p.License != "" {
				licences = []string{p.License}
			}
			name := "npm:" + path[i+len("node_modules/"):]
			found[name] = dependency{name, licences, l.usedBy, l.file}
		}
	}
	return nil
}
