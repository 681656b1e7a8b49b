package diagnose

import (
	"cmp"
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// checkDeadLetters warns about open dead letters.
func checkDeadLetters(ctx context.Context, d *deployment) []Finding {
	if d.ledger == nil {
		return []Finding{skipped("dead-letters", "the ledger does not answer")}
	}
	counts, err := d.ledger.Counts(ctx)
	if err != nil {
		return []Finding{skipped("dead-letters", "the ledger cannot be read")}
	}
	f := Finding{Check: "dead-letters", Grade: OK, Evidence: "no open dead letter", Means: "each is a demand that will not be met without an operator"}
	if len(counts) > 0 {
		n := 0
		for _, c := range counts {
			n += c.Open
		}
		f.Grade = Warn
		f.Evidence = fmt.Sprintf("open: %d, mostly %s with %s (%s)", n, cmp.Or(Redact(counts[0].Kind), unknown), Redact(counts[0].Code), cmp.Or(codes.Code(counts[0].Code).Meaning(), unknown))
		f.Fix = "fix the cause, then run rounds dead replay --all --code " + Redact(counts[0].Code)
	}
	return []Finding{f}
}
