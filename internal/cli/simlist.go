package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// simOperation is one row of "sim operations".
type simOperation struct {
	Name       string `json:"name"`
	Class      string `json:"class"`
	IntervalMS int64  `json:"interval_ms"`
	TimeoutMS  int64  `json:"timeout_ms"`
	Idempotent bool   `json:"idempotent"`
	PHI        bool   `json:"phi"`
	MaxDays    int    `json:"max_days,omitzero"`
	MaxRows    int    `json:"max_rows,omitzero"`
	PageRows   int    `json:"page_rows,omitzero"`
	Assumed    bool   `json:"assumed,omitzero"` // not in a contract of the vendor
}

func newSimOperations(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "operations",
		Short: "List the vendor operations of the client",
		Long:  "List the vendor operations that the client supports, one per line. With --json, each has its properties.",
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			var rows []simOperation
			for _, o := range tebra.Operations() {
				rows = append(rows, simOperation{
					o.Name, o.Class.String(), o.Interval.Milliseconds(), o.Timeout.Milliseconds(), o.Idempotent, o.PHI, o.MaxDays,
					o.MaxRows, o.PageRows, o.Assumed,
				})
			}
			return e.answer(map[string]any{"operations": rows}, func(w io.Writer) {
				for _, o := range rows {
					_, _ = fmt.Fprintln(w, o.Name)
				}
			})
		},
	}
}

func newSimCapture(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "capture DIR",
		Short: "Write the request and response of every operation to files",
		Long: `Call every operation of the client once, against a private simulator, and write <Operation>.request.xml and
<Operation>.response.xml to DIR, for comparison with the vendor's schema.`,
		Args: names("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := tebratest.Capture(cmd.Context(), args[0]); err != nil {
				return err
			}
			var ops []string
			for _, o := range tebra.Operations() {
				ops = append(ops, o.Name)
			}
			doc := map[string]any{"dir": args[0], "operations": ops}
			return e.answer(doc, func(w io.Writer) {
				_, _ = fmt.Fprintf(w, "wrote the requests and responses of %s to %s\n", strings.Join(ops, ", "), args[0])
			})
		},
	}
}

func newSimOddities(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "oddities",
		Short: "List the oddities that responses can have",
		Long: `List the oddities that sim --odd switches on, one per line. They are ways in which successful responses deviate from what
clients expect. About one row or call in a hundred has each, drawn with the seed.`,
		Args: names(),
		RunE: func(*cobra.Command, []string) error {
			all := tebratest.Oddities()
			return e.answer(map[string]any{"oddities": all}, func(w io.Writer) {
				table(w, []string{"ODDITY", "MEANING"}, all, func(o tebratest.OddityInfo) []string {
					return []string{string(o.Name), o.Description}
				})
			})
		},
	}
}
