package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/progtest"
)

// TestMain makes the test binary run as the program if the variable is set, so that tests run main
// itself.
func TestMain(m *testing.M) {
	if os.Getenv("ROUNDS_TEST_BE_ROUNDS") != "" {
		main()
	}
	os.Exit(m.Run())
}

// program returns the program with these arguments and an otherwise empty environment.
func program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = []string{"ROUNDS_TEST_BE_ROUNDS=1"}
	return cmd
}

func TestEveryMissingVariableIsNamed(t *testing.T) {
	t.Parallel()
	cmd := program(t.Context(), "board", "show", "--tenant", "clinic-a")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if _ = cmd.Run(); cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("exit %d, want 2", cmd.ProcessState.ExitCode())
	}
	for _, name := range []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_CACHE_REDIS", "ROUNDS_LEDGER", "ROUNDS_KEYS"} {
		if !strings.Contains(stderr.String(), name) {
			t.Errorf("%s is missing from:\n%s", name, stderr.String())
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	out, err := program(t.Context(), "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "rounds ") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestSignalsEndTheSimulator(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := program(ctx, "sim", "--addr", "127.0.0.1:0", "--patients", "5", "--visits", "1")
			log := progtest.NewLogBuffer("interrupt to stop")
			cmd.Stderr = log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			log.Wait(t)
			if err := cmd.Process.Signal(signal); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("ended with %v, want 0", err)
			}
		})
	}
}
