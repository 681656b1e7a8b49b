package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/access"
)

func newLogin(e *env) *cobra.Command {
	var role string
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Create a login for the operators' pages",
		Long: `Create a login for the operators' pages. The command prints the line for the file that
ROUNDS_MONITOR_PASSWORD_FILE names, which contains the hash of the password. The password is random and printed once,
to stderr, or read from stdin with --password-stdin.

A viewer can look; an operator can also pause, run, archive and delete. NAME appears in the log with the person's
actions. The monitor reads the file when it starts; sessions end if the line of their login has changed.`,
		Example: "  rounds login new ann --role operator >> ./local/logins\n  export ROUNDS_MONITOR_PASSWORD_FILE=./local/logins",
		Args:    names("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			password := rand.Text()
			if fromStdin {
				var err error
				if password, err = readPassword(e.stdin); err != nil {
					return err
				}
			}
			l, err := access.NewLogin(args[0], access.Role(role), password)
			if err != nil {
				return usage("%s", err)
			}
			if !fromStdin {
				e.printf("The password of %s is %s. It is not stored anywhere else.", l.Name, password)
			}
			doc := struct {
				Line string `json:"line"`
			}{l.Line()}
			return e.answer(doc, func(w io.Writer) { _, _ = fmt.Fprintln(w, doc.Line) })
		},
	}
	cmd.Flags().StringVar(&role, "role", string(access.Viewer), "viewer or operator")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from the first line of stdin")
	return e.group("login", "Manage logins of the operators' pages", cmd)
}

// maxPasswordInput is far longer than the longest password.
const maxPasswordInput = 1 << 10

func readPassword(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPasswordInput))
	if err != nil {
		return "", errors.New("cannot read the password from stdin")
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
