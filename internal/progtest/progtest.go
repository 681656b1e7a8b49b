// Package progtest holds our programs to what each of them promises to whoever starts it.
//
// A [Program] is a run function and what is its own: the environment it starts in, the variables it needs, the sentence by
// which it says that it is ready. [Program.Check] tests the promises; what is special to one program its own tests look at,
// by [Program.Start] and [Program.End].
//
// Nothing of ours is imported here, so that a program's test links what the program does and no more: the monitor's would
// meet keys otherwise. Each test brings the parts of its environment.
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
	// patience is how long a program may take to do what it does at once on a quiet machine.
	patience = 20 * time.Second
	// platform is how long platforms let a process live after they have told it to stop.
	platform = 10 * time.Second
)

// Program is a program under test. Every field is required, unless it says otherwise.
type Program struct {
	// Run is what its main function calls. It returns the exit code.
	Run func(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int
	// Environment returns variables for development with which it starts, and stores that no other test has.
	Environment func(t testing.TB) map[string]string
	// Needs names the variables without which it does not start. The stores among them have to answer, too.
	Needs []string
	// Listens names the variables that say where it listens. Nil: nowhere.
	Listens []string
	// Ready is in its log as soon as it does its work, and not before.
	Ready string
}

// Getenv returns a function that reads variables as os.Getenv does.
func Getenv(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// Outcome is how a program ended.
type Outcome struct {
	Code   int // -1 when it did not end
	Stderr string
	Took   time.Duration
}

// End runs the program until it ends by itself. After twenty seconds it is told to stop, as it is when ctx ends, and ten
// seconds later it is given up.
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

// Process is a program that runs. Start makes one.
type Process struct {
	// Log is what it writes to its standard error.
	Log *LogBuffer

	signal context.CancelFunc
	done   chan struct{}
	code   int // once done is closed
}

// Start runs the program beside the test, at most until the test ends, and returns when it is ready. It fails the test when
// the program ends before, or is not ready within twenty seconds.
func (p Program) Start(t testing.TB, vars map[string]string) *Process {
	t.Helper()
	r := p.begin(t.Context(), vars)
	t.Cleanup(func() { r.Signal(); _, _ = r.end(platform) })
	if err := r.ready(); err != nil {
		t.Fatal(err)
	}
	return r
}

// Signal tells the program to stop, as SIGTERM does, and does not wait. It can be repeated.
func (r *Process) Signal() { r.signal() }

// Ended waits for the program's end and fails the test unless it comes in time, with exit code 0.
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
		return fmt.Errorf("it ended with %d before it was ready:\n%s", r.code, r.Log)
	case <-time.After(patience):
		return fmt.Errorf("it never says %q:\n%s", r.Log.want, r.Log)
	}
}

func (r *Process) end(within time.Duration) (code int, err error) {
	select {
	case <-r.done:
		return r.code, nil
	case <-time.After(within):
		return 0, fmt.Errorf("it does not stop within %s:\n%s", within, r.Log)
	}
}

func (r *Process) ended(within time.Duration) error {
	code, err := r.end(within)
	if err == nil && code != 0 {
		err = fmt.Errorf("it ended with %d after being told to stop, want 0:\n%s", code, r.Log)
	}
	return err
}

// File writes a file that goes with the test, for its owner alone, and returns its path.
func File(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Keyset is File for a keyset that generate makes, which is phi.Generate.
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

// Vacant returns an address on loopback where nobody listens.
func Vacant(t testing.TB) string {
	t.Helper()
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// listen takes connections on a free port, and does not answer.
func listen() (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
}
