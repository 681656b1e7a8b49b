package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/ledger"
)

func newAlert(e *env) *cobra.Command {
	return e.group("alert", "Show alerts about practices' data", newAlertList(e))
}

const maxAlerts = 500 // the ledger's page size

func newAlertList(e *env) *cobra.Command {
	var tenant string
	var f ledger.AlertFilter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List alerts about practices' data",
		Long: `List alerts about practices' data: a practice that cannot be read or has another name than in the settings, and days whose
boards lack rows of the vendor. Those that belong to no day come first, the others by day. An alert ends by itself once the
data is read without its cause.`,
		Example: "  rounds alert list\n  rounds alert list --tenant clinic-a --code practice_renamed --json",
		Args:    names(),
		PreRunE: within("--limit", &f.Limit, maxAlerts),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tenant != "" {
				id, err := parseTenant(tenant)
				if err != nil {
					return err
				}
				f.Tenant = id
			}
			return e.withStores(cmd.Context(), config.NeedLedger, func(s *stores) error { return e.listAlerts(cmd.Context(), s, f) })
		},
	}
	e.tenantFlag(cmd, &tenant, "only this tenant's")
	cmd.Flags().StringVar(&f.Practice, "practice", "", "only this practice's, by number")
	cmd.Flags().StringVar((*string)(&f.Code), "code", "", "only this code")
	cmd.Flags().IntVar(&f.Limit, "limit", 100, "maximum number")
	return cmd
}

// alertListDoc is the result of alert list: the selected alerts up to the limit, and the totals of
// all that are selected.
type alertListDoc struct {
	Alerts []alertRow   `json:"alerts"`
	Totals []alertTotal `json:"totals"` // of all selected alerts, by code
}

type alertRow struct {
	Tenant   string     `json:"tenant"`
	Practice string     `json:"practice,omitempty"` // absent for the whole account
	Day      civil.Date `json:"day,omitzero"`       // absent for what belongs to no day
	Code     codes.Code `json:"code"`
	Means    string     `json:"means"`
	Rows     int        `json:"rows"` // how many of the vendor's rows are concerned; 0 where none can be counted
	Since    time.Time  `json:"since"`
	LastSeen time.Time  `json:"last_seen"` // up to an hour late
}

type alertTotal struct {
	Code   codes.Code `json:"code"`
	Means  string     `json:"means"`
	Alerts int        `json:"alerts"`
	Rows   int        `json:"rows"`
	Since  time.Time  `json:"since"` // of the oldest
}

func (e *env) listAlerts(ctx context.Context, s *stores, f ledger.AlertFilter) error {
	found, err := s.ledger.Alerts(ctx, f)
	switch {
	case errors.Is(err, ledger.ErrInvalid):
		return usage("a flag has an impossible value: %s", err)
	case err != nil:
		return err
	}
	counts, err := s.ledger.AlertCounts(ctx, f)
	if err != nil {
		return err
	}
	doc := alertListDoc{Alerts: make([]alertRow, 0, len(found)), Totals: make([]alertTotal, 0, len(counts))}
	for _, a := range found {
		doc.Alerts = append(doc.Alerts, alertRow{
			Tenant: a.Tenant.String(), Practice: diagnose.Redact(a.Practice), Day: a.Day, Code: a.Code.Shown(), Means: a.Code.Meaning(),
			Rows: a.Rows, Since: a.First, LastSeen: a.Last,
		})
	}
	for _, c := range counts {
		doc.Totals = append(doc.Totals, alertTotal{Code: c.Code.Shown(), Means: c.Code.Meaning(), Alerts: c.Alerts, Rows: c.Rows, Since: c.First})
	}
	return e.answer(doc, doc.write)
}

func (d alertListDoc) write(w io.Writer) {
	if len(d.Alerts) == 0 {
		_, _ = fmt.Fprintln(w, "no alert")
		return
	}
	now := time.Now()
	table(w, []string{"TENANT", "PRACTICE", "DAY", "CODE", "ROWS", "SINCE"}, d.Alerts, func(a alertRow) []string {
		return []string{
			a.Tenant, cmp.Or(a.Practice, "all"), cmp.Or(a.Day.String(), "any"), string(a.Code), fmt.Sprint(a.Rows), diagnose.Ago(a.Since, now),
		}
	})
	for _, t := range d.Totals {
		_, _ = fmt.Fprintf(w, "%d of %s: %s\n", t.Alerts, t.Code, cmp.Or(t.Means, unknown))
	}
}
