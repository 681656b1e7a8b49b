package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// lookAtLanes reports on what waits: a paused lane, and one that nobody works on, are easily forgotten.
func lookAtLanes(ctx context.Context, s *subject) []finding {
	if s.queue == nil {
		return []finding{skipped("lanes", "its Redis' URL is not usable")}
	}
	all, err := queue.Standings(ctx, s.queue)
	if err != nil {
		return []finding{skipped("lanes", "its Redis does not answer")}
	}
	f := finding{Check: "lanes", Verdict: verdictOK, Means: "what waits in a lane that nobody works on grows old, and boards with it"}
	var waiting, running int64
	var wrong []string
	now := time.Now()
	for _, l := range all {
		waiting, running = waiting+l.Pending+l.Retry, running+l.Active
		switch {
		case l.Paused:
			wrong = append(wrong, fmt.Sprintf("%s is paused, %s", l.Lane, since(l.PausedAt, now)))
		case l.Pending > 0 && l.Active == 0 && !l.Oldest.IsZero() && now.Sub(l.Oldest) > unattended:
			wrong = append(wrong, fmt.Sprintf("nobody works on %s: its oldest demand was made %s", l.Lane, since(l.Oldest, now)))
		}
	}
	f.Evidence = fmt.Sprintf("%d tasks wait, %d run", waiting, running)
	if len(wrong) > 0 {
		f.Verdict, f.Evidence = verdictWarn, strings.Join(wrong, "; ")
		f.Fix = "start a worker, or resume the lane; rounds queue list tells more"
	}
	return []finding{f}
}

// lookAtLetters reports on the open dead letters.
func lookAtLetters(ctx context.Context, s *subject) []finding {
	if s.ledger == nil {
		return []finding{skipped("dead-letters", "the ledger does not answer")}
	}
	counts, err := s.ledger.Counts(ctx)
	if err != nil {
		return []finding{skipped("dead-letters", "the ledger cannot be read")}
	}
	f := finding{Check: "dead-letters", Verdict: verdictOK, Evidence: "none is open", Means: "each is a demand that nobody will meet by itself"}
	if len(counts) > 0 {
		n := 0
		for _, c := range counts {
			n += c.Letters
		}
		f.Verdict = verdictWarn
		f.Evidence = fmt.Sprintf("%d are open, most of them %s of %s (%s)", n, orUnknown(shown(counts[0].Kind)), shown(counts[0].Code), orUnknown(queue.Meaning(counts[0].Code)))
		f.Fix = "mend the cause, then rounds dead replay --all --code " + shown(counts[0].Code)
	}
	return []finding{f}
}
