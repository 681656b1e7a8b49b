package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/phi"
)

func newKeys(e *env) *cobra.Command {
	return e.group("keys", "Manage the keyset that seals payloads and cached data", &cobra.Command{
		Use:   "new FILE",
		Short: "Write a new keyset that only its owner can read",
		Long: `Write a new Tink keyset to FILE, readable only by its owner.

An existing file is never overwritten, because everything sealed with a lost keyset is lost too.
Keep a copy of the keyset, but not together with the ledger's backups.`,
		Example: "  rounds keys new ./rounds.keys\n  export ROUNDS_KEYS=./rounds.keys",
		Args:    names("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			id, err := writeKeyset(args[0])
			if errors.Is(err, fs.ErrExist) {
				return &failure{
					Exit: exitConflict, Code: "FILE_EXISTS", What: args[0] + " exists", cause: err,
					Means: "the file was not changed; data that it sealed cannot be opened without it",
					Try:   []string{"use another name"},
				}
			}
			if err != nil {
				return err
			}
			doc := struct {
				File string `json:"file"`
				Key  string `json:"key"`
			}{args[0], id}
			return e.answer(doc, func(w io.Writer) { _, _ = fmt.Fprintf(w, "wrote %s with key %s\n", args[0], id) })
		},
	})
}

// writeKeyset creates a keyset, writes it to a new file and returns the ID of its key. It removes
// the file if writing fails, because a truncated keyset looks like a keyset.
func writeKeyset(path string) (id string, err error) {
	keys, err := phi.Generate()
	if err != nil {
		return "", err
	}
	data, err := keys.JSON()
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("write keyset: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write keyset: %w", err), os.Remove(path))
	}
	return keys.ID(), nil
}
