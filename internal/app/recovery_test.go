package app

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// What was listed first has to leave. A task that supersedes one of them takes its place; another
// equal one does not.
func TestRecoveryFollowsWhatWaited(t *testing.T) {
	t.Parallel()
	r := &recovery{log: slog.New(slog.DiscardHandler), over: -1, seen: -1, gap: -1}
	task := func(char, generation string) queue.WaitingTask {
		return queue.WaitingTask{ID: strings.Repeat(char, 26) + "." + generation + ".interactive", Tenant: clinicA.String()}
	}
	step := func(partial bool, waiting int, over bool, now ...queue.WaitingTask) {
		t.Helper()
		r.update(t.Context(), 3, now, partial)
		if len(r.waiting) != waiting || (r.over == 3) != over {
			t.Errorf("%d wait, over at %d", len(r.waiting), r.over)
		}
	}
	step(true, 0, false)                                  // a store is still unavailable
	step(true, 1, false, task("a", "1"))                  // one arrives
	step(false, 2, false, task("a", "1"), task("b", "1")) // now the list is complete
	step(false, 1, false, task("b", "1"), task("c", "1")) // what comes later does not count
	step(false, 0, true, task("b", "2"), task("c", "1"))
	if r.digests[strings.Repeat("c", 26)] {
		t.Error("a task that came later is followed")
	}
}
