package diagnose

import (
	"testing"
	"time"
)

func TestAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]string{
		now.Add(-1234 * time.Millisecond): "1.2s ago",
		now.Add(-90 * time.Second):        "1m30s ago",
		now.Add(10 * time.Second):         "in 10s",
	} {
		if got := Ago(at, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
