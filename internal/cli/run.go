package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/telemetry/logging"
)

// Run executes one command line, given without the program's name, and returns the exit code. It
// stops when ctx ends. It reads the environment through getenv only, and writes only to stdout,
// stderr and the files named by the arguments.
func Run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr, interactive: isTerminal(stdin)}
	root := newRoot(e)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if e.cancel != nil {
		defer e.cancel()
	}
	if err == nil {
		return exitOK
	}
	// Parsing may have failed before it reached --json.
	e.json = e.json || slices.Contains(args, "--json")
	return e.fail(explain(ctx, cmd.Context(), err))
}

// env holds what all commands share: input and output, and the flags that every command has.
type env struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	interactive    bool // stdin is a terminal

	json    bool
	timeout time.Duration
	cancel  context.CancelFunc
}

const defaultTimeout = 30 * time.Second

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "rounds",
		Short: "Keep a practice's Tebra data fresh in Redis",
		Long: `Keep a practice's Tebra data fresh in Redis, and see how fresh it is.

Settings come from the environment (ROUNDS_QUEUE_REDIS, ROUNDS_LEDGER, …); "rounds doctor" reports missing ones.`,
		Example: `  rounds sim --write-config ./local
  . ./local/rounds.env
  rounds doctor
  rounds board show --tenant clinic-a`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: e.begin,
	}
	root.PersistentFlags().BoolVar(&e.json, "json", false, "print one JSON document to stdout, for errors too")
	root.PersistentFlags().DurationVar(&e.timeout, "timeout", defaultTimeout, "stop after this time; 0, the default of commands that run long, means no limit")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return misused(cmd, err.Error()) })
	root.CompletionOptions.DisableDefaultCmd = true // the project's own command supports --json
	e.runnable(root)
	root.AddCommand(
		newAlert(e), newAPIKey(e), newBoard(e), newBreaker(e), newBudget(e), newCompletion(e), newConfig(e), newDead(e), newDemo(e), newDoctor(e), newEnqueue(e), newExitCodes(),
		newHealth(e), newKeys(e), newLogin(e), newQueue(e), newRedis(e), newSim(e), newStatus(e), newTask(e), newTenant(e), newVersion(e),
	)
	return root
}

// untimed marks commands that have no default time limit.
const untimed = "untimed"

// begin applies --timeout to a command.
func (e *env) begin(cmd *cobra.Command, _ []string) error {
	if e.timeout < 0 {
		return usage("--timeout is negative")
	}
	if e.timeout == 0 || cmd.Annotations[untimed] != "" && !cmd.Flags().Changed("timeout") {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), e.timeout)
	e.cancel = cancel
	cmd.SetContext(ctx)
	return nil
}

// group returns a command that only has subcommands.
func (e *env) group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	cmd.AddCommand(children...)
	e.runnable(cmd)
	return cmd
}

// runnable makes a wrong or missing subcommand of cmd a usage error. By default, cobra prints help
// and succeeds.
func (e *env) runnable(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			if !e.json {
				e.printf("%s", cmd.UsageString())
			}
			return misused(cmd, "missing command")
		}
		f := misused(cmd, fmt.Sprintf("unknown command %q", cmd.CommandPath()+" "+args[0]))
		cmd.SuggestionsMinimumDistance = 2
		for _, s := range cmd.SuggestionsFor(args[0]) {
			f.Try = append([]string{cmd.CommandPath() + " " + s}, f.Try...)
		}
		return f
	}
}

// misused is a usage failure that refers to the command's help.
func misused(cmd *cobra.Command, what string) *failure {
	f := usage("%s", what)
	f.Try = []string{cmd.CommandPath() + " --help"}
	return f
}

// answer prints a command's result: doc with --json, the output of text otherwise. Control
// characters are escaped in both.
func (e *env) answer(doc any, text func(w io.Writer)) error {
	var b bytes.Buffer
	if e.json {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(doc); err != nil {
			return fmt.Errorf("encode the result: %w", err)
		}
	} else {
		text(&b)
	}
	safe := printableLines
	if e.json {
		safe = printableJSON
	}
	if _, err := io.WriteString(e.stdout, safe(b.String())); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// printf prints a message to stderr.
func (e *env) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(e.stderr, format+"\n", args...)
}

// fail prints a failure, unless the command has already reported it, and returns the exit code.
func (e *env) fail(f *failure) int {
	if errors.Is(f, errReported) {
		return f.Exit
	}
	var err error
	if e.json {
		err = e.answer(map[string]*failure{"error": f}, nil)
	} else {
		err = f.write(e.stderr)
	}
	if err != nil && f.Exit == exitOK {
		return exitFailed
	}
	return f.Exit
}

// errReported is the cause of a failure whose report is the command's result.
var errReported = errors.New("reported")

// actionLog logs the changes that a command has made, to stderr.
func (e *env) actionLog() *slog.Logger { return e.logger(slog.LevelInfo) }

// log passes the errors of other packages to stderr. Warnings about servers are left to doctor.
func (e *env) log() *slog.Logger { return e.logger(slog.LevelError) }

func (e *env) logger(level slog.Level) *slog.Logger {
	return logging.New(e.stderr, logging.Options{
		Level: level, NoColor: strings.TrimSpace(e.getenv("NO_COLOR")) != "",
	})
}
