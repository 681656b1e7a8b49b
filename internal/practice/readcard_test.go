package practice

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// know applies a patient's record like a run of the worker.
func (b *bundle) know(t *testing.T, p Patient) {
	t.Helper()
	since, err := b.store.Begin(t.Context(), clinic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.ApplyPatient(t.Context(), clinic, p, since); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) card(t *testing.T, id phi.Text) CardRead {
	t.Helper()
	r, err := b.store.PatientCard(t.Context(), clinic, "7", id, monday)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// on is a visit moved to another day at the same hour.
func on(a Appointment, d civil.Date) Appointment {
	shift := d.In(time.UTC).Sub(a.Day.In(time.UTC))
	a.Day, a.Start, a.End = d, a.Start.Add(shift), a.End.Add(shift)
	return a
}

func TestCard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.store.PatientCard(t.Context(), clinic, "7", "1001", monday); !errors.Is(err, ErrCold) {
		t.Fatalf("a patient that was never read: %v", err)
	}
	b.know(t, Patient{ID: "1001", First: "Ada", Last: "Testperson"})
	if r := b.card(t, "1001"); r.Unknown != CardDays || len(r.Card.Visits) != 0 || r.Card.Patient.First != "Ada" {
		t.Fatalf("%d days unknown, %d visits", r.Unknown, len(r.Card.Visits))
	}
	friday := monday.Add(4)
	later := on(visit(5), friday)
	later.Patient = "1001"
	b.see(t, monday, visits(3)...)
	b.see(t, friday, later)
	r := b.card(t, "1001")
	if r.Unknown != CardDays-2 || len(r.Card.Visits) != 2 || r.Card.Visits[0].Day != monday || r.Card.Visits[1].Day != friday {
		t.Fatalf("%d days unknown, %d visits", r.Unknown, len(r.Card.Visits))
	}
}

// A card says which of its days may have more visits, and no longer when an answer that counts has
// them all.
func TestCardOfIncompleteDays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tuesday := monday.Add(1)
	apply := func(d civil.Date, q Question, aside map[codes.Code]int, vs ...Appointment) Applied {
		since, err := b.store.Begin(t.Context(), clinic)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.store.ApplyDay(t.Context(), clinic, Answer{Practice: "7", Date: d, Visits: vs, SetAside: aside, Since: since, Question: q})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	lacks := func(want ...DayOmission) {
		t.Helper()
		for _, how := range []string{"built", "cached"} {
			if r := b.card(t, "1000"); !slices.Equal(r.Card.Incomplete, want) || r.Stale {
				t.Errorf("%s: incomplete %v, want %v; stale %t", how, r.Card.Incomplete, want, r.Stale)
			}
		}
	}
	b.know(t, Patient{ID: "1000", Practice: "7"})
	apply(monday, trusted, nil, visits(4)...)
	b.see(t, tuesday, onDay(visit(9), tuesday, 9))
	lacks()
	apply(tuesday, trusted, map[codes.Code]int{codes.RowUnreadable: 1, codes.RowForeign: 2}, onDay(visit(9), tuesday, 9))
	apply(monday, trusted, map[codes.Code]int{codes.RowUndated: 3}, visits(4)...)
	lacks(DayOmission{monday, Omission{codes.RowUndated, 3}}, DayOmission{tuesday, Omission{codes.RowForeign, 2}}, DayOmission{tuesday, Omission{codes.RowUnreadable, 1}})
	b.see(t, tuesday, onDay(visit(9), tuesday, 9))
	lacks(DayOmission{monday, Omission{codes.RowUndated, 3}})
	if got := apply(monday, Question{}, nil, visit(0)); !got.Doubtful {
		t.Fatal("an answer with a quarter of the visits counts")
	}
	if r := b.card(t, "1000"); len(r.Card.Incomplete) != 1 || !r.Stale {
		t.Errorf("after a doubtful answer: incomplete %v, stale %t", r.Card.Incomplete, r.Stale)
	}
	apply(monday, trusted, nil, visit(0))
	lacks()
}

// A card keeps what it shows of a day whose roster is lost, and its age does not shrink.
func TestCardKeepsADayWhoseRosterIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tuesday := monday.Add(1)
	here, there := visit(0), onDay(visit(3), tuesday, 1)
	there.Patient = here.Patient
	b.see(t, tuesday, there)
	b.see(t, monday, here)
	b.know(t, Patient{ID: here.Patient, Practice: "7", First: "First"})
	made := b.card(t, here.Patient)
	b.lose(t, cache.Key{Class: dayClass, ID: b.store.Names(clinic).Day("7", tuesday)})
	r := b.card(t, here.Patient)
	if !r.Hit || len(r.Card.Visits) != 2 || r.Unknown != CardDays-2 || !r.AsOf.Equal(made.AsOf) {
		t.Errorf("hit %t, %d visits, %d days unknown, confirmed %v after it was built", r.Hit, len(r.Card.Visits), r.Unknown, r.AsOf.Sub(made.AsOf))
	}
}

// A roster that cannot be decoded counts as missing: no card is stored without it.
func TestCardIsNotStoredWithoutADayThatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tuesday := monday.Add(1)
	here, there := visit(0), onDay(visit(3), tuesday, 1)
	there.Patient = here.Patient
	b.see(t, monday, here)
	b.know(t, Patient{ID: here.Patient, Practice: "7", First: "First"})
	n := b.store.Names(clinic)
	item, err := encode(cache.Key{Tenant: clinic, Class: dayClass, ID: n.Day("7", tuesday)}, map[string]int{"visits": 5}, n.Day("7", tuesday), n.Practice("7"))
	if err == nil {
		_, err = b.store.cache.FillMany(t.Context(), b.begin(t), []cache.Item{item})
	}
	if err != nil {
		t.Fatal(err)
	}
	if r := b.card(t, here.Patient); len(r.Card.Visits) != 1 || !r.Stale {
		t.Fatalf("%d visits, stale %t", len(r.Card.Visits), r.Stale)
	}
	b.see(t, tuesday, there)
	if r := b.card(t, here.Patient); len(r.Card.Visits) != 2 {
		t.Errorf("hit %t, %d visits", r.Hit, len(r.Card.Visits))
	}
}

func TestProviderDay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.store.ProviderDay(t.Context(), clinic, "7", "70", monday); !errors.Is(err, ErrCold) {
		t.Fatalf("a day that was never read: %v", err)
	}
	vs := visits(3)
	vs[0].Resources = []Resource{{ID: "70", Name: "Dr Example"}}
	vs[1].Resources = []Resource{{ID: "71", Name: "Dr Other"}, {ID: "70", Name: "Dr Example"}}
	b.see(t, monday, vs...)
	r, err := b.store.ProviderDay(t.Context(), clinic, "7", "70", monday)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.ProviderDay.Rows) != 2 || r.ProviderDay.Name != "Dr Example" || r.ProviderDay.Rows[1].Provider != "Dr Example" || r.Unknown != 2 {
		t.Fatalf("%d rows of %s, %d unknown", len(r.ProviderDay.Rows), r.ProviderDay.Name, r.Unknown)
	}
}
