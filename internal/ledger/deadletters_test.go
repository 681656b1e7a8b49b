package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func letter(taskID string) DeadLetter {
	return DeadLetter{
		TaskID: taskID, Tenant: "clinic-a", Kind: "schedule.sync", Lane: "sync", Code: "malformed", Attempts: 3,
		EnqueuedAt: noon, DiedAt: noon.Add(time.Minute), Payload: []byte{0, 1, 0xfe, '\''},
		Headers: map[string]string{"v": "1", "traceparent": "00-\"x\"-\x00"},
	}
}

func TestBuryKeepsALetterAsItTravelled(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		full, bare := letter("full"), DeadLetter{TaskID: "bare", DiedAt: noon}
		full.State = StateResolved // not for Bury to decide
		for _, d := range []DeadLetter{full, bare} {
			if err := l.Bury(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		full.State, bare.State = StateOpen, StateOpen
		equal(t, "full", must[DeadLetter](t)(l.DeadLetter(t.Context(), "full")), full)
		equal(t, "bare", must[DeadLetter](t)(l.DeadLetter(t.Context(), "bare")), bare)
		if _, err := l.DeadLetter(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown letter: %v", err)
		}
	})
}

func TestBuryAgain(t *testing.T) {
	t.Parallel()
	later := letter("t1")
	later.Code, later.Attempts, later.DiedAt, later.Payload = "denied", 4, noon.Add(time.Hour), []byte("new")
	for state, step := range map[string]struct {
		again DeadLetter
		want  string // code that is stored then
		open  bool
	}{
		StateOpen:                {later, "denied", true},
		StateOpen + ", same":     {letter("t1"), "malformed", true},
		StateResolved:            {later, "denied", true},
		StateResolved + ", same": {letter("t1"), "malformed", false},
		StateReplayed:            {later, "denied", true},
		StateReplayed + ", same": {letter("t1"), "malformed", false},
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, l *Ledger) {
				if err := l.Bury(t.Context(), letter("t1")); err != nil {
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
					equal(t, "letter", got, want)
				}
			})
		})
	}
}

func TestDeadLettersAreChosenAndOrdered(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		// The order must come from the query, not from the index that happens to serve it.
		if _, err := l.db.ExecContext(t.Context(), "DROP INDEX dead_letters_in_order"); err != nil {
			t.Fatal(err)
		}
		for n, id := range []string{"d", "b", "c", "a", "e"} {
			d := letter(id)
			d.DiedAt = noon.Add(time.Duration(n/2) * time.Second) // d b | c a | e
			if n%2 == 1 {
				d.Tenant, d.Kind, d.Code = "clinic-b", "patient.sync", "denied"
			}
			if err := l.Bury(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Resolve(t.Context(), "c", StateResolved); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			filter Filter
			want   string
		}{
			{Filter{}, "b d a c e"},
			{Filter{Limit: 2}, "b d"},
			{Filter{Limit: 2, After: "d"}, "a c"},
			{Filter{Limit: 2, After: "c"}, "e"},
			{Filter{After: "e"}, ""},
			{Filter{Tenant: "clinic-b"}, "b a"},
			{Filter{Kind: "schedule.sync"}, "d c e"},
			{Filter{State: StateOpen}, "b d a e"},
			{Filter{State: StateResolved}, "c"},
			{Filter{Code: "denied"}, "b a"},
			{Filter{Code: "malformed", State: StateOpen}, "d e"},
			{Filter{Since: noon.Add(time.Second)}, "a c e"},
			{Filter{Since: noon.Add(time.Second + time.Microsecond), Code: "malformed"}, "e"},
			{Filter{Tenant: "clinic-a", Kind: "schedule.sync", State: StateOpen, After: "b", Limit: 9}, "d e"},
			{Filter{Tenant: "clinic-x"}, ""},
			{Filter{Kind: "' OR ''='"}, ""},
		} {
			var ids []string
			for _, d := range must[[]DeadLetter](t)(l.DeadLetters(t.Context(), step.filter)) {
				ids = append(ids, d.TaskID)
			}
			equal(t, fmt.Sprintf("%+v", step.filter), strings.Join(ids, " "), step.want)
		}
		if _, err := l.DeadLetters(t.Context(), Filter{After: "none"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("after an unknown letter: %v", err)
		}
		for _, f := range []Filter{{Limit: -1}, {Tenant: "Clinic A"}, {Kind: "\xff"}, {State: "\x00"}, {Code: "\n"}, {Since: time.Unix(1<<60, 0)}, {After: "\x00"}} {
			if _, err := l.DeadLetters(t.Context(), f); !errors.Is(err, ErrInvalid) {
				t.Errorf("%+v: %v", f, err)
			}
		}
	})
}

func TestDeadLettersAreBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		var all errgroup.Group
		all.SetLimit(8)
		for n := range maxRows + 1 {
			all.Go(func() error { return l.Bury(t.Context(), letter(fmt.Sprintf("task-%04d", n))) })
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		for wish, want := range map[int]int{0: 100, 7: 7, 1 << 20: maxRows} {
			equal(t, "letters", len(must[[]DeadLetter](t)(l.DeadLetters(t.Context(), Filter{Limit: wish}))), want)
		}
		rest := must[[]DeadLetter](t)(l.DeadLetters(t.Context(), Filter{After: fmt.Sprintf("task-%04d", maxRows-1)}))
		equal(t, "the last page", len(rest), 1)
	})
}

func TestSettleHandsALetterToOne(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		if err := l.Bury(t.Context(), letter("t1")); err != nil {
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
			t.Errorf("unknown letter: %v", err)
		}
		for _, state := range []string{"", StateOpen, secret} {
			err := l.Resolve(t.Context(), "t1", state)
			if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), secret) {
				t.Errorf("to %q: %v", state, err)
			}
		}
		if err := l.Resolve(t.Context(), "\x00", StateResolved); !errors.Is(err, ErrInvalid) {
			t.Errorf("an id that is no text: %v", err)
		}
	})
}

func TestCounts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		equal(t, "none", must[[]Count](t)(l.Counts(t.Context())), []Count(nil))
		for n, code := range []string{"malformed", "denied", "malformed", "malformed", "denied", "unknown"} {
			d := letter(fmt.Sprintf("t%d", n))
			d.Code, d.DiedAt = code, noon.Add(-time.Duration(n)*time.Second)
			if n == 3 {
				d.Kind = "patient.sync"
			}
			if err := l.Bury(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Resolve(t.Context(), "t5", StateResolved); err != nil {
			t.Fatal(err)
		}
		equal(t, "counts", must[[]Count](t)(l.Counts(t.Context())), []Count{
			{Kind: "schedule.sync", Code: "denied", Open: 2, Oldest: noon.Add(-4 * time.Second)},
			{Kind: "schedule.sync", Code: "malformed", Open: 2, Oldest: noon.Add(-2 * time.Second)},
			{Kind: "patient.sync", Code: "malformed", Open: 1, Oldest: noon.Add(-3 * time.Second)},
		})
	})
}

func TestBuryRefusals(t *testing.T) {
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
			d := letter("t1")
			change(&d)
			err := l.Bury(t.Context(), d)
			if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", name, err)
			}
		}
		most := letter("t1")
		most.Payload, most.Attempts = make([]byte, maxPayload), 1<<30
		if err := l.Bury(t.Context(), most); err != nil {
			t.Errorf("at the bounds: %v", err)
		}
		equal(t, "letters", len(must[[]DeadLetter](t)(l.DeadLetters(t.Context(), Filter{}))), 1)
	})
}

func TestReplay(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for name, step := range map[string]struct {
		begin string                                        // what becomes of the letter before
		run   func(t *testing.T, l *Ledger) (string, error) // what happens meanwhile
		err   error
		want  string // state of the letter then
	}{
		"it runs again":     {run: func(*testing.T, *Ledger) (string, error) { return StateReplayed, nil }, want: StateReplayed},
		"nothing to do":     {run: func(*testing.T, *Ledger) (string, error) { return StateResolved, nil }, want: StateResolved},
		"the queue is away": {run: func(*testing.T, *Ledger) (string, error) { return "", failed }, err: failed, want: StateOpen},
		"no such state":     {run: func(*testing.T, *Ledger) (string, error) { return StateOpen, nil }, err: ErrInvalid, want: StateOpen},
		"replayed already":  {begin: StateReplayed, err: ErrConflict, want: StateReplayed},
		"settled already":   {begin: StateResolved, err: ErrConflict, want: StateResolved},
		"another is quicker": {run: func(t *testing.T, l *Ledger) (string, error) {
			return StateReplayed, l.Resolve(t.Context(), "t1", StateResolved)
		}, err: ErrConflict, want: StateResolved},
		"it dies again at once": {run: func(t *testing.T, l *Ledger) (string, error) {
			again := letter("t1")
			again.DiedAt = noon.Add(time.Hour)
			return StateReplayed, l.Bury(t.Context(), again)
		}, err: ErrConflict, want: StateOpen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, l *Ledger) {
				if err := l.Bury(t.Context(), letter("t1")); err != nil {
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
