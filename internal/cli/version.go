package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/lifecycle"
)

func newVersion(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			b := lifecycle.ReadBuild()
			return e.answer(b, func(w io.Writer) { _, _ = fmt.Fprintf(w, "rounds %s %s\n", b.Version, b.Go) })
		},
	}
}
