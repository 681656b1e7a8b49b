package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestHelpGolden compares every command's help with the golden file.
func TestHelpGolden(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		args := slices.Concat(strings.Fields(cmd.CommandPath())[1:], []string{"--help"})
		o := rounds(t, nil, args...)
		if o.code != exitOK || o.stderr != "" {
			t.Errorf("%v: exit %d, stderr %q", args, o.code, o.stderr)
		}
		fmt.Fprintf(&got, "==== %s\n%s\n", cmd.CommandPath(), o.stdout)
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(newRoot(&env{}))

	golden := filepath.Join("testdata", "help.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("help changed; make golden accepts it (-want +got):\n%s", diff)
	}
}

// TestEveryCommandPrintsJSON runs every command without an environment. An unknown flag is a usage
// error, and --json prints exactly one document in every case.
func TestEveryCommandPrintsJSON(t *testing.T) {
	t.Parallel()
	commands := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := strings.Fields(cmd.CommandPath())[1:]
		bad := slices.Concat(path, []string{"--no-such-flag"})
		if o := rounds(t, nil, bad...); o.code != exitUsage || o.stdout != "" || !strings.Contains(o.stderr, "(USAGE)") || !strings.Contains(o.stderr, "--help") {
			t.Errorf("%v: %+v", bad, o)
		}
		o := rounds(t, nil, append(bad, "--json")...)
		if f := failed(t, o.stdout); o.code != exitUsage || f.Exit != exitUsage || f.Code != "USAGE" || o.stderr != "" {
			t.Errorf("%v --json: %+v", bad, o)
		}
		endless := cmd.Name() == "demo" || cmd.Name() == "sim" // these run until they are interrupted
		if cmd.Runnable() && !endless {
			o := rounds(t, nil, append(slices.Clone(path), "--json")...)
			if d := document[map[string]any](t, o.stdout); len(d) == 0 || (d["error"] != nil) == (o.code == exitOK) && o.code != exitCheck {
				t.Errorf("%v --json: %+v", path, o)
			}
		}
		commands++
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(newRoot(&env{}))
	t.Logf("%d commands", commands)
}

// TestDocumentedCommands parses every command of the README and docs/ with the command tree.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile("(?m)(?:go run \\./cmd/rounds|^    rounds|`rounds|\\(rounds) ([^`\n#>|)]*)")
	seen := 0
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			seen++
			if err := parseCommand(strings.Fields(m[1])); err != nil {
				t.Errorf("%s: rounds %s: %v", filepath.Base(page), m[1], err)
			}
		}
	}
	if seen < 25 {
		t.Errorf("found only %d commands", seen)
	}
}

// parseCommand parses a command line without running it. Prose may name a command without its
// arguments.
func parseCommand(words []string) error {
	cmd, rest, err := newRoot(&env{}).Find(words)
	if err != nil {
		return err
	}
	err = cmd.ParseFlags(rest)
	switch {
	case err != nil && err.Error() == "pflag: help requested":
		return nil
	case err != nil:
		return err
	case cmd.HasSubCommands() && cmd.Flags().NArg() > 0:
		return errors.New("no such command")
	case cmd.Args == nil || !cmd.Runnable() || cmd.HasSubCommands():
		return nil
	}
	if err := cmd.Args(cmd, cmd.Flags().Args()); err != nil && !strings.Contains(err.Error(), "is missing") {
		return err
	}
	return nil
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	keyset := filepath.Join(t.TempDir(), "keys")
	if o := rounds(t, nil, "keys", "new", keyset); o.code != exitOK {
		t.Fatal(o.stderr)
	}
	for name, c := range map[string]struct {
		args []string
		want int
		code string // in the error document
	}{
		"nothing":                   {nil, exitUsage, "USAGE"},
		"group without a command":   {[]string{"board"}, exitUsage, "USAGE"},
		"unknown command":           {[]string{"bord"}, exitUsage, "USAGE"},
		"unknown subcommand":        {[]string{"keys", "old"}, exitUsage, "USAGE"},
		"unknown subcommand of sim": {[]string{"sim", "operation"}, exitUsage, "USAGE"},
		"unknown flag":              {[]string{"version", "--verbose"}, exitUsage, "USAGE"},
		"bad flag value":            {[]string{"version", "--timeout", "soon"}, exitUsage, "USAGE"},
		"negative timeout":          {[]string{"version", "--timeout", "-1s"}, exitUsage, "USAGE"},
		"missing argument":          {[]string{"keys", "new"}, exitUsage, "USAGE"},
		"too many arguments":        {[]string{"version", "please"}, exitUsage, "USAGE"},
		"bad tenant":                {[]string{"board", "show", "--tenant", "Clinic A"}, exitUsage, "USAGE"},
		"bad date":                  {[]string{"board", "show", "--tenant", "clinic-a", "--date", "2026-02-30"}, exitUsage, "USAGE"},
		"bad latency":               {[]string{"sim", "--latency", "slow"}, exitUsage, "USAGE"},
		"no visits":                 {[]string{"sim", "--visits", "0"}, exitUsage, "USAGE"},
		"no environment":            {[]string{"board", "show", "--tenant", "clinic-a"}, exitUsage, "CONFIG"},
		"keyset exists":             {[]string{"keys", "new", keyset}, exitConflict, "FILE_EXISTS"},
		"no such folder":            {[]string{"keys", "new", filepath.Join(keyset, "below")}, exitFailed, "FAILED"},
		"bad address":               {[]string{"sim", "--addr", "127.0.0.1:nowhere"}, exitConflict, "ADDRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := rounds(t, nil, c.args...)
			if text.code != c.want || !strings.Contains(text.stderr, "("+c.code+")") || text.stdout != "" {
				t.Errorf("text: exit %d, want %d; stdout %q, stderr %q", text.code, c.want, text.stdout, text.stderr)
			}
			asJSON := rounds(t, nil, append(c.args, "--json")...)
			f := failed(t, asJSON.stdout)
			if asJSON.code != c.want || f.Exit != c.want || f.Code != c.code || f.What == "" {
				t.Errorf("json: exit %d, document %+v, want %d %s", asJSON.code, f, c.want, c.code)
			}
			if asJSON.stderr != "" {
				t.Errorf("json: stderr %q, want nothing beside the document", asJSON.stderr)
			}
		})
	}
}

