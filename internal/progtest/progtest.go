// Package progtest tests what every program of the project must do: how it reads its environment,
// starts and stops.
//
// A [Program] is a run function and what is specific to it: the environment it starts in, the
// variables it requires, the sentence it logs when it is ready. [Program.Check] tests the common
// behavior. A program's own tests use [Program.Start] and [Program.End] for the rest.
//
// The package imports no other package of the project, so that a program's test links what the
// program links and no more; the monitor's test would otherwise link keys. Each test supplies the
// parts of its environment.
package progtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	// patience is how long a program may take for what is immediate on an idle machine.
	patience = 20 * time.Second
	// platform is how long platforms let a process run after they have signaled it to stop.
	platform = 10 * time.Second
)

// Program is a program under test. Every field is required unless its comment says otherwise.
type Program struct {
	// Run is the function that main calls. It returns the exit code.
	Run func(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int
	// Environment returns development settings with which the program starts, with stores that no
	// other test uses.
	Environment func(t testing.TB) map[string]string
	// Needs names the variables without which the program does not start. The stores among them
	// must answer, too.
	Needs []string
	// Listens names the variables that hold listening addresses. Nil means that the program does
	// not listen.
	Listens []string
	// Ready is a text that the program logs once it does its work, and not before.
	Ready string
}

// Getenv returns a function that reads vars as os.Getenv reads the environment.
func Getenv(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// Outcome is the result of a program that has ended.
type Outcome struct {
	Code   int // -1 if it did not end
	Stderr string
	Took   time.Duration
}

// End runs the program until it ends by itself. The program is stopped after twenty seconds or when
// ctx ends, and abandoned ten seconds later.
func (p Program) End(ctx context.Context, vars map[string]string, args ...string) Outcome {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begun := time.Now()
	r := p.begin(ctx, vars, args...)
	code, err := r.end(patience + platform)
	if err != nil {
		code = -1
	}
	return Outcome{Code: code, Stderr: r.Log.String(), Took: time.Since(begun)}
}

// Process is a running program. Program.Start returns one.
type Process struct {
	// Log is its standard error.
	Log *LogBuffer

	signal context.CancelFunc
	done   chan struct{}
	code   int // valid once done is closed
}

// Start runs the program in the background until the test ends, and returns when it is ready. It
// fails the test if the program ends first, or is not ready within twenty seconds.
func (p Program) Start(t testing.TB, vars map[string]string) *Process {
	t.Helper()
	r := p.begin(t.Context(), vars)
	t.Cleanup(func() { r.Signal(); _, _ = r.end(platform) })
	if err := r.ready(); err != nil {
		t.Fatal(err)
	}
	return r
}

// Signal asks the program to stop, as SIGTERM does, and does not wait. It may be called more than
// once.
func (r *Process) Signal() { r.signal() }

// Ended waits for the program to end and fails the test unless it ends in time, with exit code 0.
func (r *Process) Ended(t testing.TB, within time.Duration) {
	t.Helper()
	if err := r.ended(within); err != nil {
		t.Error(err)
	}
}

func (p Program) begin(ctx context.Context, vars map[string]string, args ...string) *Process {
	ctx, cancel := context.WithCancel(ctx)
	r := &Process{Log: NewLogBuffer(p.Ready), signal: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.code = p.Run(ctx, args, Getenv(vars), io.Discard, r.Log)
	}()
	return r
}

func (r *Process) ready() error {
	select {
	case <-r.Log.seen:
		return nil
	case <-r.done:
		return fmt.Errorf("the program exited with %d before it was ready:\n%s", r.code, r.Log)
	case <-time.After(patience):
		return fmt.Errorf("the program never logs %q:\n%s", r.Log.want, r.Log)
	}
}

func (r *Process) end(within time.Duration) (code int, err error) {
	select {
	case <-r.done:
		return r.code, nil
	case <-time.After(within):
		return 0, fmt.Errorf("the program does not stop within %s:\n%s", within, r.Log)
	}
}

func (r *Process) ended(within time.Duration) error {
	code, err := r.end(within)
	if err == nil && code != 0 {
		err = fmt.Errorf("the program exited with %d after it was signaled to stop, want 0:\n%s", code, r.Log)
	}
	return err
}

// File writes a file that only its owner may read, in a folder of the test, and returns its path.
func File(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Keyset is File for a keyset made by generate, which is phi.Generate.
func Keyset[K interface{ JSON() ([]byte, error) }](t testing.TB, generate func() (K, error)) string {
	t.Helper()
	keys, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	data, err := keys.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return File(t, string(data))
}

// Vacant returns a loopback address on which nothing listens.
func Vacant(t testing.TB) string {
	t.Helper()
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// Silent returns a loopback address that accepts connections and never answers.
func Silent(t testing.TB) string {
	t.Helper()
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// listen accepts connections on a free port and never answers.
func listen() (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
}
