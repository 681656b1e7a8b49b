package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/alarm"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/status"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	rdb, err := redisconn.Dial(h.vars["ROUNDS_QUEUE_REDIS"], redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	o := rounds(t, h.vars, "status")
	if o.code != exitOK || !strings.Contains(o.stdout, "note   worker     no worker is running\n") || !strings.Contains(o.stdout, "  next   start a worker") {
		t.Errorf("before any process has run: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	d := status.Document{At: time.Now(), Breakers: []status.Breaker{{Scope: "host", State: string(breaker.Open), Reason: "unavailable"}}}
	if err := status.Write(t.Context(), rdb, d); err != nil {
		t.Fatal(err)
	}
	o = rounds(t, h.vars, "status", "--json")
	doc := document[statusDoc](t, o.stdout)
	if o.code != exitCheck || doc.OK || len(doc.Alarms) != 2 || doc.Alarms[0].State != alarm.Worker || doc.Alarms[1].State != alarm.Breaker || !doc.Alarms[1].Fault {
		t.Errorf("with an open breaker: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	o = rounds(t, h.vars, "status")
	if o.code != exitCheck || !strings.Contains(o.stdout, "FAULT  breaker    the breaker of the vendor's host is open\n  found  unavailable") {
		t.Errorf("with an open breaker: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// A store that does not answer is a finding, not a failure of the command.
func TestStatusWithoutStore(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for name, url := range map[string]string{
		"ROUNDS_QUEUE_REDIS": "redis://:hush@" + progtest.Vacant(t) + "/0", "ROUNDS_LEDGER": "postgres://rounds:hush@" + progtest.Vacant(t) + "/rounds",
	} {
		o := rounds(t, h.with(map[string]string{name: url}), "status", "--json")
		doc := document[statusDoc](t, o.stdout)
		if o.code != exitCheck || len(doc.Alarms) == 0 || doc.Alarms[0].State != alarm.Store || strings.Contains(o.stdout+o.stderr, "hush") {
			t.Errorf("%s: exit %d\n%s%s", name, o.code, o.stdout, o.stderr)
		}
	}
	if o := rounds(t, h.with(map[string]string{"ROUNDS_LEDGER": "sqlite:" + h.dir + "/other.db"}), "status"); o.code != exitDependency {
		t.Errorf("without a ledger: exit %d", o.code)
	}
}
