package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/tasks"
)

var day = []string{"--tenant", "clinic-a", "--arg", "practice=1", "--arg", "from=2026-03-02", "--arg", "to=2026-03-02"}

func TestEnqueueThenShow(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	enqueue := append([]string{"enqueue", "schedule.sync", "--json"}, day...)
	first := document[receipt](t, rounds(t, h.vars, enqueue...).stdout)
	if first.ID == "" || first.Joined || first.Repeated || first.Kind != "schedule.sync" || first.Tenant != "clinic-a" {
		t.Fatalf("first: %+v", first)
	}
	second := document[receipt](t, rounds(t, h.vars, enqueue...).stdout)
	if second.ID != first.ID || !second.Joined {
		t.Errorf("an equal demand: %+v, want it to join %s", second, first.ID)
	}

	o := rounds(t, h.vars, "task", "show", first.ID, "--json")
	s := document[taskDoc](t, o.stdout)
	if o.code != exitOK || s.State != tasks.StateWaiting || s.Kind != "schedule.sync" || s.Lane != tasks.LaneSync || s.EnqueuedAt.IsZero() {
		t.Errorf("exit %d, %+v", o.code, s)
	}
	text := rounds(t, h.vars, "task", "show", first.ID)
	for _, want := range []string{"state     waiting\n", "tenant    clinic-a\n", "enqueued  "} {
		if !strings.Contains(text.stdout, want) {
			t.Errorf("%q is missing from:\n%s", want, text.stdout)
		}
	}
}

func TestEnqueuePrintsOnlyTheID(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	o := rounds(t, h.vars, append([]string{"enqueue", "schedule.sync"}, day...)...)
	if o.code != exitOK || len(strings.Fields(o.stdout)) != 1 || o.stderr != "" {
		t.Errorf("%+v", o)
	}
	again := rounds(t, h.vars, append([]string{"enqueue", "schedule.sync"}, day...)...)
	if again.stdout != o.stdout || !strings.Contains(again.stderr, "joins") {
		t.Errorf("%+v", again)
	}
}

func TestEnqueueOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	enqueue := append([]string{"enqueue", "schedule.sync", "--json", "--once", "key-1"}, day...)
	first := document[receipt](t, rounds(t, h.vars, enqueue...).stdout)
	if second := document[receipt](t, rounds(t, h.vars, enqueue...).stdout); !second.Repeated || second.ID != first.ID {
		t.Errorf("%+v, want a repetition of %s", second, first.ID)
	}
	other := slices.Clone(enqueue)
	other[len(other)-1] = "to=2026-03-03"
	o := rounds(t, h.vars, other...)
	if f := failed(t, o.stdout); o.code != exitConflict || f.Code != "REUSED" {
		t.Errorf("exit %d, %+v", o.code, f)
	}
}

func TestEnqueueScheduledInOtherLane(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	later := document[receipt](t, rounds(t, h.vars, append([]string{"enqueue", "schedule.sync", "--json", "--in", "1h", "--lane", "interactive"}, day...)...).stdout)
	s := document[taskDoc](t, rounds(t, h.vars, "task", "show", later.ID, "--json").stdout)
	if s.State != tasks.StateScheduled || s.Lane != tasks.LaneInteractive || s.NextAt.IsZero() {
		t.Errorf("%+v", s)
	}
	at := document[receipt](t, rounds(t, h.vars, append([]string{"enqueue", "schedule.sync", "--json", "--at", "2199-01-01T00:00:00Z"}, day...)...).stdout)
	if at.ID != "" {
		t.Errorf("a time more than a year ahead was accepted: %+v", at)
	}
}

