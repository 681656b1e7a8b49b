package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/queue"
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
	o = rounds(t, h.with(map[string]string{"ROUNDS_LEDGER": "postgres://rounds:hush@" + progtest.Vacant(t) + "/rounds"}), "dead", "list", "--json")
	if f := failed(t, o.stdout); o.code != exitDependency || f.Code != "DEPENDENCY" || strings.Contains(o.stdout+o.stderr, "hush") {
		t.Errorf("%+v", o)
	}
	o = rounds(t, map[string]string{"ROUNDS_ENV": "dev"}, "dead", "show", "x", "--json")
	if f := failed(t, o.stdout); o.code != exitUsage || f.Code != "CONFIG" || len(f.Found) != 2 {
		t.Errorf("%+v", o)
	}
}
