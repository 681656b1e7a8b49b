package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/cli"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// stack is a simulator and a worker within the test, and a gateway in a separate process.
type stack struct {
	dir  string // contains ./local
	vars map[string]string
}

// startStack starts a stack with the configuration that "rounds sim --write-config" writes, and
// stops it when the test ends.
func startStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{dir: t.TempDir(), vars: map[string]string{
		"ROUNDS_QUEUE_REDIS": redistest.URL(t), "ROUNDS_CACHE_REDIS": redistest.URL(t), "ROUNDS_GATEWAY_ADDR": progtest.Vacant(t),
	}}
	log := progtest.NewLogBuffer("interrupt to stop")
	s.background(t, func(ctx context.Context) error {
		args := []string{"sim", "--addr", "127.0.0.1:0", "--patients", "12", "--visits", "3", "--write-config", filepath.Join(s.dir, "local")}
		cli.Run(ctx, args, progtest.Getenv(maps.Clone(s.vars)), strings.NewReader(""), io.Discard, log)
		return nil
	})
	log.Wait(t)
	s.source(t)
	c, err := config.LoadWorker(progtest.Getenv(s.vars))
	if err != nil {
		t.Fatal(err)
	}
	c.Health = ""
	w, err := app.NewWorker(t.Context(), app.WorkerOptions{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	s.background(t, w.Run)
	s.gateway(t)
	return s
}

// background runs f until the test ends.
func (s *stack) background(t *testing.T, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// source reads the variables of the written rounds.env with a shell.
func (s *stack) source(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "bash", "-c", `. "$1" && env -0`, "bash", filepath.Join(s.dir, "local", "rounds.env")).Output()
	if err != nil {
		t.Fatal(err)
	}
	for entry := range strings.SplitSeq(string(out), "\x00") {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, "ROUNDS_") {
			s.vars[name] = value
		}
	}
}

// gateway starts the program, and stops it with SIGTERM when the test ends.
func (s *stack) gateway(t *testing.T) {
	t.Helper()
	log := progtest.NewLogBuffer(program.Ready)
	cmd := exec.Command(os.Args[0])
	cmd.Stderr = log
	cmd.Env = []string{beGateway + "=1", "ROUNDS_HEALTH_ADDR=off"}
	for name, value := range s.vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		begun := time.Now()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || time.Since(begun) > 10*time.Second {
			t.Errorf("the gateway ended with %v after %v:\n%s", err, time.Since(begun), log)
		}
	})
	log.Wait(t)
}

// transcript returns the commands of docs/api.md, which begin with "$ ", and the output below each.
func transcript(t *testing.T) (commands, outputs []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		code, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		command, isCommand := strings.CutPrefix(code, "$ ")
		switch {
		case !ok:
		case isCommand:
			commands, outputs = append(commands, command), append(outputs, "")
		default:
			outputs[len(outputs)-1] += code + "\n"
		}
	}
	if len(commands) < 15 {
		t.Fatalf("%d commands in docs/api.md", len(commands))
	}
	return commands, outputs
}

// matches reports whether got equals want, where each "…" in want matches any text.
func matches(got, want string) bool {
	parts := strings.Split(want, "…")
	if len(parts) == 1 {
		return got == want
	}
	if !strings.HasPrefix(got, parts[0]) || !strings.HasSuffix(got, parts[len(parts)-1]) {
		return false
	}
	for _, p := range parts {
		_, rest, ok := strings.Cut(got, p)
		if !ok {
			return false
		}
		got = rest
	}
	return true
}

// TestAPIPage runs the commands of docs/api.md in one bash and compares each output with the page.
func TestAPIPage(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	commands, outputs := transcript(t)
	const end = "\x1eend of command\n"
	var script strings.Builder
	script.WriteString("set -u\n")
	for _, c := range commands {
		script.WriteString(c + "\nprintf '\\036end of command\\n'\n")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // background commands end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	if stderr.Len() > 0 {
		t.Errorf("on stderr:\n%s", stderr.String())
	}
	got := strings.Split(stdout.String(), end)
	for i, want := range outputs {
		if !matches(got[i], want) {
			t.Errorf("$ %s\n%s\ndocs/api.md has:\n%s", commands[i], got[i], want)
		}
	}
}
