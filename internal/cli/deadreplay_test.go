package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestDeadReplayOne(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ids := h.fill(t, queue.Sync, 2, time.Hour, 0)
	h.archive(t, ids, "vendor_denied")
	dry := rounds(t, h.keyless(), "dead", "replay", ids[0], "--dry-run", "--json")
	if d := document[replayDoc](t, dry.stdout); dry.code != exitOK || !d.DryRun || d.Selected != 1 || d.Queued != 0 {
		t.Errorf("%+v", dry)
	}
	o := rounds(t, h.keyless(), "dead", "replay", ids[0], "--json")
	d := document[replayDoc](t, o.stdout)
	if o.code != exitOK || d.Selected != 1 || d.Queued != 1 || d.Failed != 0 || !cmp.Equal(d.Cost, []costDoc{{Operation: "GetPatient", DeadLetters: 1, Calls: 1}}) {
		t.Errorf("%+v", o)
	}
	if l, err := h.ledger.DeadLetter(t.Context(), ids[0]); err != nil || l.State != ledger.StateReplayed {
		t.Errorf("%+v, %v", l, err)
	}
	all, err := queue.Stats(t.Context(), h.rdb(t))
	if err != nil || all[2].Pending != 1 || all[2].Archived != 1 {
		t.Errorf("%+v, %v", all[2], err)
	}
	again := rounds(t, h.keyless(), "dead", "replay", ids[0], "--json")
	if d := document[replayDoc](t, again.stdout); again.code != exitConflict || d.Failed != 1 || d.Failures[0].Code != faultNotOpen {
		t.Errorf("%+v", again)
	}
	// One dead letter can be replayed and the other cannot.
	both := rounds(t, h.keyless(), "dead", "replay", ids[0], ids[1], "--json")
	if d := document[replayDoc](t, both.stdout); both.code != exitPartly || d.Queued != 1 || d.Failed != 1 {
		t.Errorf("%+v", both)
	}
	none := rounds(t, h.keyless(), "dead", "replay", "sync-"+strings.Repeat("a", 26)+"-1", "--json")
	if f := failed(t, none.stdout); none.code != exitNotFound || f.Code != "LETTER_NOT_FOUND" {
		t.Errorf("%+v", none)
	}
}

// A dead letter is written just before its task is archived. A replay at that moment must not lose
// it.
func TestDeadReplayWhileTaskIsRunning(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ids := h.fill(t, queue.Sync, 1, time.Hour, 0)
	h.archive(t, ids, "vendor_denied")
	rdb, key := h.rdb(t), "asynq:{sync}:"
	rdb.HSet(t.Context(), key+"t:"+ids[0], "state", queue.StateActive)
	rdb.ZAdd(t.Context(), key+"lease", redis.Z{Score: float64(time.Now().Add(time.Minute).Unix()), Member: ids[0]})
	o := rounds(t, h.keyless(), "dead", "replay", ids[0], "--json")
	if d := document[replayDoc](t, o.stdout); o.code != exitConflict || d.Failed != 1 || d.Failures[0].Code != faultRuns {
		t.Errorf("%+v", o)
	}
	if l, err := h.ledger.DeadLetter(t.Context(), ids[0]); err != nil || l.State != ledger.StateOpen {
		t.Errorf("the dead letter is lost: %+v, %v", l, err)
	}
}

