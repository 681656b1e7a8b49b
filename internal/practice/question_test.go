package practice

import (
	"errors"
	"testing"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
)

// asked applies an answer to a question.
func (b *bundle) asked(t *testing.T, q Question, d civil.Date, vs ...Appointment) Applied {
	t.Helper()
	return b.applied(t, Answer{Practice: "7", Date: d, Visits: vs, Question: q})
}

func (b *bundle) applied(t *testing.T, a Answer) Applied {
	t.Helper()
	a.Since = b.begin(t)
	got, err := b.store.ApplyDay(t.Context(), clinic, a)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// confirmed is the question for a name that was confirmed just now.
func (b *bundle) confirmed(t *testing.T, name string) Question {
	t.Helper()
	return Question{Name: name, Confirmed: b.begin(t).Stamp, Recent: true}
}

// rows checks a board.
func (b *bundle) rows(t *testing.T, what string, rows int, stale bool) {
	t.Helper()
	if r := b.board(t, monday); len(r.Board.Rows) != rows || r.Stale != stale {
		t.Errorf("%s: %d rows, stale %v, want %d, %v", what, len(r.Board.Rows), r.Stale, rows, stale)
	}
}

func TestLossNeedsAConfirmationAfterItsFirstAnswer(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]int{"empty": 0, "under half": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.see(t, monday, visits(12)...)
			early := b.confirmed(t, "Lakeside")
			for range 3 {
				if got := b.asked(t, early, monday, visits(left)...); !got.Doubtful || got.Removed != 0 {
					t.Errorf("without a confirmation since: %+v", got)
				}
			}
			b.rows(t, "before a confirmation", 12, true)
			late := b.confirmed(t, "Lakeside")
			other := late
			other.Name = "Lakeside Pediatrics"
			if got := b.asked(t, other, monday, visits(left)...); !got.Doubtful {
				t.Errorf("the first answer to another question: %+v", got)
			}
			if got := b.asked(t, late, monday, visits(left)...); !got.Doubtful {
				t.Errorf("the answer differs from the one before it, which had another question: %+v", got)
			}
			late = b.confirmed(t, "Lakeside")
			if got := b.asked(t, late, monday, visits(left)...); got.Doubtful || got.Removed != 12-left {
				t.Errorf("after a confirmation: %+v", got)
			}
			b.rows(t, "in the end", left, false)
		})
	}
}

func TestFullAnswerEndsTheDoubt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(12)...)
	b.asked(t, Question{Name: "Lakeside", Scope: ScopeEmpty}, monday)
	if got := b.asked(t, Question{Name: "Lakeside"}, monday, visits(12)...); got.Any() || got.Doubtful {
		t.Errorf("a full answer: %+v", got)
	}
	b.rows(t, "after a full answer", 12, false)
	if got := b.asked(t, b.confirmed(t, "Lakeside"), monday); !got.Doubtful {
		t.Errorf("an empty answer is compared with one from before the full answer: %+v", got)
	}
}

func TestShrunkAnswerTakesNothingFromAnyDay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(12)...)
	if got := b.asked(t, Question{Name: "Lakeside", Scope: ScopeShrunk}, monday, visits(7)...); !got.Doubtful || got.Removed != 0 {
		t.Errorf("more than half of the day, less than half of the window: %+v", got)
	}
	b.rows(t, "before a confirmation", 12, true)
	late := b.confirmed(t, "Lakeside")
	late.Scope = ScopeShrunk
	if got := b.asked(t, late, monday, visits(7)...); got.Removed != 5 {
		t.Errorf("after a confirmation: %+v", got)
	}
	if got := b.asked(t, Question{Name: "Lakeside", Scope: ScopeShrunk}, monday, visits(8)...); got.Doubtful || got.Added != 1 {
		t.Errorf("a day that lacks nothing: %+v", got)
	}
}

func TestEmptyAnswerProvesNothingAboutAColdDay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	empty := func(q Question) Applied {
		q.Scope = ScopeEmpty
		return b.asked(t, q, monday)
	}
	for range 2 {
		if got := empty(Question{Name: "Lakeside"}); !got.Doubtful {
			t.Errorf("an empty answer about a cold day: %+v", got)
		}
		if _, err := b.store.Board(t.Context(), clinic, "7", monday); !errors.Is(err, ErrCold) {
			t.Errorf("the day is shown: %v", err)
		}
	}
	if got := empty(b.confirmed(t, "Lakeside")); got.Doubtful {
		t.Errorf("after a confirmation: %+v", got)
	}
	b.rows(t, "after a confirmation", 0, false)
	if got := empty(Question{Name: "Lakeside"}); got.Doubtful {
		t.Errorf("a day that is known to be empty: %+v", got)
	}
	b.rows(t, "confirmed", 0, false)
	if got := b.asked(t, Question{Name: "Lakeside"}, monday.Add(1)); got.Doubtful {
		t.Errorf("a cold day of an answer that has other rows: %+v", got)
	}
}

