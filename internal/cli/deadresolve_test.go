package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestDeadResolve(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ids := h.fill(t, queue.Sync, 4, time.Hour, 0)
	h.archive(t, ids, "vendor_denied")
	dry := rounds(t, h.keyless(), "dead", "resolve", "--all", "--reason", "x", "--dry-run", "--json")
	if d := document[resolveDoc](t, dry.stdout); dry.code != exitOK || d.Selected != 4 || d.Resolved != 0 {
		t.Errorf("%+v", dry)
	}
	o := rounds(t, h.keyless(), "dead", "resolve", ids[0], "--reason", "fixed by  ops-12", "--json")
	if d := document[resolveDoc](t, o.stdout); o.code != exitOK || d.Resolved != 1 || d.Reason != "fixed-by-ops-12" {
		t.Errorf("%+v", o)
	}
	for _, want := range []string{"dead letter resolved task=" + ids[0] + " reason=fixed-by-ops-12", "dead letters resolved count=1 reason=fixed-by-ops-12"} {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("the log has no %q:\n%s", want, o.stderr)
		}
	}
	if l, err := h.ledger.DeadLetter(t.Context(), ids[0]); err != nil || l.State != ledger.StateResolved || l.Reason != "fixed-by-ops-12" {
		t.Errorf("%+v, %v", l, err)
	}
	if o := rounds(t, h.keyless(), "dead", "show", ids[0]); !strings.Contains(o.stdout, ledger.StateResolved+": fixed-by-ops-12") {
		t.Errorf("%+v", o)
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{ids[0], "--reason", "x"}, exitConflict},
		{[]string{ids[0], ids[1], "--reason", "x"}, exitPartly},
		{[]string{"sync-" + strings.Repeat("a", 26) + "-1", "--reason", "x"}, exitNotFound},
		{[]string{"--all", "--reason", "x"}, exitUsage}, // without --yes
		{[]string{ids[2]}, exitUsage},
		{[]string{ids[2], "--reason", " "}, exitUsage},
		{[]string{ids[2], "--reason", "Jane Doe; 1980"}, exitUsage},
		{[]string{ids[2], "--reason", strings.Repeat("x", ledger.MaxReason+1)}, exitUsage},
		{[]string{ids[2], "--all", "--reason", "x"}, exitUsage},
		{[]string{"--reason", "x"}, exitUsage},
		{[]string{"--all", "--code", "timeout", "--reason", "x", "--yes"}, exitOK},
		{[]string{"--all", "--code", "vendor_denied", "--reason", "x", "--yes"}, exitOK},
	} {
		if o := rounds(t, h.keyless(), append([]string{"dead", "resolve", "--json"}, c.args...)...); o.code != c.code {
			t.Errorf("%v: %+v", c.args, o)
		}
	}
	if left, err := h.ledger.DeadLetters(t.Context(), ledger.Filter{State: ledger.StateOpen}); err != nil || len(left) != 0 {
		t.Errorf("open: %+v, %v", left, err)
	}
}

func TestDeadGroups(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ids := h.fill(t, queue.Sync, 3, time.Hour, 0)
	h.archive(t, ids, "vendor_denied")
	h.buryForeign(t)
	o := rounds(t, h.keyless(), "dead", "groups", "--json")
	d := document[deadGroupsDoc](t, o.stdout)
	if o.code != exitOK || len(d.Groups) != 2 || d.Groups[0].DeadLetters != 3 || d.Groups[0].Means == "" || len(d.Groups[0].Examples) != 2 ||
		d.Groups[0].First.After(d.Groups[0].Last) {
		t.Errorf("%+v", o)
	}
	text := rounds(t, h.keyless(), "dead", "groups", "--since", "48h")
	if strings.Contains(strings.ToLower(o.stdout+text.stdout), "jane") || !strings.Contains(text.stdout, ids[0]) && !strings.Contains(text.stdout, ids[1]) && !strings.Contains(text.stdout, ids[2]) {
		t.Errorf("%+v", text)
	}
	if o := rounds(t, h.keyless(), "dead", "groups", "--state", "lost"); o.code != exitUsage {
		t.Errorf("%+v", o)
	}
}

