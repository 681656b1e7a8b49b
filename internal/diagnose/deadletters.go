package diagnose

import (
	"cmp"
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// checkDeadLetters reports on the open dead letters.
func checkDeadLetters(ctx context.Context, d *deployment) []Finding {
	if d.ledger == nil {
		return []Finding{skipped("dead-letters", "the ledger does not answer")}
	}
	counts, err := d.ledger.Counts(ctx)
	if err != nil {
		return []Finding{skipped("dead-letters", "the ledger cannot be read")}
	}
	f := Finding{Check: "dead-letters", Grade: OK, Evidence: "none is open", Means: "each is a demand that nobody will meet by itself"}
	if len(counts) > 0 {
		n := 0
		for _, c := range counts {
			n += c.Open
		}
		f.Grade = Warn
		f.Evidence = fmt.Sprintf("%d are open, most of them %s of %s (%s)", n, cmp.Or(Redact(counts[0].Kind), unknown), Redact(counts[0].Code), cmp.Or(queue.Meaning(counts[0].Code), unknown))
		f.Fix = "mend the cause, then rounds dead replay --all --code " + Redact(counts[0].Code)
	}
	return []Finding{f}
}
