package recovery

import (
	"bytes"
	"context"
	"flag"
	"os"
	"testing"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// The test's binary is also the worker.
func TestMain(m *testing.M) {
	if code, ran := process.RunRole(context.Background(), WorkerRole); ran {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestShort lets six faults happen to real workers. Every row reaches its floor, other than that of
// a time: on a busy machine two of thirty tasks may wait in quarantine.
func TestShort(t *testing.T) {
	t.Parallel()
	flags := flag.NewFlagSet("recovery", flag.ContinueOnError)
	var progress bytes.Buffer
	flags.SetOutput(&progress)
	measure := Flags(flags)
	if err := flags.Parse([]string{"-short"}); err != nil {
		t.Fatal(err)
	}
	rows, err := measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Unit == "s" {
			if r.Ours <= 0 || r.Ours > 60 {
				t.Errorf("%s is %v s", r.Name, r.Ours)
			}
			continue
		}
		if !r.Pass() {
			t.Errorf("%s is %v, and its floor is %v", r.Name, r.Ours, *r.Floor)
		}
	}
	if len(rows) < 12 || progress.Len() == 0 {
		t.Errorf("%d rows, progress %q", len(rows), progress.String())
	}
}
