package queue

import (
	"testing"
)

func TestID(t *testing.T) {
	t.Parallel()
	id := ID{Lane: Push, Digest: digest("q"), Generation: 1234567890123456}
	if got := parse(t, id.String()); got != id {
		t.Errorf("%v read as %v", id, got)
	}
	for _, s := range []string{
		"", "-", "--", "sync", "sync-" + digest("a"), "sync-" + digest("a") + "-", "sync-" + digest("a") + "--1",
		"sync-" + digest("a") + "-01", "sync-" + digest("a") + "-+1", "sync-" + digest("A") + "-1", "other-" + digest("a") + "-1",
		"sync-" + digest("a")[1:] + "-1", "sync-" + digest("a") + "-1-1", "sync-" + digest("a") + "-99999999999999999999", "sync-" + digest("}") + "-1",
	} {
		if got, err := ParseID(s); err == nil {
			t.Errorf("%q read as %v", s, got)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("sync-" + digest("a") + "-1")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseID(s); err == nil && id.String() != s {
			t.Errorf("%q read as %q", s, id)
		}
	})
}
