package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/access"
)

func newAPIKey(e *env) *cobra.Command {
	var owner string
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Create an API key and its line for the gateway's file",
		Long: `Create an API key for a client of the gateway. The command prints the line for the file that ROUNDS_API_KEYS names,
which contains the SHA-256 of the key. The key itself is random and printed once, to stderr.

A key gives access to the data of one tenant. NAME identifies the client in traces and rate limits. The gateway reads
the file when it starts; after that, keys without a line are refused.`,
		Example: "  rounds apikey new front-desk --tenant clinic-a >> ./local/apikeys",
		Args:    names("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			id, err := parseTenant(owner)
			if err != nil {
				return err
			}
			k, key, err := access.NewKey(args[0], id.String())
			if err != nil {
				return usage("%s", err)
			}
			e.printf("The key of %s is %s. It is not stored anywhere else.", k.Name, key.Reveal())
			doc := struct {
				Line string `json:"line"`
			}{k.Line()}
			return e.answer(doc, func(w io.Writer) { _, _ = fmt.Fprintln(w, doc.Line) })
		},
	}
	cmd.Flags().StringVar(&owner, "tenant", "", "tenant whose data the key gives access to (required)")
	return e.group("apikey", "Manage API keys of the gateway", cmd)
}
