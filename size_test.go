package rounds_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// maxClientRatio is how much larger a program that enqueues through tasks.Client may be than one
// that does the same with asynq.Client, OpenTelemetry's API and Tink.
const maxClientRatio = 1.3

// TestClientIsLight builds both programs with the flags of the tests, unlike scripts/sizes, so that
// they share compiled packages with the tests.
func TestClientIsLight(t *testing.T) {
	t.Parallel()
	ours, theirs := programSize(t, "rounds"), programSize(t, "asynq")
	ratio := ours / theirs
	t.Logf("enqueuer with tasks.Client: %.1f MB, with asynq.Client, OpenTelemetry's API and Tink: %.1f MB, ratio %.2f",
		ours, theirs, ratio)
	if ratio > maxClientRatio {
		t.Errorf("the client is %.2f times the size of its parts, want at most %.1f; see go list -deps ./tasks", ratio, maxClientRatio)
	}
}

// programSize builds a program of testdata/enqueuer and returns its size in megabytes.
func programSize(t *testing.T, name string) float64 {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", binary, "./testdata/enqueuer/"+name)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	return float64(info.Size()) / 1e6
}