// buryForeign stores a dead letter as an earlier release did for another program's task.
func (h *harness) buryForeign(t *testing.T) {
	t.Helper()
	err := h.ledger.Bury(t.Context(), ledger.DeadLetter{
		TaskID: "jane.doe", Tenant: "jane-doe", Kind: "jane.doe", Lane: "jane", Code: "malformed_id", DiedAt: time2026, Payload: []byte("Jane Doe"),
		Headers: map[string]string{"tenant": "jane-doe"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDeadExport(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ids := h.fill(t, queue.Sync, maxDeadLetters+2, time.Hour, 0)
	h.archive(t, ids[:3], "vendor_denied")
	for _, id := range ids[3:] {
		d := ledger.DeadLetter{TaskID: id, Tenant: "clinic-a", Kind: "patient.sync", Lane: "sync", Code: "timeout", DiedAt: time2026, Payload: append([]byte{1}, make([]byte, 60)...)}
		if err := h.ledger.Bury(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	h.buryForeign(t)
	o := rounds(t, h.keyless(), "dead", "export", "--payloads")
	lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
	if o.code != exitOK || len(lines) != len(ids)+1 || strings.Contains(strings.ToLower(o.stdout), "jane") || strings.Contains(o.stdout, "c2VhbGVk") {
		t.Fatalf("%d lines, exit code %d: %.500s", len(lines), o.code, o.stdout)
	}
	payloads := 0
	for _, line := range lines {
		var d exportedDoc
		if err := json.Unmarshal([]byte(line), &d); err != nil || d.Task == "" || d.Code == "" {
			t.Fatalf("%s: %v", line, err)
		}
		if len(d.Payload) > 0 {
			payloads++
		}
	}
	if payloads != len(ids)-3 {
		t.Errorf("%d lines have a sealed payload", payloads)
	}
	o = rounds(t, h.keyless(), "dead", "export", "--code", "vendor_denied", "--state", "open", "--json")
	if o.code != exitOK || strings.Count(o.stdout, "\n") != 3 || strings.Contains(o.stdout, `"payload"`) {
		t.Errorf("%+v", o)
	}
}

func TestDeadReplayDryRunSaysWhatWouldDieAgain(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	keyset, err := os.ReadFile(filepath.Clean(h.vars["ROUNDS_KEYS"]))
	if err != nil {
		t.Fatal(err)
	}
	client, err := tasks.NewClient(tasks.ClientOptions{Redis: h.rdb(t), Keys: keyset})
	if err != nil {
		t.Fatal(err)
	}
	bury := func(spoil func(*tasks.Delivery)) {
		t.Helper()
		d, err := client.Seal(t.Context(), "clinic-a", tasks.SyncPatient{Practice: "7", Patient: "4711"})
		if err != nil {
			t.Fatal(err)
		}
		spoil(&d)
		err = h.ledger.Bury(t.Context(), ledger.DeadLetter{
			TaskID: d.ID, Tenant: "clinic-a", Kind: d.Kind, Lane: d.Lane, Code: "timeout", DiedAt: time2026, Payload: d.Payload, Headers: d.Headers,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	bury(func(*tasks.Delivery) {})
	bury(func(d *tasks.Delivery) { d.Kind = "newer.kind" })
	bury(func(d *tasks.Delivery) { d.Headers["v"] = "9" })
	bury(func(d *tasks.Delivery) { d.Payload = nil })
	bury(func(d *tasks.Delivery) { d.Payload[9]++ })
	bury(func(d *tasks.Delivery) {
		d.Headers["enqueued_at"] = time.Now().Add(-25 * time.Hour).UTC().Format(time.RFC3339Nano)
	})
	for name, c := range map[string]struct {
		vars map[string]string
		want []string
	}{
		"without keys": {h.keyless(), []string{"newer_version", "payload_lost", "too_old", "unknown_kind"}},
		"with keys":    {h.vars, []string{"does_not_open", "newer_version", "payload_lost", "too_old", "unknown_kind"}},
	} {
		o := rounds(t, c.vars, "dead", "replay", "--all", "--dry-run", "--json")
		d := document[replayDoc](t, o.stdout)
		got := map[string]int{}
		for _, f := range d.DieAgain {
			got[string(f.Code)] = f.DeadLetters
			if f.Means == "" || len(f.Examples) != 1 {
				t.Errorf("%s: %+v", name, f)
			}
		}
		for _, code := range c.want {
			if got[code] != 1 {
				t.Errorf("%s: %d of %s, want 1", name, got[code], code)
			}
		}
		if o.code != exitOK || d.Selected != 6 || len(got) != len(c.want) || d.Opened != (name == "with keys") {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if o := rounds(t, h.keyless(), "dead", "replay", "--all", "--dry-run"); !strings.Contains(o.stdout, "1 would die again with payload_lost: ") {
		t.Errorf("%+v", o)
	}
	broken := filepath.Join(h.dir, "broken.keys")
	if err := os.WriteFile(broken, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o := rounds(t, h.with(map[string]string{"ROUNDS_KEYS": broken}), "dead", "replay", "--all", "--dry-run", "--json"); o.code != exitUsage {
		t.Errorf("%+v", o)
	}
}
