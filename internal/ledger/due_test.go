package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestDueReturnsWhatCanBeSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		must[int](t)(l.ApplyTenants(t.Context(), []Tenant{
			{ID: "clinic-a", TimeZone: "America/Chicago", Practices: []Practice{{ID: "7", Name: "A"}, {ID: "a/b%", Name: "B"}, {ID: "8", Name: "C", TimeZone: "Asia/Tokyo"}}},
			{ID: "clinic-b", TimeZone: "Asia/Tokyo", Practices: []Practice{{ID: "9", Name: "D"}}},
		}))
		sendable := []Tick{tick("sync/7", 0), tick("warm/7", time.Minute), tick("sync/a/b%", 2*time.Minute), tick("sync/7", 3*time.Minute)}
		others := []Tick{
			tick("sync", 0), tick("syn/7", 0), tick("sync/", 0), tick("sync/77", 0), tick("SYNC/7", 0), tick("sync//7", 0), tick("sync/9", 0), tick("new/7", 0),
			tick("sync/8", 0),
			{Tenant: "clinic-b", Schedule: "sync/9", At: noon},
			{Tenant: "clinic-b", Schedule: "sync/7", At: noon},
		}
		must[int](t)(l.AddDue(t.Context(), append(others, sendable...)))
		only := Sendable{Names: []string{"sync", "warm", "_ync", "%"}, UnknownZones: []string{"Asia/Tokyo", "Mars/Olympus"}}
		due := func(f DueFilter) []Tick { return must[[]Tick](t)(l.Due(t.Context(), f)) }
		equal(t, "sendable", due(DueFilter{Only: &only}), sendable)
		equal(t, "the first two", due(DueFilter{Only: &only, Limit: 2}), sendable[:2])
		equal(t, "by two minutes", due(DueFilter{Only: &only, Until: noon.Add(2 * time.Minute)}), sendable[:3])
		equal(t, "in all zones", len(due(DueFilter{Only: &Sendable{Names: []string{"sync"}}})), 5)
		equal(t, "all", len(due(DueFilter{})), len(sendable)+len(others))

		equal(t, "abandoned", must[int](t)(l.AbandonDue(t.Context(), only, noon, noon.Add(time.Hour))), len(others))
		equal(t, "left", due(DueFilter{}), sendable)
		equal(t, "abandoned again", must[int](t)(l.AbandonDue(t.Context(), only, noon.Add(time.Hour), noon.Add(time.Hour))), 0)
	})
}

func TestAbandonDueSparesRecentTicks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		late := tick("late/7", time.Second)
		old, recent := tick("old/7", 0), tick("recent/7", 0)
		old.Added, recent.Added = noon, noon.Add(time.Second)
		must[int](t)(l.AddDue(t.Context(), []Tick{late, old, recent}))
		equal(t, "abandoned", must[int](t)(l.AbandonDue(t.Context(), Sendable{Names: []string{"sync"}}, noon, noon)), 1)
		equal(t, "left", must[[]Tick](t)(l.Due(t.Context(), DueFilter{})), []Tick{recent, late})
	})
}

func TestSendableErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		many := Sendable{UnknownZones: []string{"UTC"}}
		for n := range maxNames {
			many.Names = append(many.Names, fmt.Sprint("name", n))
		}
		for _, bad := range []Sendable{{}, {Names: []string{""}}, {Names: []string{secret + "\n"}}, {UnknownZones: []string{"UTC"}}, many} {
			_, due := l.Due(t.Context(), DueFilter{Only: &bad})
			_, abandon := l.AbandonDue(t.Context(), bad, noon, noon)
			if !errors.Is(due, ErrInvalid) || !errors.Is(abandon, ErrInvalid) {
				t.Errorf("%d names: %v, %v", len(bad.Names), due, abandon)
			}
		}
		many.UnknownZones = nil
		must[[]Tick](t)(l.Due(t.Context(), DueFilter{Only: &many}))
		if _, err := l.AbandonDue(t.Context(), many, time.Time{}, noon); !errors.Is(err, ErrInvalid) {
			t.Errorf("zero time: %v", err)
		}
	})
}

func TestRecalledTicksAreDueAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		now, early, unsent := tick("sync", time.Hour), tick("sync", 3*time.Hour), tick("sync", 4*time.Hour)
		must[int](t)(l.AddDue(t.Context(), []Tick{unsent}))
		for n := range 3 {
			must[int](t)(l.AddDue(t.Context(), []Tick{now, early}))
			for _, k := range must[[]Tick](t)(l.Due(t.Context(), DueFilter{Until: early.At})) {
				equal(t, "recalls", k.Recalls, n)
				if err := l.MarkSent(t.Context(), k, k.At); err != nil {
					t.Fatal(err)
				}
			}
			equal(t, "recalled", must[int](t)(l.RecallTicks(t.Context(), now.At)), 1)
			equal(t, "recalled again", must[int](t)(l.RecallTicks(t.Context(), now.At)), 0)
		}
		equal(t, "due", must[[]Tick](t)(l.Due(t.Context(), DueFilter{})), []Tick{unsent})
		equal(t, "last", must[map[string]time.Time](t)(l.LastTicks(t.Context(), "clinic-a", early.At)), map[string]time.Time{"sync": now.At})
		must[int](t)(l.DeleteTicks(t.Context(), early.At.Add(time.Second)))
		must[int](t)(l.AddDue(t.Context(), []Tick{early}))
		equal(t, "due after its trace was deleted", must[[]Tick](t)(l.Due(t.Context(), DueFilter{}))[0], early)
		if _, err := l.RecallTicks(t.Context(), time.Time{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("zero time: %v", err)
		}
	})
}

func TestBeginningsMoveBackOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a", "clinic-b")
		began := func() map[string]time.Time {
			return must[map[string]time.Time](t)(l.Beginnings(t.Context(), "clinic-a"))
		}
		equal(t, "none", began(), map[string]time.Time{})
		for _, at := range []time.Time{noon.Add(time.Hour), noon, noon.Add(time.Minute)} {
			if err := l.Begin(t.Context(), "clinic-a", []string{"sync/7", "sync/8"}, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Begin(t.Context(), "clinic-b", []string{"sync/9"}, noon); err != nil {
			t.Fatal(err)
		}
		equal(t, "the earliest", began(), map[string]time.Time{"sync/7": noon, "sync/8": noon})
		for _, bad := range []error{
			l.Begin(t.Context(), "clinic-a", []string{secret + "\n"}, noon), l.Begin(t.Context(), "Clinic A", nil, noon),
			l.Begin(t.Context(), "clinic-a", nil, time.Time{}), l.Begin(t.Context(), "clinic-a", make([]string, maxTicks+1), noon),
		} {
			if !errors.Is(bad, ErrInvalid) {
				t.Errorf("an invalid argument: %v", bad)
			}
		}
		if err := l.Begin(t.Context(), "clinic-x", []string{"sync/7"}, noon); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown tenant: %v", err)
		}
	})
}

func TestNowIsTheLedgersClock(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		before := time.Now().Add(-time.Second)
		now := must[time.Time](t)(l.Now(t.Context()))
		if now.Before(before) || now.After(time.Now().Add(time.Second)) {
			t.Errorf("the ledger's clock shows %v", now)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Now(t.Context()); (err == nil) != (l.Dialect() == SQLite) {
			t.Errorf("a closed ledger: %v", err)
		}
	})
}
