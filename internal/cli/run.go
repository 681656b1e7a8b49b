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

// Run carries out one command line, without the program's name in front, and returns the exit code. It ends when ctx
// does. It reads no environment but getenv and writes nowhere but to stdout, stderr and the files it is told to.
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
	// A command line that does not parse may have stopped before --json was seen.
	e.json = e.json || slices.Contains(args, "--json")
	return e.fail(explain(ctx, cmd.Context(), err))
}

// env is what all commands share: where to read and write, and the flags that every command has.
type env struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	interactive    bool // somebody can be asked

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

Settings come from the environment (ROUNDS_QUEUE_REDIS, ROUNDS_LEDGER, …); "rounds doctor" says what is missing.`,
		Example: `  rounds sim --write-config ./local
  . ./local/rounds.env
  rounds doctor
  rounds board show --tenant clinic-a`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: e.begin,
	}
	root.PersistentFlags().BoolVar(&e.json, "json", false, "print one JSON document on stdout, errors included")
	root.PersistentFlags().DurationVar(&e.timeout, "timeout", defaultTimeout, "give up after this long; 0 never does")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return misused(cmd, err.Error()) })
	root.CompletionOptions.DisableDefaultCmd = true // ours has --json, too
	e.runnable(root)
	root.AddCommand(
		newAPIKey(e), newBoard(e), newCompletion(e), newConfig(e), newDead(e), newDemo(e), newDoctor(e), newEnqueue(e), newExitCodes(),
		newHealth(e), newKeys(e), newLogin(e), newQueue(e), newRedis(e), newSim(e), newTask(e), newTenant(e), newVersion(e),
	)
	return root
}

// untimed marks commands that run until they are told to stop.
const untimed = "untimed"

// begin bounds a command by --timeout.
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

// group returns a command that only holds others.
func (e *env) group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short}
	cmd.AddCommand(children...)
	e.runnable(cmd)
	return cmd
}

// runnable makes a command that only holds others answer a wrong or missing name below it as wrong usage. cobra itself
// would print help and call it a success.
func (e *env) runnable(cmd *cobra.Command) {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			if !e.json {
				e.printf("%s", cmd.UsageString())
			}
			return misused(cmd, "a command is missing")
		}
		f := misused(cmd, fmt.Sprintf("there is no command %q", cmd.CommandPath()+" "+args[0]))
		cmd.SuggestionsMinimumDistance = 2
		for _, s := range cmd.SuggestionsFor(args[0]) {
			f.Try = append([]string{cmd.CommandPath() + " " + s}, f.Try...)
		}
		return f
	}
}

// misused is a usage failure that points at the command's help.
func misused(cmd *cobra.Command, what string) *failure {
	f := usage("%s", what)
	f.Try = []string{cmd.CommandPath() + " --help"}
	return f
}

// answer prints a command's result: doc with --json, otherwise what text writes.
func (e *env) answer(doc any, text func(w io.Writer)) error {
	var b bytes.Buffer
	if e.json {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(doc); err != nil {
			return fmt.Errorf("encode the answer: %w", err)
		}
	} else {
		text(&b)
	}
	if _, err := e.stdout.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// printf tells people something that is not the answer.
func (e *env) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(e.stderr, format+"\n", args...)
}

// fail prints a failure and returns its exit code. A failure that was reported already prints nothing.
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

// errReported is the cause of failures whose report is the command's answer.
var errReported = errors.New("reported")

// acts is for what a command changed that others rely on: noted on stderr.
func (e *env) acts() *slog.Logger { return e.logger(slog.LevelInfo) }

// log is for the packages below: errors, on stderr. That a server is not fit for production is for doctor to say, not for
// every command.
func (e *env) log() *slog.Logger { return e.logger(slog.LevelError) }

func (e *env) logger(level slog.Level) *slog.Logger {
	return logging.New(e.stderr, logging.Options{
		Level: level, NoColor: strings.TrimSpace(e.getenv("NO_COLOR")) != "",
	})
}
