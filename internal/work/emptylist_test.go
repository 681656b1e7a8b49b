package work

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

// An empty list whose question has no recent confirmation is read once more, with one.
func TestEmptyListIsReadAgainWithAProof(t *testing.T) {
	t.Parallel()
	b := setup(t)
	named := practice.Identity{Name: "Seventh Practice"}
	b.line.answer = func(body string) string {
		before, rest, _ := strings.Cut(body, "<Appointments>")
		_, after, _ := strings.Cut(rest, "</Appointments>")
		return before + "<Appointments><AppointmentData/></Appointments>" + after
	}
	b.done(t, ahead)
	b.identify(t, named)
	b.done(t, ahead)
	seen := b.board(t, tuesday).AsOf

	b.identify(t, practice.Identity{})
	must(t, b.queue.FlushDB(t.Context()).Err())
	asked := time.Now()
	b.done(t, ahead)
	again := taskstest.RequireEnqueued[tasks.SyncSchedule](t, b.queue, b.keys, taskstest.Want{
		Tenant: "clinic-a", Lane: tasks.LaneSync, At: asked.Add(coldDelay + time.Second/2),
	})
	if again != ahead {
		t.Errorf("read again are %s to %s", again.From, again.To)
	}
	must(t, b.queue.FlushDB(t.Context()).Err())
	b.done(t, again)
	taskstest.RequireNotEnqueued(t, b.queue, again.Kind())
	if r := b.board(t, tuesday); !r.AsOf.Equal(seen) {
		t.Error("an answer without a confirmation has renewed the board")
	}
	b.identify(t, named)
	b.done(t, again)
	taskstest.RequireNotEnqueued(t, b.queue, again.Kind())
	if r := b.board(t, tuesday); !r.AsOf.After(seen) || r.Stale {
		t.Errorf("with a confirmation the board is as of %v, before %v, stale %t", r.AsOf, seen, r.Stale)
	}
}
