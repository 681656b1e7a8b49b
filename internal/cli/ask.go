package cli

import (
	"bufio"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
)

// isTerminal reports whether the stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// confirm asks before a change that affects others. yes is the --yes flag.
func (e *env) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if e.json || !e.interactive {
		f := usage("--yes is missing, and there is no terminal to ask for confirmation")
		f.Found, f.Means, f.Try = []string{question}, "nothing was changed", []string{"repeat the command with --yes"}
		return f
	}
	if _, err := io.WriteString(e.stderr, question+" [y/N] "); err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(e.stdin, 100)).ReadString('\n')
	if err != nil && line == "" {
		e.printf("")
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return &failure{Exit: exitFailed, Code: "DECLINED", What: "not confirmed", Means: "nothing was changed"}
}
