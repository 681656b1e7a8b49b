package progtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// faulty is a program that passes every check except the one that its fault breaks.
type faulty string

// The faults of a program.
const (
	none               faulty = ""
	namesOneVariable   faulty = "names only the first missing variable"
	takesArguments     faulty = "accepts arguments"
	hidesAddress       faulty = "does not name the address in use"
	hidesStore         faulty = "does not name the unreachable store"
	printsPasswords    faulty = "prints passwords"
	slowToReport       faulty = "takes seven seconds to report an unreachable store"
	waitsForever       faulty = "waits forever for an unreachable store"
	ignoresStores      faulty = "starts without its stores"
	neverReady         faulty = "never logs that it is ready"
	endsWhenReady      faulty = "exits when it is ready"
	slowToStop         faulty = "takes eleven seconds to stop"
	failsOnStop        faulty = "exits with an error when it is stopped"
	ignoresEarlyStop   faulty = "starts although it was stopped before, and takes a minute to notice"
	failsOnEarlyStop   faulty = "exits with an error when it is stopped before it starts"
	failsOnStopInStart faulty = "exits with an error when it is stopped while it waits"
)

func (f faulty) program() Program {
	return Program{
		Run: f.run, Needs: []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_LEDGER", "ROUNDS_KEYS"}, Listens: []string{"ROUNDS_HEALTH_ADDR"}, Ready: "program ready",
		Environment: func(testing.TB) map[string]string {
			return map[string]string{
				"ROUNDS_QUEUE_REDIS": "redis://", "ROUNDS_LEDGER": "sqlite:ledger.db", "ROUNDS_KEYS": "keys",
				"ROUNDS_HEALTH_ADDR": "127.0.0.1:0",
			}
		},
	}
}

func (f faulty) run(ctx context.Context, args []string, getenv func(string) string, _, stderr io.Writer) int {
	printf := func(format string, a ...any) { _, _ = fmt.Fprintf(stderr, format+"\n", a...) }
	if len(args) > 0 && f != takesArguments {
		printf("arguments are not accepted")
		return 2
	}
	missing := 0
	for _, name := range f.program().Needs {
		if getenv(name) == "" && (missing == 0 || f != namesOneVariable) {
			printf("%s is not set", name)
			missing++
		}
	}
	if missing > 0 {
		return 2
	}
	if code, ended := f.connect(ctx, getenv, printf); ended {
		return code
	}
	l, err := (&net.ListenConfig{}).Listen(context.WithoutCancel(ctx), "tcp", getenv("ROUNDS_HEALTH_ADDR"))
	if err != nil {
		if f != hidesAddress {
			printf("cannot listen on ROUNDS_HEALTH_ADDR")
		}
		return 1
	}
	defer func() { _ = l.Close() }()
	if f != neverReady {
		printf("program ready")
	}
	if f != endsWhenReady {
		<-ctx.Done()
	}
	if f == slowToStop {
		<-time.After(11 * time.Second)
	}
	return f.code(failsOnStop, 1)
}

// connect tries the stores. A store whose address has a password is unreachable; the program waits
// one second for a silent one.
func (f faulty) connect(ctx context.Context, getenv func(string) string, printf func(string, ...any)) (code int, ended bool) {
	if ctx.Err() != nil {
		if f == ignoresEarlyStop {
			<-time.After(time.Minute)
		}
		return f.code(failsOnEarlyStop, 1), true
	}
	for variable, s := range stores {
		u, err := url.Parse(getenv(variable))
		if err != nil || u.User == nil {
			continue
		}
		if strings.HasPrefix(u.Host, "127.") && f.waits(ctx, u.Host) {
			return f.code(failsOnStopInStart, 6), true
		}
		if f == ignoresStores {
			continue
		}
		switch f {
		case slowToReport:
			<-time.After(7 * time.Second)
		case waitsForever:
			<-ctx.Done()
			return 0, true
		case hidesStore:
			return 6, true
		case printsPasswords:
			printf("%s at %s does not answer", s.name, u)
		default:
		}
		printf("%s does not answer", s.name)
		return 6, true
	}
	return 0, false
}

// waits reports whether the program is stopped within the second that a store has to answer.
func (f faulty) waits(ctx context.Context, host string) bool {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	select {
	case <-ctx.Done():
		return true
	case <-time.After(time.Second):
		return false
	}
}

// code returns the code if f is the fault, and 0 otherwise.
func (f faulty) code(fault faulty, code int) int {
	if f == fault {
		return code
	}
	return 0
}

func TestEveryCheckFindsItsFaults(t *testing.T) {
	t.Parallel()
	for fault, broken := range map[faulty]string{
		none:               "",
		namesOneVariable:   "names every missing variable",
		takesArguments:     "refuses arguments",
		hidesAddress:       "names an address in use",
		hidesStore:         "reports an unreachable store in time",
		printsPasswords:    "reports an unreachable store in time",
		slowToReport:       "reports an unreachable store in time",
		waitsForever:       "reports an unreachable store in time",
		ignoresStores:      "reports an unreachable store in time",
		neverReady:         "starts and stops",
		endsWhenReady:      "starts and stops",
		slowToStop:         "starts and stops",
		failsOnStop:        "starts and stops",
		ignoresEarlyStop:   "stops before it starts",
		failsOnEarlyStop:   "stops before it starts",
		failsOnStopInStart: "stops while a store is silent",
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			for _, c := range checks {
				synctest.Test(t, func(t *testing.T) {
					p := fault.program()
					if err := c.run(t.Context(), p, p.Environment(t)); err == nil == (c.name == broken) {
						t.Errorf("%q: %v", c.name, err)
					}
					<-time.After(time.Minute) // in the bubble's time, so that slow programs have stopped
				})
			}
		})
	}
}

func TestCheckPassesACorrectProgram(t *testing.T) {
	t.Parallel()
	none.program().Check(t)
}

func TestLogBufferFindsTextInTwoWrites(t *testing.T) {
	t.Parallel()
	b := NewLogBuffer("ready")
	for _, part := range []string{"now rea", "dy\n", "ready again\n"} {
		if n, err := b.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	b.Wait(t)
	if got := b.String(); got != "now ready\nready again\n" {
		t.Errorf("%q", got)
	}
}

func TestFileIsReadableByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	first, second := File(t, "one"), File(t, "two")
	data, err := os.ReadFile(first)
	if err != nil || string(data) != "one" || first == second {
		t.Errorf("%s, %s: %q, %v", first, second, data, err)
	}
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestVacantAddressIsFree(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", Vacant(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

type keyset string

func (k keyset) JSON() ([]byte, error) { return []byte(k), nil }

func TestKeysetWritesTheGeneratedKeyset(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(Keyset(t, func() (keyset, error) { return "{}", nil }))
	if err != nil || string(data) != "{}" {
		t.Errorf("%q, %v", data, err)
	}
}
