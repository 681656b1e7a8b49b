package cli

import (
	"os/exec"
	"strings"
	"testing"
)

func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		o := rounds(t, nil, "completion", shell)
		if o.code != exitOK || o.stderr != "" || !strings.Contains(o.stdout, "__complete") {
			t.Errorf("%s: exit %d, stderr %q, %d bytes", shell, o.code, o.stderr, len(o.stdout))
		}
		d := document[map[string]string](t, rounds(t, nil, "completion", shell, "--json").stdout)
		if d["shell"] != shell || d["script"] != o.stdout {
			t.Errorf("%s: the document differs from the script", shell)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			continue // the shell is not installed
		}
		check := exec.CommandContext(t.Context(), path, "-n")
		check.Stdin = strings.NewReader(o.stdout)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s cannot parse its script: %v\n%s", shell, err, out)
		}
	}
}

// complete returns the completions of a command line.
func complete(t *testing.T, vars map[string]string, args ...string) string {
	t.Helper()
	o := rounds(t, vars, append([]string{"__complete"}, args...)...)
	if o.code != exitOK {
		t.Errorf("%v: %+v", args, o)
	}
	return o.stdout
}

func TestCompletionValues(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"queue", "pause", ""}, "interactive\npush\nsync\nwarm\nquarantine\n:4\n"},
		{[]string{"queue", "pause", "sync", ""}, ":4\n"},
		{[]string{"queue", "purge", "sync", "--state", ""}, "archived\nscheduled\nretry\n:4\n"},
		{[]string{"dead", "list", "--tenant", ""}, "clinic-a\n:4\n"},
		{[]string{"dead", "list", "--tenant", "x"}, ":4\n"},
		{[]string{"board", "show", "--tenant", "clinic"}, "clinic-a\n:4\n"},
		{[]string{"enqueue", "schedule.sync", "--tenant", ""}, "clinic-a\n:4\n"},
	} {
		if got := complete(t, h.keyless(), c.args...); got != c.want {
			t.Errorf("%v: %q, want %q", c.args, got, c.want)
		}
	}
	if got := complete(t, nil, "dead", "list", "--tenant", ""); got != ":4\n" {
		t.Errorf("without a ledger: %q", got)
	}
	for flag, want := range map[string]string{"--kind": "patient.sync\n", "--code": "does_not_open\n"} {
		if got := complete(t, nil, "dead", "replay", flag, ""); !strings.Contains(got, want) || !strings.HasSuffix(got, "\n:4\n") {
			t.Errorf("%s: %q", flag, got)
		}
	}
}
