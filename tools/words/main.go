package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(1)
	}
}

// run checks the files under paths, or proves the rules and checks all files. The repository is the
// folder above this module.
func run(ctx context.Context, paths []string, stdout io.Writer) error {
	vale, err := output(ctx, "go", "tool", "-n", "vale")
	if err != nil {
		return err
	}
	rules, allowed, err := readNames("words/names.txt")
	if err != nil {
		return err
	}
	if err := os.Chdir(".."); err != nil {
		return err
	}
	check := checker{vale: strings.TrimSpace(vale), rules: rules, allowed: allowed}
	if len(paths) == 0 {
		refused, fine, err := check.prove(ctx, "tools/words/plants.txt")
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(stdout, "words: %d planted words refused, each with the better one; %d fine ones pass\n", refused, fine)
	}
	files, err := list(ctx, paths)
	if err != nil {
		return err
	}
	faults, err := check.files(ctx, files)
	if err != nil {
		return err
	}
	for _, f := range faults {
		_, _ = fmt.Fprintln(stdout, f)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d retired words in %d files; the rules are in tools/words", len(faults), len(files))
	}
	_, err = fmt.Fprintf(stdout, "words: %d files, no retired word\n", len(files))
	return err
}

// list returns the files that git tracks or would add, without those whose words are data.
func list(ctx context.Context, paths []string) ([]string, error) {
	out, err := output(ctx, "git", append([]string{"ls-files", "--cached", "--others", "--exclude-standard", "--"}, paths...)...)
	if err != nil {
		return nil, err
	}
	var files []string
	for name := range strings.Lines(out) {
		name = strings.TrimSpace(name)
		if name != "" && !isData(name) {
			files = append(files, name)
		}
	}
	return files, nil
}

// isData reports whether a file holds rules, recorded answers, generated documents or lists.
func isData(name string) bool {
	if strings.HasPrefix(name, "tools/words/") && !strings.HasSuffix(name, ".go") {
		return true
	}
	if slices.Contains(strings.Split(name, "/"), "testdata") {
		return true
	}
	if _, err := os.Stat(name); err != nil {
		return true // deleted, but not yet in the index
	}
	return slices.Contains([]string{".json", ".mod", ".sum", ".sql", ".png", ".svg", ".xml"}, path.Ext(name))
}

// checker is Vale's program and the rules on names.
type checker struct {
	vale    string
	rules   []nameRule
	allowed []nameRule // parts of names that no rule sees
}

// files returns what is wrong in the files, a line per fault, in their order.
func (c checker) files(ctx context.Context, files []string) ([]fault, error) {
	faults, err := c.prose(ctx, ".", files)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		found, err := c.names(name)
		if err != nil {
			return nil, err
		}
		faults = append(faults, found...)
	}
	slices.SortFunc(faults, compareFaults)
	return faults, nil
}

// prose runs Vale over files of folder.
func (c checker) prose(ctx context.Context, folder string, files []string) ([]fault, error) {
	config, err := filepath.Abs(".vale.ini")
	if err != nil || len(files) == 0 {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, c.vale, append([]string{"--no-global", "--config", config, "--output", "JSON"}, files...)...)
	cmd.Dir = folder
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	// Vale exits with 1 when it found something: its document lists it.
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != 1 {
		return nil, fmt.Errorf("vale: %w: %s%s", err, out.String(), problem.String())
	}
	var found map[string][]struct {
		Line           int
		Check, Message string
		Span           []int
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		return nil, fmt.Errorf("vale: %w: %s%s", err, out.String(), problem.String())
	}
	var faults []fault
	for name, alerts := range found {
		for _, a := range alerts {
			faults = append(faults, fault{filepath.ToSlash(name), a.Line, a.Span[0], a.Message + " (" + a.Check + ")"})
		}
	}
	return faults, nil
}

// output returns what a program prints.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, failed.Stderr)
	}
	return string(out), err
}

// lines returns the lines of a list, without comments and empty ones.
func lines(name string) ([]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var out []string
	for scan := bufio.NewScanner(bytes.NewReader(text)); scan.Scan(); {
		line := strings.TrimSpace(scan.Text())
		if line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out, nil
}
