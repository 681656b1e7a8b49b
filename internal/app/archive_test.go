package app

import (
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/tasks"
)

// A resolved dead letter leaves asynq's archive, and an open one stays there. A task that only the
// archive holds gets a dead letter when it has to leave.
func TestResolvedDeadLetterLeavesTheArchive(t *testing.T) {
	t.Parallel()
	sys := build(t)
	tools := sys.tools(t)
	stop := sys.work(t)
	var ids []string
	for _, patient := range []tasks.PatientID{"1000001", "1000002", "1000003"} {
		r, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncPatient{Practice: "99", Patient: patient})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
		sys.ends(t, tools, r.ID, tasks.StateDead)
	}
	eventually(t, func() error {
		if n := tools.Queue.ZCard(t.Context(), "asynq:{sync}:archived").Val(); n != 3 {
			return errors.New("not all are archived")
		}
		return nil
	})
	stop()
	w, err := NewWorker(t.Context(), sys.options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close(t.Context()) })
	key := "asynq:{sync}:archived"
	if err := tools.Ledger.Resolve(t.Context(), ids[0], ledger.StateResolved); err != nil {
		t.Fatal(err)
	}
	tools.Queue.ZAddXX(t.Context(), key, redis.Z{Score: 1_700_000_000, Member: ids[1]})
	tools.Queue.ZAdd(t.Context(), key, redis.Z{Score: 1_700_000_000, Member: "jane.doe"})
	tools.Queue.Del(t.Context(), "q2:{sync}:trim")
	if err := w.archive.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := tools.Queue.ZRange(t.Context(), key, 0, -1).Val(); len(left) != 1 || left[0] != ids[2] {
		t.Errorf("the archive holds %v, want %v", left, ids[2:])
	}
	all, err := tools.Ledger.DeadLetters(t.Context(), ledger.Filter{})
	if err != nil || len(all) != 4 {
		t.Fatalf("%d dead letters, %v", len(all), err)
	}
	for _, d := range all {
		if d.TaskID == "jane.doe" || d.Kind == "" && (d.Code != "archived" || d.DiedAt.IsZero()) {
			t.Errorf("%+v", d)
		}
	}
}
