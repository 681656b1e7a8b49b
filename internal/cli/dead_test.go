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

func TestDeadList(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.archive(t, h.fill(t, queue.Sync, 3, time.Hour, 0), "vendor_denied")
	foreign := ledger.DeadLetter{
		TaskID: "Jane Doe", Kind: "Jane Doe", Lane: "Jane Doe", Code: "Jane Doe", DiedAt: time2026, Payload: []byte("Jane Doe"),
		Headers: map[string]string{"Jane": "Doe"},
	}
	if err := h.ledger.Bury(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	o := rounds(t, h.keyless(), "dead", "list", "--json")
	d := document[deadListDoc](t, o.stdout)
	if o.code != exitOK || len(d.DeadLetters) != 4 || d.Next != "" || len(d.Open) != 2 || d.Open[0].DeadLetters != 3 || d.Open[0].Means == "" {
		t.Fatalf("%+v", o)
	}
	if l := d.DeadLetters[1]; l.Tenant != "clinic-a" || l.Kind != "patient.sync" || l.Code != "vendor_denied" || l.Attempts != 3 || l.Bytes != 6 || l.State != ledger.StateOpen {
		t.Errorf("%+v", l)
	}
	text := rounds(t, h.keyless(), "dead", "list")
	if !strings.Contains(text.stdout, "open: 3 of patient.sync with vendor_denied: the tenant's login lacks a permission") {
		t.Errorf("%+v", text)
	}
	if printed := o.stdout + text.stdout; strings.Contains(printed, "Jane") || strings.Contains(printed, "sealed") {
		t.Error("text of a foreign task or a payload is printed")
	}
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"--kind", "patient.sync"}, 3},
		{[]string{"--tenant", "clinic-a"}, 3},
		{[]string{"--tenant", "clinic-b"}, 0},
		{[]string{"--code", "vendor_denied", "--since", "2h"}, 3},
		{[]string{"--since", "1m"}, 0},
		{[]string{"--state", "settled"}, 0},
		{[]string{"--state", "any"}, 4},
		{[]string{"--limit", "2"}, 2},
	} {
		o := rounds(t, h.keyless(), append([]string{"dead", "list", "--json"}, c.args...)...)
		if d := document[deadListDoc](t, o.stdout); len(d.DeadLetters) != c.want {
			t.Errorf("%v: %d dead letters, want %d", c.args, len(d.DeadLetters), c.want)
		}
	}
	first := document[deadListDoc](t, rounds(t, h.keyless(), "dead", "list", "--json", "--limit", "2").stdout)
	rest := document[deadListDoc](t, rounds(t, h.keyless(), "dead", "list", "--json", "--after", first.Next).stdout)
	if len(rest.DeadLetters) != 2 || rest.DeadLetters[0].Task == first.DeadLetters[1].Task {
		t.Errorf("the next page: %+v", rest)
	}
}

func TestDeadShow(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ids := h.fill(t, queue.Sync, 2, time.Hour, 0)
	h.archive(t, ids, "does_not_open")
	o := rounds(t, h.keyless(), "dead", "show", ids[0], "--json")
	d := document[deadDoc](t, o.stdout)
	if o.code != exitOK || d.Task != ids[0] || d.Now != queue.StateArchived || !strings.HasPrefix(d.Replay, "enqueue the task again") || d.Means == "" ||
		!cmp.Equal(d.Headers, []headerDoc{{"tenant", "clinic-a"}, {"v", "1"}}) {
		t.Errorf("%+v", o)
	}
	if text := rounds(t, h.keyless(), "dead", "show", ids[0]); !strings.Contains(text.stdout, "6 bytes, sealed") || !strings.Contains(text.stdout, "header tenant") {
		t.Errorf("%+v", text)
	}
	o = rounds(t, h.keyless(), "dead", "show", "sync-"+strings.Repeat("a", 26)+"-1", "--json")
	if f := failed(t, o.stdout); o.code != exitNotFound || f.Code != "LETTER_NOT_FOUND" {
		t.Errorf("%+v", o)
	}
}

