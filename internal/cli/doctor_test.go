package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/progtest"
)

func TestDoctorJSON(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, c := range []struct {
		changes map[string]string
		code    int
	}{{nil, exitOK}, {map[string]string{"ROUNDS_QUEUE_REDIS": "redis://:hush@" + progtest.Vacant(t)}, exitCheck}} {
		o := rounds(t, h.with(c.changes), "doctor", "--json")
		d := document[diagnose.Report](t, o.stdout)
		if o.code != c.code || o.stderr != "" || d.OK != (c.code == exitOK) || d.Mode != "dev" || d.Counts[diagnose.OK] == 0 || len(d.Findings) < 20 {
			t.Errorf("exit %d, stderr %q, report:\n%s", o.code, o.stderr, o.stdout)
		}
	}
}

func TestDoctorPrintsFixes(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	o := rounds(t, h.with(map[string]string{"ROUNDS_QUEUE_REDIS": "redis://" + progtest.Vacant(t)}), "doctor")
	for _, want := range []string{"fail  queue-redis ", "  means  without it no task", "  fix    start the server", "skip  queue-redis-policy", "ok    keyset"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is missing from:\n%s", want, o.stdout)
		}
	}
	if o.code != exitCheck || !strings.Contains(o.stderr, "checks failed") {
		t.Errorf("exit %d, stderr %q", o.code, o.stderr)
	}
}

func TestDoctorInterrupted(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	code := Run(ctx, []string{"doctor", "--json"}, getenv(h.vars), strings.NewReader(""), &out, &out)
	if f := failed(t, out.String()); code != exitInterrupted || f.Code != "INTERRUPTED" {
		t.Errorf("exit %d, %+v", code, f)
	}
}
