package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func TestDeadLettersAreFilteredAndOrdered(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		// The order must come from the query, not from an index.
		if _, err := l.db.ExecContext(t.Context(), "DROP INDEX dead_letters_in_order"); err != nil {
			t.Fatal(err)
		}
		for n, id := range []string{"d", "b", "c", "a", "e"} {
			d := deadLetter(id)
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
			t.Errorf("after an unknown dead letter: %v", err)
		}
		for _, f := range []Filter{{Limit: -1}, {Tenant: "Clinic A"}, {Kind: "\xff"}, {State: "\x00"}, {Code: "\n"}, {Since: time.Unix(1<<60, 0)}, {After: "\x00"}} {
			if _, err := l.DeadLetters(t.Context(), f); !errors.Is(err, ErrInvalid) {
				t.Errorf("%+v: %v", f, err)
			}
		}
	})
}

func TestDeadLettersAreLimited(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		var all errgroup.Group
		all.SetLimit(8)
		for n := range maxRows + 1 {
			all.Go(func() error { return l.Bury(t.Context(), deadLetter(fmt.Sprintf("task-%04d", n))) })
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		for requested, want := range map[int]int{0: 100, 7: 7, 1 << 20: maxRows} {
			equal(t, "dead letters", len(must[[]DeadLetter](t)(l.DeadLetters(t.Context(), Filter{Limit: requested}))), want)
		}
		rest := must[[]DeadLetter](t)(l.DeadLetters(t.Context(), Filter{After: fmt.Sprintf("task-%04d", maxRows-1)}))
		equal(t, "the last page", len(rest), 1)
	})
}

func TestDeadLetterStates(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		for _, id := range []string{"open", "resolved"} {
			if err := l.Bury(t.Context(), deadLetter(id)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Resolve(t.Context(), "resolved", StateResolved); err != nil {
			t.Fatal(err)
		}
		equal(t, "states", must[map[string]string](t)(l.DeadLetterStates(t.Context(), []string{"open", "none", "resolved"})),
			map[string]string{"open": StateOpen, "resolved": StateResolved})
		for _, ids := range [][]string{nil, make([]string, maxRows+1)} {
			if _, err := l.DeadLetterStates(t.Context(), ids); !errors.Is(err, ErrInvalid) {
				t.Errorf("%d tasks: %v", len(ids), err)
			}
		}
	})
}

func TestCounts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		equal(t, "none", must[[]Count](t)(l.Counts(t.Context())), []Count(nil))
		for n, code := range []string{"malformed", "denied", "malformed", "malformed", "denied", "unknown"} {
			d := deadLetter(fmt.Sprintf("t%d", n))
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
