package diagnose

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/workflow-bolt/rounds/internal/ledger"
)

// checkAlerts warns about alerts, by code.
func checkAlerts(ctx context.Context, d *deployment) []Finding {
	if d.ledger == nil {
		return []Finding{skipped("alerts", "the ledger does not answer")}
	}
	counts, err := d.ledger.AlertCounts(ctx, ledger.AlertFilter{})
	if err != nil {
		return []Finding{skipped("alerts", "the ledger cannot be read")}
	}
	f := Finding{Check: "alerts", Grade: OK, Evidence: "no alert", Means: "each is a practice or a day whose boards may lack what the vendor has"}
	if len(counts) > 0 {
		slices.SortStableFunc(counts, func(a, b ledger.AlertCount) int { return cmp.Compare(b.Alerts, a.Alerts) })
		var each []string
		for _, c := range counts {
			each = append(each, fmt.Sprintf("%d of %s (%s)", c.Alerts, c.Code.Shown(), cmp.Or(c.Code.Meaning(), unknown)))
		}
		f.Grade, f.Evidence = Warn, strings.Join(each, "; ")
		f.Fix = "see rounds alert list"
	}
	return []Finding{f}
}
