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
		Short: "Make a line for the operators' password file",
		Long: `Make a login for the operators' pages: the line for the file that ROUNDS_MONITOR_PASSWORD_FILE names, with the
password's hash in it. The password is made up and told once, or read from stdin with --password-stdin.

A viewer may look; an operator may also pause, run, archive and delete. NAME stands in the log beside what the person
does. The monitor reads the file when it starts; sessions of a login whose line has changed end then.`,
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
				e.printf("The password of %s is %s. Nothing else keeps it.", l.Name, password)
			}
			doc := struct {
				Line string `json:"line"`
			}{l.Line()}
			return e.answer(doc, func(w io.Writer) { _, _ = fmt.Fprintln(w, doc.Line) })
		},
	}
	cmd.Flags().StringVar(&role, "role", string(access.Viewer), "viewer or operator")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from stdin, up to the end of its first line")
	return e.group("login", "Let a person into the operators' pages", cmd)
}

// maxPasswordInput is far above the longest password.
const maxPasswordInput = 1 << 10

func readPassword(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPasswordInput))
	if err != nil {
		return "", errors.New("the password cannot be read from stdin")
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