func TestEnqueueReadsArguments(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	const args = `{"practice": "1", "patient": "1001"}`
	file := filepath.Join(t.TempDir(), "args.json")
	if err := os.WriteFile(file, []byte(args), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile := document[receipt](t, rounds(t, h.vars, "enqueue", "patient.sync", "--tenant", "clinic-a", "--json", "--json-args", "@"+file).stdout)
	fromStdin := document[receipt](t, roundsWith(t, h.vars, args, "enqueue", "patient.sync", "--tenant", "clinic-a", "--json", "--json-args", "-").stdout)
	if fromFile.ID == "" || fromStdin.ID != fromFile.ID || !fromStdin.Joined {
		t.Errorf("from a file %+v, from stdin %+v; want one task", fromFile, fromStdin)
	}
	o := rounds(t, h.vars, "task", "show", fromFile.ID, "--json")
	if strings.Contains(o.stdout+fromFile.ID, "1001") {
		t.Errorf("the patient's number is printed:\n%s", o.stdout)
	}
}

func TestEnqueueRefusesBadInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stdin string
		args  []string
		exit  int
	}{
		"unknown kind":          {"", []string{"schedule.synchronize", "--tenant", "clinic-a"}, exitUsage},
		"no tenant":             {"", []string{"schedule.sync", "--arg", "practice=1"}, exitUsage},
		"unknown argument":      {"", append([]string{"schedule.sync", "--arg", "hush=1"}, day...), exitUsage},
		"argument twice":        {"", append([]string{"schedule.sync", "--arg", "practice=hush"}, day...), exitUsage},
		"argument, no value":    {"", append([]string{"schedule.sync", "--arg", "hush"}, day...), exitUsage},
		"no date":               {"", []string{"schedule.sync", "--tenant", "clinic-a", "--arg", "practice=1", "--arg", "from=hush", "--arg", "to=hush"}, exitUsage},
		"--arg and --json-args": {"{}", append([]string{"schedule.sync", "--json-args", "-"}, day...), exitUsage},
		"inline JSON":           {"", []string{"patient.sync", "--tenant", "clinic-a", "--json-args", `{"patient":"hush"}`}, exitUsage},
		"truncated JSON":        {`{"patient":"hush`, []string{"patient.sync", "--tenant", "clinic-a", "--json-args", "-"}, exitUsage},
		"two documents":         {`{"practice":"1","patient":"hush"} {}`, []string{"patient.sync", "--tenant", "clinic-a", "--json-args", "-"}, exitUsage},
		"huge JSON":             {`{"practice":"1","patient":"hush"}` + strings.Repeat(" ", tasks.MaxPayload), []string{"patient.sync", "--tenant", "clinic-a", "--json-args", "-"}, exitUsage},
		"no such file":          {"", []string{"patient.sync", "--tenant", "clinic-a", "--json-args", "@/nowhere/args.json"}, exitFailed},
		"at and in":             {"", append([]string{"schedule.sync", "--at", "2199-01-01T00:00:00Z", "--in", "1h"}, day...), exitUsage},
		"at without a time":     {"", append([]string{"schedule.sync", "--at", "tomorrow"}, day...), exitUsage},
		"at in the past":        {"", append([]string{"schedule.sync", "--at", "2020-01-01T00:00:00Z"}, day...), exitUsage},
		"in negative":           {"", append([]string{"schedule.sync", "--in", "-1h"}, day...), exitUsage},
		"foreign lane":          {"", append([]string{"schedule.sync", "--lane", "warm"}, day...), exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Without an environment: all of these are refused before a store is opened.
			o := roundsWith(t, nil, c.stdin, append([]string{"enqueue", "--json"}, c.args...)...)
			if f := failed(t, o.stdout); o.code != c.exit || f.Exit != c.exit || f.Code == "CONFIG" {
				t.Errorf("exit %d, %+v; want %d", o.code, f, c.exit)
			}
			if strings.Contains(o.stdout, "hush") {
				t.Errorf("a value is repeated: %s", o.stdout)
			}
		})
	}
}

func TestEnqueueReportsRefusals(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	o := rounds(t, h.vars, "enqueue", "schedule.sync", "--tenant", "clinic-a", "--json",
		"--arg", "practice=1", "--arg", "from=2026-03-02", "--arg", "to=2026-03-01")
	if f := failed(t, o.stdout); o.code != exitUsage || f.Code != "INVALID" || !strings.Contains(f.What, "from is after to") {
		t.Errorf("exit %d, %+v", o.code, f)
	}
	elsewhere := slices.Clone(day)
	elsewhere[1] = "clinic-z"
	o = rounds(t, h.vars, append([]string{"enqueue", "schedule.sync", "--json"}, elsewhere...)...)
	if f := failed(t, o.stdout); o.code != exitNotFound || f.Code != "TENANT_NOT_FOUND" {
		t.Errorf("exit %d, %+v", o.code, f)
	}
}

func TestTaskShowUnknown(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := document[receipt](t, rounds(t, h.vars, append([]string{"enqueue", "schedule.sync", "--json"}, day...)...).stdout).ID
	other := newHarness(t) // another queue, without this task
	o := rounds(t, other.vars, "task", "show", id, "--json")
	if f := failed(t, o.stdout); o.code != exitNotFound || f.Code != "TASK_NOT_FOUND" {
		t.Errorf("exit %d, %+v", o.code, f)
	}
	o = rounds(t, h.vars, "task", "show", "no-such-thing", "--json")
	if f := failed(t, o.stdout); o.code != exitUsage {
		t.Errorf("exit %d, %+v", o.code, f)
	}

	// A dead letter is kept longer than the task in the queue.
	dead := ledger.DeadLetter{TaskID: id, Tenant: "clinic-a", Kind: "schedule.sync", Lane: "sync", Code: "denied", Attempts: 3, DiedAt: time2026}
	if err := other.ledger.Bury(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	s := document[taskDoc](t, rounds(t, other.vars, "task", "show", id, "--json").stdout)
	if s.State != tasks.StateDead || s.Code != "denied" || s.Attempt != 3 || s.DeadLetter != ledger.StateOpen || !s.FinishedAt.Equal(time2026) {
		t.Errorf("%+v", s)
	}
	if o := rounds(t, other.vars, "task", "show", id); !strings.Contains(o.stdout, "because      denied\n") {
		t.Errorf("%+v", o)
	}
}