func TestReplayEffect(t *testing.T) {
	t.Parallel()
	id := queue.ID{Lane: queue.Sync, Digest: strings.Repeat("a", 26), Generation: 1}.String()
	whole := ledger.DeadLetter{TaskID: id, Kind: "patient.sync", Payload: []byte("x"), State: ledger.StateOpen}
	bare, foreign, resolved := whole, whole, whole
	bare.Payload, foreign.TaskID, resolved.State = nil, "x", ledger.StateResolved
	for _, c := range []struct {
		dead      ledger.DeadLetter
		now, want string
	}{
		{whole, queue.StateArchived, "enqueue the task"},
		{whole, taskGone, "enqueue the task"},
		{whole, taskDone, "resolve it"},
		{whole, queue.StateRetry, "mark it as replayed"},
		{whole, queue.StateActive, "nothing yet"},
		{bare, queue.StateArchived, "enqueue the task"},
		{bare, taskGone, "nothing: the task's payload"},
		{foreign, taskGone, "nothing: the task was not"},
		{resolved, queue.StateArchived, "nothing: it is " + ledger.StateResolved},
	} {
		if got := replayEffect(c.dead, c.now); !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v, %s: %q", c.dead, c.now, got)
		}
	}
}

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

// A dead letter is written just before its task is archived. A replay at that moment must not lose it.
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

// If Redis fails during a replay, replayed dead letters stay replayed, the others stay open, and the exit code is 9.
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

func TestDeadBadUsage(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, args := range [][]string{
		{"list", "--state", "lost"},
		{"list", "--limit", "0"},
		{"list", "--limit", "501"},
		{"list", "--since", "-1h"},
		{"list", "--tenant", "Clinic A"},
		{"list", "--kind", "\x00"},
		{"show", "\x00"},
		{"show"},
		{"replay"},
		{"replay", "x", "--all"},
		{"replay", "x", "--kind", "patient.sync"},
		{"replay", "--all", "--rate", "0"},
		{"replay", "--all", "--rate", "NaN"},
		{"replay", "--all", "--rate", "1e9"},
		{"replay", "--all", "--max", "0"},
		{"replay", "--all", "--code", "\x00"},
	} {
		o := rounds(t, h.keyless(), append([]string{"dead", "--json"}, args...)...)
		if f := failed(t, o.stdout); o.code != exitUsage || f.Code != "USAGE" {
			t.Errorf("%q: %+v", args, o)
		}
	}
	o := rounds(t, h.keyless(), "dead", "list", "--after", "none", "--json")
	if f := failed(t, o.stdout); o.code != exitNotFound || f.Code != "LETTER_NOT_FOUND" {
		t.Errorf("%+v", o)
	}
}

func TestKeylessCommandsRequireExistingLedger(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	o := rounds(t, h.with(map[string]string{"ROUNDS_LEDGER": "sqlite:" + h.dir + "/none.db", "ROUNDS_KEYS": ""}), "dead", "list", "--json")
	if f := failed(t, o.stdout); o.code != exitDependency || !strings.Contains(f.What, "does not exist") {
		t.Errorf("%+v", o)
	}
	o = rounds(t, h.with(map[string]string{"ROUNDS_LEDGER": "postgres://rounds:hush@" + vacant(t) + "/rounds"}), "dead", "list", "--json")
	if f := failed(t, o.stdout); o.code != exitDependency || f.Code != "DEPENDENCY" || strings.Contains(o.stdout+o.stderr, "hush") {
		t.Errorf("%+v", o)
	}
	o = rounds(t, map[string]string{"ROUNDS_ENV": "dev"}, "dead", "show", "x", "--json")
	if f := failed(t, o.stdout); o.code != exitUsage || f.Code != "CONFIG" || len(f.Found) != 2 {
		t.Errorf("%+v", o)
	}
}
