package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/config"
)

func TestConfigShow(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	vars := h.with(map[string]string{"ROUNDS_QUEUE_REDIS": "redis://:" + hush + "@127.0.0.1:6379/3"})
	o := rounds(t, vars, "config", "show", "worker", "--json")
	d := document[configDoc](t, o.stdout)
	if o.code != exitOK || !d.OK || d.Process != "worker" || len(d.Settings) < 8 || len(d.Problems) != 0 || strings.Contains(o.stdout, hush) {
		t.Fatalf("%+v", o)
	}
	if q := d.Settings[1]; q != (settingDoc{"ROUNDS_QUEUE_REDIS", "redis://[secret]@127.0.0.1:6379/3", config.FromEnvironment}) {
		t.Errorf("%+v", q)
	}
	central := []zoneDoc{{"clinic-a", "1", "America/Chicago"}, {"clinic-a", "2", "America/Chicago"}}
	if diff := cmp.Diff(central, d.Practices); diff != "" {
		t.Errorf("zones (-want +got):\n%s", diff)
	}
	if o := rounds(t, vars, "config", "show", "worker"); !strings.Contains(o.stdout, "clinic-a  2         America/Chicago") {
		t.Errorf("%+v", o)
	}
	o = rounds(t, nil, "config", "show", "monitor")
	if o.code != exitOK || !strings.Contains(o.stdout, "ROUNDS_MONITOR_ADDR") || !strings.Contains(o.stderr, "rounds config validate monitor") {
		t.Errorf("%+v", o)
	}
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	if o := rounds(t, h.vars, "config", "validate", "scheduler"); o.code != exitOK || o.stdout != "scheduler: the configuration has no problem\n" {
		t.Errorf("%+v", o)
	}
	o := rounds(t, nil, "config", "validate", "gateway")
	if o.code != exitCheck || !strings.Contains(o.stdout, "ROUNDS_API_KEYS is not set\n  fix    ") || !strings.Contains(o.stdout, "ROUNDS_LEDGER is not set") {
		t.Errorf("%+v", o)
	}
	for _, verb := range []string{"show", "validate"} {
		o := rounds(t, nil, "config", verb, "cron", "--json")
		if f := failed(t, o.stdout); o.code != exitUsage || f.Code != "USAGE" || !strings.Contains(f.Found[0], "gateway") {
			t.Errorf("%s: %+v", verb, o)
		}
	}
}
