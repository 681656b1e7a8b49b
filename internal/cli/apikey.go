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
		Short: "Make a key, and its line for the gateway's file",
		Long: `Make a key for a caller of the gateway: the line for the file that ROUNDS_API_KEYS names, with the key's SHA-256 in
it. The key is made up and told once, on stderr.

A key reaches the data of one tenant. NAME says whose it is, in traces and limits. The gateway reads the file when it
starts; a key whose line is gone opens nothing then.`,
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
			e.printf("The key of %s is %s. Nothing else keeps it.", k.Name, key.Reveal())
			doc := struct {
				Line string `json:"line"`
			}{k.Line()}
			return e.answer(doc, func(w io.Writer) { _, _ = fmt.Fprintln(w, doc.Line) })
		},
	}
	cmd.Flags().StringVar(&owner, "tenant", "", "whose data it reaches (required)")
	return e.group("apikey", "Let a service call the gateway", cmd)
}