func TestExplainSelectsExitCode(t *testing.T) {
	t.Parallel()
	late, cancelLate := context.WithTimeout(t.Context(), 0)
	defer cancelLate()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		outer, ctx context.Context
		err        error
		want       int
	}{
		"plain":           {t.Context(), t.Context(), errors.New("no"), exitFailed},
		"redis":           {t.Context(), t.Context(), fmt.Errorf("x: %w", redisconn.ErrUnavailable), exitDependency},
		"dependency":      {t.Context(), t.Context(), fmt.Errorf("x: %w: %w", lifecycle.ErrDependency, context.DeadlineExceeded), exitDependency},
		"ledger row":      {t.Context(), t.Context(), fmt.Errorf("x: %w", ledger.ErrNotFound), exitNotFound},
		"ledger state":    {t.Context(), t.Context(), fmt.Errorf("x: %w", ledger.ErrConflict), exitConflict},
		"file permission": {t.Context(), t.Context(), fmt.Errorf("x: %w", fs.ErrPermission), exitNotAllowed},
		"slow step":       {t.Context(), t.Context(), context.DeadlineExceeded, exitTimeout},
		"--timeout":       {t.Context(), late, fmt.Errorf("x: %w", lifecycle.ErrDependency), exitTimeout},
		"interrupt":       {interrupted, interrupted, fmt.Errorf("x: %w", lifecycle.ErrDependency), exitInterrupted},
		"failure":         {t.Context(), late, fmt.Errorf("x: %w", &failure{Exit: exitPartly}), exitPartly},
	} {
		if got := explain(c.outer, c.ctx, c.err); got.Exit != c.want {
			t.Errorf("%s: exit %d, want %d (%v)", name, got.Exit, c.want, got)
		}
	}
}

func TestEveryExitCodeIsExplained(t *testing.T) {
	t.Parallel()
	o := rounds(t, nil, "help", "exit-codes")
	for _, code := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130} {
		if !strings.Contains(o.stdout, fmt.Sprintf("\n  %3d  ", code)) {
			t.Errorf("exit code %d is not explained in:\n%s", code, o.stdout)
		}
	}
}

func TestUnknownCommandGetsSuggestion(t *testing.T) {
	t.Parallel()
	if o := rounds(t, nil, "board", "shwo"); !strings.Contains(o.stderr, "try    rounds board show\n") {
		t.Errorf("stderr %q, want a suggestion", o.stderr)
	}
}

func TestAllConfigurationProblemsAreReported(t *testing.T) {
	t.Parallel()
	o := rounds(t, nil, "board", "show", "--tenant", "clinic-a")
	for _, name := range []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_CACHE_REDIS", "ROUNDS_LEDGER", "ROUNDS_KEYS"} {
		if !strings.Contains(o.stderr, name) {
			t.Errorf("%s is missing from:\n%s", name, o.stderr)
		}
	}
}

func TestFailureText(t *testing.T) {
	t.Parallel()
	f := &failure{Code: "CODE", What: "it failed", Found: []string{"a", "b"}, Means: "no more of it", Try: []string{"this", "that"}}
	want := `Error: it failed (CODE)
  found  a
         b
  means  no more of it
  try    this
         that
`
	var b bytes.Buffer
	if err := f.write(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// brokenPipe is a stdout whose reader has gone.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestUnwritableResultIsFailure(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	code := Run(t.Context(), []string{"version"}, getenv(nil), strings.NewReader(""), brokenPipe{}, &stderr)
	if code != exitFailed || !strings.Contains(stderr.String(), "write the result") {
		t.Errorf("exit %d, stderr %q", code, stderr.String())
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if o := rounds(t, nil, "version"); o.code != exitOK || !strings.HasPrefix(o.stdout, "rounds ") || o.stderr != "" {
		t.Errorf("text: %+v", o)
	}
	if b := document[lifecycle.Build](t, rounds(t, nil, "version", "--json").stdout); b.Version == "" || !strings.HasPrefix(b.Go, "go1.") {
		t.Errorf("json: %+v", b)
	}
}

func TestCompletionNamesCommands(t *testing.T) {
	t.Parallel()
	if o := rounds(t, nil, "__complete", "bo"); !strings.Contains(o.stdout, "board") {
		t.Errorf("completing bo gives %q", o.stdout)
	}
}
