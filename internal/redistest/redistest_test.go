package redistest_test

import (
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	a, b := redistest.New(t), redistest.New(t)
	if err := a.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Exists(t.Context(), "k").Result(); err != nil || n != 0 {
		t.Fatalf("another test's key is visible: %d, %v", n, err)
	}
}

func TestMiniExpiresKeys(t *testing.T) {
	t.Parallel()
	c := redistest.Mini(t)
	if err := c.Set(t.Context(), "k", "v", 50*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.Exists(t.Context(), "k").Val() != 0 {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the key never expired")
		}
	}
}
