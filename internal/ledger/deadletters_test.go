package ledger

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func deadLetter(taskID string) DeadLetter {
	return DeadLetter{
		TaskID: taskID, Tenant: "clinic-a", Kind: "schedule.sync", Lane: "sync", Code: "malformed", Attempts: 3,
		EnqueuedAt: noon, DiedAt: noon.Add(time.Minute), Payload: []byte{0, 1, 0xfe, '\''},
		Headers: map[string]string{"v": "1", "traceparent": "00-\"x\"-\x00"},
	}
}

func TestBuryKeepsADeadLetterUnchanged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		full, bare := deadLetter("full"), DeadLetter{TaskID: "bare", DiedAt: noon}
		full.State = StateResolved // Bury ignores it
		for _, d := range []DeadLetter{full, bare} {
			if err := l.Bury(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		full.State, bare.State = StateOpen, StateOpen
		equal(t, "full", must[DeadLetter](t)(l.DeadLetter(t.Context(), "full")), full)
		equal(t, "bare", must[DeadLetter](t)(l.DeadLetter(t.Context(), "bare")), bare)
		if _, err := l.DeadLetter(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown dead letter: %v", err)
		}
	})
}

func TestBuryAgain(t *testing.T) {
	t.Parallel()
	later := deadLetter("t1")
	later.Code, later.Attempts, later.DiedAt, later.Payload = "denied", 4, noon.Add(time.Hour), []byte("new")
	for state, step := range map[string]struct {
		again DeadLetter
		want  string // stored code afterwards
		open  bool
	}{
		StateOpen:                {later, "denied", true},
		StateOpen + ", same":     {deadLetter("t1"), "malformed", true},
		StateResolved:            {later, "denied", true},
		StateResolved + ", same": {deadLetter("t1"), "malformed", false},
		StateReplayed:            {later, "denied", true},
		StateReplayed + ", same": {deadLetter("t1"), "malformed", false},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, l *Ledger) {
				if err := l.Bury(t.Context(), deadLetter("t1")); err != nil {
					t.Fatal(err)
				}
				to, _, _ := strings.Cut(state, ",")
				if to != StateOpen {
					if err := l.Resolve(t.Context(), "t1", to); err != nil {
						t.Fatal(err)
					}
				}
				if err := l.Bury(t.Context(), step.again); err != nil {
					t.Fatal(err)
				}
				got := must[DeadLetter](t)(l.DeadLetter(t.Context(), "t1"))
				equal(t, "code and open", []any{got.Code, got.State == StateOpen}, []any{step.want, step.open})
				if step.want == later.Code {
					want := later
					want.State = StateOpen
					equal(t, "dead letter", got, want)
				}
			})
		})
	}
}

func TestResolveSucceedsForOneCaller(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		if err := l.Bury(t.Context(), deadLetter("t1")); err != nil {
			t.Fatal(err)
		}
		var won, lost atomic.Int64
		var all errgroup.Group
		for n := range 16 {
			to := []string{StateReplayed, StateResolved}[n%2]
			all.Go(func() error {
				err := l.Resolve(t.Context(), "t1", to)
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, ErrConflict):
					lost.Add(1)
				default:
					return err
				}
				return nil
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		equal(t, "won and lost", []int64{won.Load(), lost.Load()}, []int64{1, 15})
		if err := l.Resolve(t.Context(), "none", StateResolved); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown dead letter: %v", err)
		}
		for _, state := range []string{"", StateOpen, secret} {
			err := l.Resolve(t.Context(), "t1", state)
			if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), secret) {
				t.Errorf("to %q: %v", state, err)
			}
		}
		if err := l.Resolve(t.Context(), "\x00", StateResolved); !errors.Is(err, ErrInvalid) {
			t.Errorf("a binary id: %v", err)
		}
	})
}

func TestBuryRejectsInvalidDeadLetters(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		long := strings.Repeat("x", maxHeaders)
		for name, change := range map[string]func(*DeadLetter){
			"no id":          func(d *DeadLetter) { d.TaskID = "" },
			"long id":        func(d *DeadLetter) { d.TaskID = long },
			"binary id":      func(d *DeadLetter) { d.TaskID = secret + "\x00" },
			"tenant":         func(d *DeadLetter) { d.Tenant = secret + "!" },
			"kind":           func(d *DeadLetter) { d.Kind = secret + "\x1b[31m" },
			"long kind":      func(d *DeadLetter) { d.Kind = long },
			"lane":           func(d *DeadLetter) { d.Lane = secret + "\n" },
			"code":           func(d *DeadLetter) { d.Code = secret + "\xc3" },
			"no death":       func(d *DeadLetter) { d.DiedAt = time.Time{} },
			"far enqueueing": func(d *DeadLetter) { d.EnqueuedAt = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC) },
			"attempts":       func(d *DeadLetter) { d.Attempts = -1 },
			"many attempts":  func(d *DeadLetter) { d.Attempts = 1 << 40 },
			"payload":        func(d *DeadLetter) { d.Payload = make([]byte, maxPayload+1) },
			"headers":        func(d *DeadLetter) { d.Headers["x"] = long },
			"header's bytes": func(d *DeadLetter) { d.Headers["x"] = secret + "\xff" },
			"header's name":  func(d *DeadLetter) { d.Headers[secret+"\xff"] = "x" },
		} {
			d := deadLetter("t1")
			change(&d)
			err := l.Bury(t.Context(), d)
			if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", name, err)
			}
		}
		most := deadLetter("t1")
		most.Payload, most.Attempts = make([]byte, maxPayload), 1<<30
		if err := l.Bury(t.Context(), most); err != nil {
			t.Errorf("at the limits: %v", err)
		}
		equal(t, "dead letters", len(must[[]DeadLetter](t)(l.DeadLetters(t.Context(), Filter{}))), 1)
	})
}

