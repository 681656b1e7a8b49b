package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/breaker"
)

func TestBreakerCommands(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	vars := h.keyless()
	vars["USER"] = "ann e/"
	o := rounds(t, vars, "breaker", "open", "GetPatient", "--tenant", "clinic-a", "--reason", "vendor is down", "--for", "30m", "--yes", "--json")
	d := document[breakerShowDoc](t, o.stdout).Breaker
	if o.code != exitOK || d.State != string(breaker.Open) || d.Forced == nil || d.Forced.By != "cli:anne" || d.Forced.Reason != "vendor-is-down" ||
		time.Until(d.Forced.Until) > 30*time.Minute || d.Delays != "calls of GetPatient of clinic-a" || !d.Probe.IsZero() {
		t.Errorf("%d: %s%s", o.code, o.stdout, o.stderr)
	}
	if !strings.Contains(o.stderr, "vendor-is-down") {
		t.Errorf("the log lacks the decision: %s", o.stderr)
	}
	list := document[breakersDoc](t, rounds(t, vars, "breaker", "list", "--json").stdout)
	if len(list.Breakers) != 2 || list.Breakers[0].Scope != breaker.Host || list.Breakers[1].Scope != "GetPatient" {
		t.Errorf("%+v", list)
	}
	if o = rounds(t, vars, "breaker", "list"); o.code != exitOK || !strings.Contains(o.stdout, "cli:anne until ") {
		t.Errorf("%d: %s%s", o.code, o.stdout, o.stderr)
	}
	if o = rounds(t, vars, "breaker", "release", "GetPatient", "--tenant", "clinic-a", "--reason", "over", "--yes"); o.code != exitOK || !strings.Contains(o.stdout, "clinic-a GetPatient released: it is probing") {
		t.Errorf("%d: %s%s", o.code, o.stdout, o.stderr)
	}
	if o = rounds(t, vars, "breaker", "close", "GetPatient", "--tenant", "clinic-a", "--reason", "sure", "--yes"); o.code != exitOK || !strings.Contains(o.stdout, "clinic-a GetPatient kept closed until ") {
		t.Errorf("%d: %s%s", o.code, o.stdout, o.stderr)
	}
	show := document[breakerShowDoc](t, rounds(t, vars, "breaker", "show", "GetPatient", "--tenant", "clinic-a", "--json").stdout)
	if show.Breaker.State != string(breaker.Ramp) || show.Breaker.Forced == nil || len(show.Actions) != 3 || show.Actions[0].Action != "breaker.close" || show.Actions[2].Action != "breaker.open" {
		t.Errorf("%+v", show)
	}
	if o = rounds(t, vars, "breaker", "show", "host"); o.code != exitOK || !strings.Contains(o.stdout, "host") {
		t.Errorf("%d: %s%s", o.code, o.stdout, o.stderr)
	}
}

func TestBreakerCommandsRefuse(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"open", "host", "--yes"}, exitUsage},
		{[]string{"open", "host", "--reason", "Jane's chart", "--yes"}, exitUsage},
		{[]string{"open", "host", "--reason", "x", "--for", "25h", "--yes"}, exitUsage},
		{[]string{"open", "host", "--reason", "x", "--for", "0s", "--yes"}, exitUsage},
		{[]string{"open", "host", "--tenant", "clinic-a", "--reason", "x", "--yes"}, exitUsage},
		{[]string{"open", "GetPatient", "--reason", "x", "--yes"}, exitUsage},
		{[]string{"open", "GetNothing", "--tenant", "clinic-a", "--reason", "x", "--yes"}, exitUsage},
		{[]string{"open", "GetPatient", "--tenant", "clinic-z", "--reason", "x", "--yes"}, exitNotFound},
		{[]string{"release", "host", "--reason", "x", "--yes"}, exitConflict},
	} {
		if o := rounds(t, h.keyless(), append([]string{"breaker"}, c.args...)...); o.code != c.code {
			t.Errorf("%v: exit %d\n%s", c.args, o.code, o.stderr)
		}
	}
	list := document[breakersDoc](t, rounds(t, h.keyless(), "breaker", "list", "--json").stdout)
	if len(list.Breakers) != 1 || list.Breakers[0].State != string(breaker.Closed) {
		t.Errorf("%+v", list)
	}
}
