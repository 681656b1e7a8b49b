package practice

import (
	"math"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
)

func TestListCountsOnceItIsProven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ask := func(what string, q Question, scope Scope, wantCounts, wantFirst bool) {
		t.Helper()
		q.Scope = scope
		counts, first, err := b.store.Counts(t.Context(), clinic, "7", NounDirectory, q)
		if err != nil || counts != wantCounts || first != wantFirst {
			t.Errorf("%s: counts %t, first %t (%v), want %t, %t", what, counts, first, err, wantCounts, wantFirst)
		}
	}
	early := b.confirmed(t, "Lakeside")
	ask("a sound list", early, ScopeSound, true, false)
	ask("an empty list", early, ScopeEmpty, false, true)
	ask("again", early, ScopeEmpty, false, false)
	ask("under another name", b.confirmed(t, "Lake Clinic"), ScopeEmpty, false, true)
	ask("under the first name again", b.confirmed(t, "Lakeside"), ScopeShrunk, false, true)
	ask("after a confirmation", b.confirmed(t, "Lakeside"), ScopeShrunk, true, false)
	ask("the doubt has ended", b.confirmed(t, "Lakeside"), ScopeEmpty, false, true)
	ask("a sound list", early, ScopeSound, true, false)
	ask("after a sound list", b.confirmed(t, "Lakeside"), ScopeEmpty, false, true)
	old := b.confirmed(t, "Lakeside")
	old.Recent = false
	ask("its confirmation is old", old, ScopeEmpty, false, true)
	ask("again", old, ScopeEmpty, false, false)
	old.Confirmed = b.begin(t).Stamp
	ask("a list that is not empty", old, ScopeShrunk, true, false)
	ask("an empty list", old, ScopeEmpty, false, true)
	refused := b.confirmed(t, "Lakeside")
	refused.Confirmed = 0
	ask("a practice that may not be read", refused, ScopeRefused, false, false)
	counts, first, err := b.store.Counts(t.Context(), clinic, "8", NounDirectory, Question{Name: "Lakeside", Confirmed: b.begin(t).Stamp, Scope: ScopeEmpty})
	if counts || !first || err != nil {
		t.Errorf("another practice's list: %t, %t, %v", counts, first, err)
	}
}

func TestPracticesAsTheVendorListsThem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	list, err := b.store.Practices(t.Context(), clinic)
	if err != nil || len(list.Practices) != 0 {
		t.Errorf("before they were read: %+v, %v", list, err)
	}
	if _, err := b.store.ApplyPractices(t.Context(), clinic, Practices{[]Place{{ID: "7", Name: "Lakeside"}}}, b.begin(t)); err != nil {
		t.Fatal(err)
	}
	if list, err = b.store.Practices(t.Context(), clinic); err != nil || len(list.Practices) != 1 || list.Practices[0].ID != "7" {
		t.Errorf("after they were read: %+v, %v", list, err)
	}
}

func TestDoubtedDaysAreStaleUntilTheyAreRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(3)...)
	b.rows(t, "before", 3, false)
	if err := b.store.DoubtDays(t.Context(), clinic, "7", monday.Add(-3), monday.Add(56)); err != nil {
		t.Fatal(err)
	}
	b.rows(t, "doubted", 3, true)
	if d, err := b.store.ProviderDay(t.Context(), clinic, "7", "107", monday); err != nil || !d.Stale {
		t.Errorf("a provider's day is stale %t, %v", d.Stale, err)
	}
	b.see(t, monday, visits(3)...)
	b.rows(t, "read again", 3, false)
	if err := b.store.DoubtDays(t.Context(), clinic, "7", monday.Add(1), monday); err != nil {
		t.Errorf("no days: %v", err)
	}
}

func TestStaleViewsSayWhyNothingConfirmsThem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visits(3)...)
	if err := b.store.SetIdentity(t.Context(), clinic, "7", Identity{Code: codes.PracticeNotListed}, b.begin(t)); err != nil {
		t.Fatal(err)
	}
	reasons := func() []codes.Code {
		t.Helper()
		day, err := b.store.ProviderDay(t.Context(), clinic, "7", "107", monday)
		if err != nil {
			t.Fatal(err)
		}
		return []codes.Code{b.board(t, monday).Reason, day.Reason}
	}
	if got := reasons(); got[0] != "" || got[1] != "" {
		t.Errorf("views that are not stale have the reasons %q", got)
	}
	if _, err := b.store.Invalidate(t.Context(), clinic, Record{Noun: NounPractice, Practice: "7"}, ""); err != nil {
		t.Fatal(err)
	}
	if got := reasons(); got[0] != codes.PracticeNotListed || got[1] != got[0] {
		t.Errorf("stale views have the reasons %q", got)
	}
}

func TestAnswersThatMustBeApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	q := b.confirmed(t, "all")
	q.Scope, q.Apart, q.Confirmed = ScopeEmpty, time.Hour, math.MaxUint64
	for _, first := range []bool{true, false} {
		counts, got, err := b.store.Counts(t.Context(), clinic, "", NounPractices, q)
		if counts || got != first || err != nil {
			t.Errorf("counts %t, first %t, want %t (%v)", counts, got, first, err)
		}
	}
	q.Apart = 0
	if counts, _, err := b.store.Counts(t.Context(), clinic, "", NounPractices, q); !counts || err != nil {
		t.Errorf("counts %t, %v", counts, err)
	}
}
