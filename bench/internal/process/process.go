// Package process runs the processes of a bench: each is the bench's own program in a role, such as
// a worker or the simulator. They can be stopped, frozen and killed by themselves, as on a real
// host.
package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// roleVariable names the role of a process in its environment.
const roleVariable = "ROUNDS_BENCH_ROLE"

// Role is what a process does instead of measuring. It reads its settings, reports once when it is
// ready, works until ctx ends, and may then report a result.
type Role struct {
	Name string
	Run  func(ctx context.Context, settings []byte, report func(any) error) error
}

// RunRole runs the role that the environment names. It returns false in a process without a role.
// The process also ends when its parent has ended.
func RunRole(ctx context.Context, roles ...Role) (exit int, ran bool) {
	name := os.Getenv(roleVariable)
	if name == "" {
		return 0, false
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, r := range roles {
		if r.Name == name {
			if err := r.run(ctx, stop); err != nil {
				_, _ = fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
				return 1, true
			}
			return 0, true
		}
	}
	_, _ = fmt.Fprintf(os.Stderr, "unknown role %q\n", name)
	return 2, true
}

func (r Role) run(ctx context.Context, stop context.CancelFunc) error {
	in := json.NewDecoder(os.Stdin)
	var settings json.RawMessage
	if err := in.Decode(&settings); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		stop()
	}()
	return r.Run(ctx, settings, json.NewEncoder(os.Stdout).Encode)
}

// Process is a running process.
type Process struct {
	name   string
	cmd    *exec.Cmd
	out    *json.Decoder
	stderr tail
	wait   func() error
}

// readyWithin bounds the start of a process on a loaded machine.
const readyWithin = 60 * time.Second

// StopWithin is when Stop kills a process that has not ended.
const StopWithin = 15 * time.Second

// Program is how processes of this program run. Log, if it is set, receives what they write to
// stderr.
type Program struct{ Log io.Writer }

// Start starts a process of this program in a role and waits until it is ready. What the process
// reports is decoded into ready, unless ready is nil.
func Start(ctx context.Context, role string, settings, ready any) (*Process, error) {
	return Program{}.Start(ctx, role, settings, ready)
}

// Start is [Start] for processes that run like this.
func (b Program) Start(ctx context.Context, role string, settings, ready any) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Process{name: role, cmd: exec.Command(self)} //nolint:gosec,noctx // Stop ends it, in the order that the bench needs
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	p.cmd.Stderr = &p.stderr
	if b.Log != nil {
		p.cmd.Stderr = io.MultiWriter(&p.stderr, b.Log)
	}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	p.out, p.wait = json.NewDecoder(out), sync.OnceValue(p.cmd.Wait)
	if err := json.NewEncoder(in).Encode(settings); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", role, err), p.Kill())
	}
	if err := p.read(ctx, ready, readyWithin); err != nil {
		_ = p.Kill()
		return nil, fmt.Errorf("start %s: %w\n%s", role, err, p.stderr.text())
	}
	return p, nil
}

// read decodes the process's next report.
func (p *Process) read(ctx context.Context, into any, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	// A process that reports nothing in time is killed, which ends the decoding.
	defer context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })()
	var raw json.RawMessage
	err := p.out.Decode(&raw)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("read its report: %w", err)
	case into == nil:
		return nil
	}
	return json.Unmarshal(raw, into)
}

// Stop asks the process to end and waits for that. Its result is decoded into result, unless result
// is nil.
func (p *Process) Stop(ctx context.Context, result any) error {
	err := p.signal(syscall.SIGTERM)
	if err == nil && result != nil {
		err = p.read(ctx, result, StopWithin)
	}
	late := time.AfterFunc(StopWithin, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	if err = errors.Join(err, p.wait()); err != nil {
		return fmt.Errorf("stop %s: %w\n%s", p.name, err, p.stderr.text())
	}
	return nil
}

// Wait waits for the end of the process, whatever ends it.
func (p *Process) Wait() error {
	if err := p.wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, err, p.stderr.text())
	}
	return nil
}

// Kill ends the process at once, frozen or not.
func (p *Process) Kill() error {
	err := p.cmd.Process.Kill()
	_ = p.wait() // it reports the signal
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Freeze stops the process until Thaw, like a host that gives it no time.
func (p *Process) Freeze() error { return p.signal(syscall.SIGSTOP) }

// FreezeFor freezes the process and returns. It continues after d.
func (p *Process) FreezeFor(d time.Duration) error {
	if err := p.Freeze(); err != nil {
		return err
	}
	time.AfterFunc(d, func() { _ = p.Thaw() }) // a process that has been killed meanwhile needs no thaw
	return nil
}

// Thaw continues a frozen process.
func (p *Process) Thaw() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%s has ended: %w\n%s", p.name, err, p.stderr.text())
	}
	return nil
}

// tail keeps the end of what a process writes to stderr.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > 2*tailSize {
		t.b = append(t.b[:0], t.b[len(t.b)-tailSize:]...)
	}
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}