// A practice that was renamed since its last confirmation has an empty list under its old name, so
// that list renews no age.
func TestEmptyAnswerRenewsNoAgeWithoutARecentConfirmation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.confirmed(t, "Lakeside")
	old.Scope, old.Recent = ScopeEmpty, false
	b.see(t, monday)
	seen := b.board(t, monday).AsOf
	if got := b.asked(t, old, monday); got.Doubtful || got.Any() {
		t.Errorf("an empty answer about a day that is known to be empty: %+v", got)
	}
	if r := b.board(t, monday); !r.AsOf.Equal(seen) || r.Stale {
		t.Errorf("an old confirmation: as of %v, before %v, stale %t", r.AsOf, seen, r.Stale)
	}
	recent := b.confirmed(t, "Lakeside")
	recent.Scope = ScopeEmpty
	b.asked(t, recent, monday)
	if r := b.board(t, monday); !r.AsOf.After(seen) {
		t.Errorf("a recent confirmation: as of %v, before %v", r.AsOf, seen)
	}

	b.see(t, monday, visits(3)...)
	b.asked(t, old, monday)
	old.Confirmed = b.begin(t).Stamp // after that answer, but long before the next one
	for range 2 {
		if got := b.asked(t, old, monday); !got.Doubtful {
			t.Errorf("an old confirmation of a loss: %+v", got)
		}
	}
	b.rows(t, "in doubt", 3, true)
	recent.Confirmed = b.begin(t).Stamp
	b.asked(t, recent, monday)
	b.rows(t, "proven", 0, false)
}

func TestRefusedPracticeConfirmsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday)
	for range 2 {
		if got := b.asked(t, Question{Name: "Lakeside", Scope: ScopeRefused}, monday); !got.Doubtful {
			t.Errorf("an empty answer about a practice that may not be read: %+v", got)
		}
		b.rows(t, "known to be empty", 0, true)
	}
}

func TestUnreadableRowsAreNotLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(12)...)
	a := Answer{Practice: "7", Date: monday, Visits: visits(2), SetAside: map[codes.Code]int{codes.RowUnreadable: 10}}
	if got := b.applied(t, a); got.Doubtful || got.Removed != 0 {
		t.Errorf("rows that could not be read count as lost: %+v", got)
	}
	a.SetAside = map[codes.Code]int{codes.RowForeign: 10}
	if got := b.applied(t, a); !got.Doubtful {
		t.Errorf("rows of another practice count as this one's: %+v", got)
	}
}

func TestKnownCountsVisits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(12)...)
	got, err := b.store.Known(t.Context(), clinic, "7", civil.Range(monday, monday.Add(1)))
	if err != nil || len(got.Visits) != 1 || got.Visits[monday] != 12 {
		t.Errorf("known are %v (%v)", got, err)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	b := setup(t)
	read := func() Stated {
		t.Helper()
		s, err := b.store.Identity(t.Context(), clinic, "7")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := read(); s != (Stated{}) || s.Confirms("") != 0 {
		t.Errorf("nothing was stated: %+v", s)
	}
	first, second := b.begin(t), b.begin(t)
	for _, step := range []struct {
		identity Identity
		since    cache.Grant
		want     Identity
	}{
		{Identity{Name: "Lakeside"}, first, Identity{Name: "Lakeside"}},
		{Identity{Code: codes.PracticeNotListed}, second, Identity{Code: codes.PracticeNotListed}},
		{Identity{Name: "Lakeside"}, first, Identity{Code: codes.PracticeNotListed}}, // an older question
	} {
		if err := b.store.SetIdentity(t.Context(), clinic, "7", step.identity, step.since); err != nil {
			t.Fatal(err)
		}
		if s := read(); s.Identity != step.want {
			t.Errorf("after %+v the identity is %+v", step.identity, s)
		}
	}
	third := b.begin(t)
	if err := b.store.SetIdentity(t.Context(), clinic, "7", Identity{Name: "Lakeside"}, third); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Invalidate(t.Context(), clinic, Record{Noun: NounPractice, Practice: "7"}, ""); err != nil {
		t.Fatal(err)
	}
	s := read()
	if s.Confirms("Lakeside") != third.Stamp || s.Confirms("Lakeside Pediatrics") != 0 {
		t.Errorf("after the practice's documents became stale: %+v", s)
	}
	if other, err := b.store.Identity(t.Context(), clinic, "8"); err != nil || other != (Stated{}) {
		t.Errorf("the identity of another practice: %+v, %v", other, err)
	}
}