func TestReplay(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for name, step := range map[string]struct {
		begin string                                        // state before
		run   func(t *testing.T, l *Ledger) (string, error) // result of the replay
		err   error
		want  string // state afterwards
	}{
		"it runs again":     {run: func(*testing.T, *Ledger) (string, error) { return StateReplayed, nil }, want: StateReplayed},
		"nothing to do":     {run: func(*testing.T, *Ledger) (string, error) { return StateResolved, nil }, want: StateResolved},
		"queue unreachable": {run: func(*testing.T, *Ledger) (string, error) { return "", failed }, err: failed, want: StateOpen},
		"no such state":     {run: func(*testing.T, *Ledger) (string, error) { return StateOpen, nil }, err: ErrInvalid, want: StateOpen},
		"replayed already":  {begin: StateReplayed, err: ErrConflict, want: StateReplayed},
		"resolved already":  {begin: StateResolved, err: ErrConflict, want: StateResolved},
		"another caller is faster": {run: func(t *testing.T, l *Ledger) (string, error) {
			return StateReplayed, l.Resolve(t.Context(), "t1", StateResolved)
		}, err: ErrConflict, want: StateResolved},
		"it dies again at once": {run: func(t *testing.T, l *Ledger) (string, error) {
			again := deadLetter("t1")
			again.DiedAt = noon.Add(time.Hour)
			return StateReplayed, l.Bury(t.Context(), again)
		}, err: ErrConflict, want: StateOpen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, l *Ledger) {
				if err := l.Bury(t.Context(), deadLetter("t1")); err != nil {
					t.Fatal(err)
				}
				if step.begin != "" {
					if err := l.Resolve(t.Context(), "t1", step.begin); err != nil {
						t.Fatal(err)
					}
				}
				ran := false
				d, err := l.Replay(t.Context(), "t1", func(_ context.Context, d DeadLetter) (string, error) {
					ran = true
					equal(t, "task", d.TaskID, "t1")
					return step.run(t, l)
				})
				if !errors.Is(err, step.err) || d.Code != "malformed" || ran == (step.begin != "") {
					t.Errorf("%v, %+v, ran: %v", err, d, ran)
				}
				equal(t, "state", must[DeadLetter](t)(l.DeadLetter(t.Context(), "t1")).State, step.want)
			})
		})
	}
}

func TestReplayUnknown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		if _, err := l.Replay(t.Context(), "none", nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
}

func TestResolveForKeepsTheReason(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		d := DeadLetter{TaskID: "a", Kind: "patient.sync", Code: "timeout", DiedAt: noon}
		if err := l.Bury(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		for reason, want := range map[string]error{"": ErrInvalid, secret + "\n": ErrInvalid, strings.Repeat("r", maxCode+1): ErrInvalid} {
			if err := l.ResolveFor(t.Context(), "a", reason); !errors.Is(err, want) {
				t.Errorf("%q: %v", reason, err)
			}
		}
		if err := l.ResolveFor(t.Context(), "a", "ops-1"); err != nil {
			t.Fatal(err)
		}
		got := must[DeadLetter](t)(l.DeadLetter(t.Context(), "a"))
		equal(t, "state and reason", []string{got.State, got.Reason}, []string{StateResolved, "ops-1"})
		if err := l.ResolveFor(t.Context(), "a", "ops-2"); !errors.Is(err, ErrConflict) {
			t.Errorf("again: %v", err)
		}
		if err := l.ResolveFor(t.Context(), "b", "ops-2"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unknown one: %v", err)
		}
		d.DiedAt = noon.Add(time.Hour)
		if err := l.Bury(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		equal(t, "reason after another death", must[DeadLetter](t)(l.DeadLetter(t.Context(), "a")).Reason, "")
	})
}

func TestGroups(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		for n := range 5 {
			d := DeadLetter{TaskID: string(rune('a' + n)), Tenant: "clinic-a", Kind: "patient.sync", Code: "timeout", DiedAt: noon.Add(time.Duration(n) * time.Hour)}
			if n == 4 {
				d.Tenant, d.Kind, d.Code = "clinic-b", "", "unknown_kind"
			}
			if err := l.Bury(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Resolve(t.Context(), "a", StateResolved); err != nil {
			t.Fatal(err)
		}
		all := []Group{
			{Kind: "patient.sync", Code: "timeout", DeadLetters: 4, First: noon, Last: noon.Add(3 * time.Hour), Examples: []string{"a", "d"}},
			{Code: "unknown_kind", DeadLetters: 1, First: noon.Add(4 * time.Hour), Last: noon.Add(4 * time.Hour), Examples: []string{"e"}},
		}
		groups := func(f Filter) []Group { return must[[]Group](t)(l.Groups(t.Context(), f)) }
		equal(t, "all", groups(Filter{}), all)
		equal(t, "of a tenant", groups(Filter{Tenant: "clinic-b"}), all[1:])
		equal(t, "of a code", groups(Filter{Code: "timeout"}), all[:1])
		open := all[0]
		open.DeadLetters, open.First, open.Examples = 3, noon.Add(time.Hour), []string{"b", "d"}
		equal(t, "open ones of a kind", groups(Filter{State: StateOpen, Kind: "patient.sync"}), []Group{open})
		equal(t, "since", groups(Filter{Since: noon.Add(4 * time.Hour)}), all[1:])
		if _, err := l.Groups(t.Context(), Filter{Kind: secret + "\n"}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v", err)
		}
	})
}
