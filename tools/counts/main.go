package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"
	"text/tabwriter"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "counts:", err)
		os.Exit(1)
	}
}

// run prints the table. The repository is the folder above this module.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("want one revision to compare with")
	}
	if err := os.Chdir(".."); err != nil {
		return err
	}
	revision := args[0]
	then, err := committed(ctx, revision)
	if err != nil {
		return err
	}
	now, err := present(ctx)
	if err != nil {
		return err
	}
	before, err := measure(then)
	if err != nil {
		return err
	}
	after, err := measure(now)
	if err != nil {
		return err
	}
	if before.longSubjects, before.subjects, err = subjects(ctx, revision); err != nil {
		return err
	}
	if after.longSubjects, after.subjects, err = subjects(ctx, revision+"..HEAD"); err != nil {
		return err
	}
	return table(stdout, revision, before, after)
}

func table(stdout io.Writer, revision string, before, after figures) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	row := func(name string, of func(figures) string) {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t\n", name, of(before), of(after))
	}
	number := func(name string, of func(figures) int) {
		row(name, func(f figures) string { return fmt.Sprint(of(f)) })
	}
	_, _ = fmt.Fprintf(w, "\t%s\tworking tree\t\n", revision)
	number("packages", func(f figures) int { return len(f.packages) })
	number("Go lines", func(f figures) int { return f.code.lines })
	number("Go lines in tests", func(f figures) int { return f.tests.lines })
	number("files over 300 lines", func(f figures) int { return f.code.longFiles })
	number("files over 300 lines in tests", func(f figures) int { return f.tests.longFiles })
	number("functions over 40 lines", func(f figures) int { return f.code.longFuncs })
	number("functions over 40 lines in tests", func(f figures) int { return f.tests.longFuncs })
	row("comment share of lines that are not blank", func(f figures) string { return f.code.commentShare() })
	row("comment share in tests", func(f figures) string { return f.tests.commentShare() })
	number("lines in internal/cli", func(f figures) int { return f.cli.lines })
	number("lines in internal/cli, tests", func(f figures) int { return f.cliTests.lines })
	number("README lines", func(f figures) int { return f.readme })
	row("commit subjects over 72 characters, up to there and since", func(f figures) string {
		return fmt.Sprintf("%d of %d", f.longSubjects, f.subjects)
	})
	return w.Flush()
}

// tree is the files that are counted: by name, their content.
type tree map[string][]byte

// counted reports whether a file has a figure: Go that people write, and the README.
func counted(name string) bool {
	return path.Ext(name) == ".go" && !strings.Contains(name, "testdata/") || name == "README.md"
}

// committed reads the files of a commit.
func committed(ctx context.Context, revision string) (tree, error) {
	archive, err := git(ctx, "archive", "--format=tar", revision)
	if err != nil {
		return nil, err
	}
	files := tree{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if !counted(header.Name) {
			continue
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
}

// present reads the files of the working tree that git tracks or would add.
func present(ctx context.Context) (tree, error) {
	names, err := git(ctx, "ls-files", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	files := tree{}
	for name := range strings.Lines(string(names)) {
		name = strings.TrimSpace(name)
		if !counted(name) {
			continue
		}
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, but still in the index
		}
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	return files, nil
}

// subjects counts the commits of a range, and those whose subjects are too long.
func subjects(ctx context.Context, commits string) (long, all int, err error) {
	out, err := git(ctx, "log", "--no-merges", "--format=%s", commits)
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(out)) {
		all++
		if len([]rune(strings.TrimSpace(line))) > 72 {
			long++
		}
	}
	return long, all, nil
}

func git(ctx context.Context, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, failed.Stderr)
	}
	return out, err
}