func TestDeadReplayAll(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ids := h.fill(t, queue.Sync, 5, time.Hour, 0)
	h.archive(t, ids, "vendor_denied")
	if err := h.rdb(t).FlushDB(t.Context()).Err(); err != nil { // asynq no longer has the tasks
		t.Fatal(err)
	}
	lost := ledger.DeadLetter{TaskID: "sync-" + strings.Repeat("a", 26) + "-1", Tenant: "clinic-a", Kind: "patient.sync", Lane: "sync", Code: "vendor_denied", DiedAt: time2026}
	foreign := lost
	foreign.TaskID, foreign.Payload = "of-another-program", []byte("x")
	for _, l := range []ledger.DeadLetter{lost, foreign} {
		if err := h.ledger.Bury(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	all := []string{"dead", "replay", "--all", "--rate", "1000", "--json"}
	if o := rounds(t, h.keyless(), all...); o.code != exitUsage || !strings.Contains(failed(t, o.stdout).What, "--yes") {
		t.Errorf("without --yes: %+v", o)
	}
	o := rounds(t, h.keyless(), append(all, "--code", "vendor_denied", "--dry-run")...)
	d := document[replayDoc](t, o.stdout)
	if want := []costDoc{{Operation: "GetPatient", DeadLetters: 7, Calls: 7, Seconds: 1.5}}; o.code != exitOK || d.Selected != 7 || !cmp.Equal(d.Cost, want) {
		t.Errorf("%+v", o)
	}
	if o := rounds(t, h.keyless(), append(all, "--yes", "--kind", "schedule.sync")...); o.code != exitOK || document[replayDoc](t, o.stdout).Selected != 0 {
		t.Errorf("of another kind: %+v", o)
	}
	o = rounds(t, h.keyless(), append(all, "--yes", "--max", "3")...)
	if d := document[replayDoc](t, o.stdout); o.code != exitPartly || d.Selected != 3 || !d.More || d.Queued != 1 || d.Failed != 2 {
		t.Errorf("with --max: %+v", o)
	}
	o = rounds(t, h.keyless(), append(all, "--yes")...)
	d = document[replayDoc](t, o.stdout)
	want := map[string]bool{faultLost: true, faultForeign: true}
	if o.code != exitPartly || d.Queued != 4 || d.Failed != 2 || !want[d.Failures[0].Code] || !want[d.Failures[1].Code] || !strings.Contains(o.stderr, "dead letters replayed count=4") {
		t.Errorf("%+v", o)
	}
	if o := rounds(t, h.keyless(), append(all, "--yes")...); o.code != exitFailed || document[replayDoc](t, o.stdout).Queued != 0 {
		t.Errorf("again: %+v", o)
	}
	standings, err := queue.Stats(t.Context(), h.rdb(t))
	if err != nil || standings[2].Pending != 5 {
		t.Errorf("%+v, %v", standings[2], err)
	}
}

// If Redis fails during a replay, replayed dead letters stay replayed, the others stay open, and
// the exit code is 9.
func TestDeadReplayStopsHalfway(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ids := h.fill(t, queue.Sync, 2, time.Hour, 0)
	h.archive(t, ids, "vendor_denied")
	s := &stores{queue: h.rdb(t), ledger: h.ledger}
	r := &replay{env: &env{getenv: getenv(nil)}, stores: s, flags: replayFlags{rate: 1000}, producer: queue.NewProducer(s.queue)}
	r.doc.Selected = 2
	if err := r.one(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	_ = s.queue.Close()
	err := r.one(t.Context(), ids[1])
	if !errors.Is(err, redisconn.ErrUnavailable) {
		t.Fatalf("%v", err)
	}
	if f, ok := errors.AsType[*failure](r.stopped(err)); !ok || f.Exit != exitPartly || f.What != "1 of 2 dead letters were replayed" {
		t.Errorf("%v", r.stopped(err))
	}
	if l, err := h.ledger.DeadLetter(t.Context(), ids[1]); err != nil || l.State != ledger.StateOpen {
		t.Errorf("%+v, %v", l, err)
	}
	r.doc = replayDoc{}
	if got := r.stopped(err); !errors.Is(got, redisconn.ErrUnavailable) || explain(t.Context(), t.Context(), got).Exit != exitDependency {
		t.Errorf("before the first: %v", got)
	}
}

func TestReplayCostByTenant(t *testing.T) {
	t.Parallel()
	var dead []selected
	for i := range 10 {
		dead = append(dead, selected{kind: "schedule.sync", tenant: tenant.ID(fmt.Sprintf("clinic-%d", i%3))})
	}
	dead = append(dead, selected{kind: "view.warm"}, selected{kind: "unknown.kind"})
	want := []costDoc{{Operation: "GetAppointments", DeadLetters: 10, Calls: 10, Seconds: 3}, {DeadLetters: 2}}
	if diff := cmp.Diff(want, cost(dead)); diff != "" {
		t.Errorf("cost (-want +got):\n%s", diff)
	}
	if d := (&replayDoc{Selected: 12, Cost: want}); !strings.Contains(d.question(), "12 tasks") || !strings.Contains(d.question(), "at most 10 calls of GetAppointments") {
		t.Errorf("%s", d.question())
	}
}
