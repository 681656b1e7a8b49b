package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
)

// completionLimit bounds the completion of a tenant's name: the user is waiting.
const completionLimit = time.Second

var shells = []struct {
	name, use string
	script    func(root *cobra.Command, w io.Writer) error
}{
	{"bash", "  . <(rounds completion bash)", func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
	{"zsh", "  rounds completion zsh > \"${fpath[1]}/_rounds\"", func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) }},
	{"fish", "  rounds completion fish > ~/.config/fish/completions/rounds.fish", func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }},
}

func newCompletion(e *env) *cobra.Command {
	var children []*cobra.Command
	for _, s := range shells {
		children = append(children, &cobra.Command{
			Use:     s.name,
			Short:   "Print the completion script for " + s.name,
			Long:    "Print a script for " + s.name + " that completes commands, flags, lanes, kinds and the tenants of the ledger in\nROUNDS_LEDGER.",
			Example: s.use,
			Args:    names(),
			RunE: func(cmd *cobra.Command, _ []string) error {
				var script bytes.Buffer
				if err := s.script(cmd.Root(), &script); err != nil {
					return err
				}
				doc := struct {
					Shell  string `json:"shell"`
					Script string `json:"script"`
				}{s.name, script.String()}
				return e.answer(doc, func(w io.Writer) { _, _ = script.WriteTo(w) })
			},
		})
	}
	return e.group("completion", "Print completion scripts for shells", children...)
}

// completeTenant completes the name of a tenant if the ledger answers in time.
func (e *env) completeTenant(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionLimit)
	defer cancel()
	var out []string
	_ = e.withStores(ctx, config.NeedLedger, func(s *stores) error { // without a ledger there are no completions
		all, err := s.ledger.Tenants(ctx)
		for _, t := range all {
			if strings.HasPrefix(t.ID.String(), prefix) {
				out = append(out, t.ID.String())
			}
		}
		return err
	})
	return out, cobra.ShellCompDirectiveNoFileComp
}
