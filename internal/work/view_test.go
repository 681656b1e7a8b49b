package work

import (
	"testing"

	"github.com/workflow-bolt/rounds/tasks"
)

func TestWarm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	warm := tasks.WarmView{View: tasks.DayBoard, Practice: "7", Date: date(tuesday)}
	b.done(t, warm)
	b.demands(t, "sync schedule 7 2026-03-03..2026-03-03")
	if b.calls() != 0 {
		t.Errorf("warming made %d calls", b.calls())
	}
	b.done(t, days(tuesday, tuesday))
	b.demands(t, append(b.of(tuesday), "warm day-board 7 2026-03-03")...)
	b.done(t, warm)
	if r := b.board(t, tuesday); !r.Hit {
		t.Error("a warmed board is no hit")
	}
	b.done(t, warm)
	b.demands(t)
	if b.calls() != 1 {
		t.Errorf("%d calls for one day", b.calls())
	}
}
