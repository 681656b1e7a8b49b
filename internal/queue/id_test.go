package queue

import (
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestID(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{Push, "lab.sync", "billing-2.night-run", "own"} {
		id := ID{Lane: lane, Digest: digest("q"), Generation: 1234567890123456}
		if got := parse(t, id.String()); got != id {
			t.Errorf("%v read as %v", id, got)
		}
		// asynqmon's column of IDs ends at the first hyphen.
		if shown, _, _ := strings.Cut(id.String(), "-"); !strings.HasPrefix(shown, digest("q")+".1234567890123456.") {
			t.Errorf("asynqmon shows %q", shown)
		}
	}
	former := parse(t, "push-"+digest("q")+"-12")
	if want := (ID{Lane: Push, Digest: digest("q"), Generation: 12, former: true}); former != want || former.String() != "push-"+digest("q")+"-12" {
		t.Errorf("an ID of an earlier release: %+v", former)
	}
	d := digest("a")
	for _, s := range []string{
		"", "-", "--", "sync", "sync-" + d, "sync-" + d + "-", "sync-" + d + "--1", "sync-" + d + "-01", "sync-" + d + "-+1", "sync-" + digest("A") + "-1",
		"other-" + d + "-1", "lab.sync-" + d + "-1", "sync-" + d[1:] + "-1", "sync-" + d + "-1-1", "sync-" + d + "-99999999999999999999", "sync-" + digest("}") + "-1",
		".", "..", d, d + ".", d + ".1", d + ".1.", d + "..sync", d + ".01.sync", d + ".+1.sync", d + ".1.Sync", d + ".1.sync.", d + ".1.a.b.c", d + ".1..sync",
		d + ".1.{sync}", d + ".1.sync:t", d + ".99999999999999999999.sync", d[1:] + ".1.sync", digest("A") + ".1.sync", d + ".1." + strings.Repeat("a", 33),
	} {
		if got, err := ParseID(s); err == nil {
			t.Errorf("%q read as %v", s, got)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("sync-" + digest("a") + "-1")
	f.Add(digest("a") + ".1.lab.sync")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseID(s); err == nil && id.String() != s {
			t.Errorf("%q read as %q", s, id)
		}
	})
}

func TestLanesOfServices(t *testing.T) {
	t.Parallel()
	for lane, want := range map[string]struct {
		quarantine, interactive string
		isQuarantine            bool
	}{
		Sync:              {Quarantine, Interactive, false},
		Quarantine:        {Quarantine, Interactive, true},
		"lab.sync":        {"lab.quarantine", "lab.interactive", false},
		"lab.quarantine":  {"lab.quarantine", "lab.interactive", true},
		"lab.interactive": {"lab.quarantine", "lab.interactive", false},
	} {
		if QuarantineOf(lane) != want.quarantine || InteractiveOf(lane) != want.interactive ||
			IsQuarantine(lane) != want.isQuarantine {
			t.Errorf("%s: siblings %s and %s", lane, QuarantineOf(lane), InteractiveOf(lane))
		}
	}
	rdb := redistest.New(t)
	rdb.SAdd(t.Context(), asynqQueues, "lab.sync", Warm, "bulk", "Jane Doe", "a.b.c")
	got, err := FindLanes(t.Context(), rdb)
	if want := append(Lanes(), "lab.sync"); err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("lanes %q, %v", got, err)
	}
}
