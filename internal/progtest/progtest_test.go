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

// faulty is a program that keeps every promise but those that its fault breaks.
type faulty string

// The faults of a program.
const (
	none          faulty = ""
	nameless      faulty = "names only the first variable that is missing"
	obliging      faulty = "takes arguments"
	curt          faulty = "does not say which address is taken"
	silent        faulty = "does not say which store is gone"
	talkative     faulty = "tells passwords"
	slow          faulty = "takes seven seconds to say that a store is gone"
	patient       faulty = "waits for a store that is gone for ever"
	brash         faulty = "starts without its stores"
	mute          faulty = "never says that it is ready"
	short         faulty = "ends when it is ready"
	stubborn      faulty = "takes eleven seconds to stop"
	sour          faulty = "calls it an error to be told to stop"
	deaf          faulty = "starts though it was told to stop before, and takes a minute to notice"
	sourAtStart   faulty = "calls it an error to be told to stop before it started"
	sourAtWaiting faulty = "calls it an error to be told to stop while it waits"
)

func (f faulty) program() Program {
	return Program{
		Run: f.run, Needs: []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_LEDGER", "ROUNDS_KEYS"}, Listens: []string{"ROUNDS_HEALTH_ADDR"}, Ready: "it runs",
		Environment: func(testing.TB) map[string]string {
			return map[string]string{
				"ROUNDS_QUEUE_REDIS": "redis://", "ROUNDS_LEDGER": "sqlite:ledger.db", "ROUNDS_KEYS": "keys",
				"ROUNDS_HEALTH_ADDR": "127.0.0.1:0",
			}
		},
	}
}

func (f faulty) run(ctx context.Context, args []string, getenv func(string) string, _, stderr io.Writer) int {
	say := func(format string, a ...any) { _, _ = fmt.Fprintf(stderr, format+"\n", a...) }
	if len(args) > 0 && f != obliging {
		say("arguments are not taken")
		return 2
	}
	missing := 0
	for _, name := range f.program().Needs {
		if getenv(name) == "" && (missing == 0 || f != nameless) {
			say("%s is not set", name)
			missing++
		}
	}
	if missing > 0 {
		return 2
	}
	if code, ended := f.connect(ctx, getenv, say); ended {
		return code
	}
	l, err := (&net.ListenConfig{}).Listen(context.WithoutCancel(ctx), "tcp", getenv("ROUNDS_HEALTH_ADDR"))
	if err != nil {
		if f != curt {
			say("ROUNDS_HEALTH_ADDR cannot be listened on")
		}
		return 1
	}
	defer func() { _ = l.Close() }()
	if f != mute {
		say("it runs")
	}
	if f != short {
		<-ctx.Done()
	}
	if f == stubborn {
		<-time.After(11 * time.Second)
	}
	return f.code(sour, 1)
}

// connect meets the stores. Those whose address has a password are gone; the program waits a second for one that is silent.
func (f faulty) connect(ctx context.Context, getenv func(string) string, say func(string, ...any)) (code int, ended bool) {
	if ctx.Err() != nil {
		if f == deaf {
			<-time.After(time.Minute)
		}
		return f.code(sourAtStart, 1), true
	}
	for variable, s := range stores {
		u, err := url.Parse(getenv(variable))
		if err != nil || u.User == nil {
			continue
		}
		if strings.HasPrefix(u.Host, "127.") && f.waits(ctx, u.Host) {
			return f.code(sourAtWaiting, 6), true
		}
		if f == brash {
			continue
		}
		switch f {
		case slow:
			<-time.After(7 * time.Second)
		case patient:
			<-ctx.Done()
			return 0, true
		case silent:
			return 6, true
		case talkative:
			say("%s at %s is gone", s.name, u)
		default:
		}
		say("%s is gone", s.name)
		return 6, true
	}
	return 0, false
}

// waits reports whether the program is told to stop within the second that a store has to answer.
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

// code is 0 unless f is the fault.
func (f faulty) code(fault faulty, code int) int {
	if f == fault {
		return code
	}
	return 0
}

func TestEveryPromiseNoticesItsFaults(t *testing.T) {
	t.Parallel()
	for fault, broken := range map[faulty]string{
		none:          "",
		nameless:      "every missing variable is named",
		obliging:      "arguments are refused",
		curt:          "an address that is taken is named",
		silent:        "a store that is gone is said in time",
		talkative:     "a store that is gone is said in time",
		slow:          "a store that is gone is said in time",
		patient:       "a store that is gone is said in time",
		brash:         "a store that is gone is said in time",
		mute:          "starts and stops",
		short:         "starts and stops",
		stubborn:      "starts and stops",
		sour:          "starts and stops",
		deaf:          "told to stop before it starts",
		sourAtStart:   "told to stop before it starts",
		sourAtWaiting: "told to stop while a store is silent",
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			for _, promise := range promises {
				synctest.Test(t, func(t *testing.T) {
					p := fault.program()
					if err := promise.kept(t.Context(), p, p.Environment(t)); err == nil == (promise.name == broken) {
						t.Errorf("%q: %v", promise.name, err)
					}
					<-time.After(time.Minute) // the bubble's time: what stops late has stopped
				})
			}
		})
	}
}

func TestCheckPassesWhoKeepsThem(t *testing.T) {
	t.Parallel()
	none.program().Check(t)
}

func TestHearsATextInTwoParts(t *testing.T) {
	t.Parallel()
	h := NewLogBuffer("it runs")
	for _, part := range []string{"now it ", "runs\n", "it runs again\n"} {
		if n, err := h.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	h.Wait(t)
	if got := h.String(); got != "now it runs\nit runs again\n" {
		t.Errorf("%q", got)
	}
}

func TestFilesAreForTheirOwner(t *testing.T) {
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

func TestVacantAddressesCanBeTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", Vacant(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

type keyset string

func (k keyset) JSON() ([]byte, error) { return []byte(k), nil }

func TestKeysetIsWhatIsGenerated(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(Keyset(t, func() (keyset, error) { return "{}", nil }))
	if err != nil || string(data) != "{}" {
		t.Errorf("%q, %v", data, err)
	}
}
