package cli

import (
	"bufio"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
)

// isTerminal tells whether somebody sits at the other end.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// agree asks before something is changed that others rely on. yes is the --yes flag, for those who cannot be asked.
func (e *env) agree(yes bool, question string) error {
	if yes {
		return nil
	}
	if e.json || !e.interactive {
		f := usage("--yes is missing: nobody can be asked here")
		f.Found, f.Means, f.Try = []string{question}, "nothing was changed", []string{"the same command with --yes"}
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
	return &failure{Exit: exitFailed, Code: "DECLINED", What: "not done, as answered", Means: "nothing was changed"}
}
