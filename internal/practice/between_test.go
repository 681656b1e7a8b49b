package practice

import (
	"context"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/cache"
)

// between calls do once, before the nth command that a client sends from now on. It does not count
// do's own commands.
type between struct {
	n     int
	do    func()
	quiet bool
}

func (h *between) step() {
	if h.quiet || h.do == nil {
		return
	}
	if h.n--; h.n < 0 {
		h.quiet = true
		h.do()
		h.do, h.quiet = nil, false
	}
}

func (h *between) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.step()
		return next(ctx, cmd)
	}
}

func (h *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.step()
		return next(ctx, cmds)
	}
}

// While a record without a copy is being applied, a reader may build a view at any moment. No view
// that lacks the record is stored.
func TestNoViewIsStoredWithoutARecordThatArrivesMeanwhile(t *testing.T) {
	t.Parallel()
	who := visit(0)
	who.Resources, who.LocationID = []Resource{{ID: "70", Name: "Dr Zero"}}, "3"
	known := Patient{ID: who.Patient, Practice: "7", First: "First", Last: "Testperson"}
	apply := func(t *testing.T, b *bundle) { b.patient(t, known) }
	for name, c := range map[string]struct {
		before func(t *testing.T, b *bundle)
		apply  func(t *testing.T, b *bundle)
		there  func(BoardRow) bool
	}{
		"a patient": {func(*testing.T, *bundle) {}, apply, func(r BoardRow) bool { return r.Known }},
		"a patient whose copy is lost": {func(t *testing.T, b *bundle) {
			b.patient(t, known)
			b.lose(t, b.store.scope(clinic, "").documentKey(patientRecord(known.ID)))
		}, apply, func(r BoardRow) bool { return r.Known }},
		"a patient reported as not existing": {func(t *testing.T, b *bundle) {
			if _, err := b.store.ForgetPatient(t.Context(), clinic, known.ID, false, b.begin(t)); err != nil {
				t.Fatal(err)
			}
		}, apply, func(r BoardRow) bool { return r.Known }},
		"a directory": {func(*testing.T, *bundle) {}, func(t *testing.T, b *bundle) {
			if _, err := b.store.ApplyDirectory(t.Context(), clinic, Directory{Practice: "7", Providers: []Provider{{ID: "70", Name: "Dr Renamed"}}}, b.begin(t)); err != nil {
				t.Fatal(err)
			}
		}, func(r BoardRow) bool { return r.Provider == "Dr Renamed" }},
		"a list of places": {func(*testing.T, *bundle) {}, func(t *testing.T, b *bundle) {
			if _, err := b.store.ApplyLocations(t.Context(), clinic, Locations{Practice: "7", Locations: []Location{{ID: "3", Name: "Annex"}}}, b.begin(t)); err != nil {
				t.Fatal(err)
			}
		}, func(r BoardRow) bool { return r.Location == "Annex" }},
		"a visit": {func(*testing.T, *bundle) {}, func(t *testing.T, b *bundle) {
			another := visit(1)
			another.Patient = ""
			b.see(t, monday, another, who)
		}, func(r BoardRow) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, over := 0, false; !over; n++ {
				b := setup(t)
				b.see(t, monday, who)
				c.before(t, b)
				read := &between{n: n, do: func() { b.board(t, monday) }}
				b.rdb.AddHook(read)
				c.apply(t, b)
				over, read.quiet = read.do != nil, true
				for range 2 {
					r := b.board(t, monday)
					if !c.there(r.Board.Rows[0]) || name == "a visit" && len(r.Board.Rows) != 2 {
						t.Fatalf("read before command %d: the stored board lacks the record", n)
					}
				}
			}
		})
	}
}

// A slow answer has a patient that a faster, later one reported as not existing: the cache refuses
// what is filled under the older grant, and the doubt about the newer one must suffice.
func TestNoViewIsStoredWithoutAPatientCreatedMeanwhile(t *testing.T) {
	t.Parallel()
	who := visit(0)
	for n, over := 0, false; !over; n++ {
		b := setup(t)
		b.see(t, monday, who)
		forget := func() {
			if _, err := b.store.ForgetPatient(t.Context(), clinic, who.Patient, false, b.begin(t)); err != nil {
				t.Fatal(err)
			}
		}
		forget()
		since := b.begin(t)
		forget()
		read := &between{n: n, do: func() { b.board(t, monday) }}
		b.rdb.AddHook(read)
		if _, err := b.store.ApplyPatient(t.Context(), clinic, Patient{ID: who.Patient, Practice: "7", First: "First"}, since); err != nil {
			t.Fatal(err)
		}
		over, read.quiet = read.do != nil, true
		for range 2 {
			if r := b.board(t, monday); r.Unknown != 0 {
				t.Fatalf("read before command %d: hit %t, unknown %d", n, r.Hit, r.Unknown)
			}
		}
	}
}

// A card that was built without a day does not replace one that has it, at whatever moment while
// the day arrives it was built, and even if nothing is new about a day whose roster was lost.
func TestNoCardIsStoredWithoutADayThatArrives(t *testing.T) {
	t.Parallel()
	tuesday := monday.Add(1)
	here, there := visit(0), onDay(visit(3), tuesday, 1)
	there.Patient = here.Patient
	for name, before := range map[string]func(t *testing.T, b *bundle){
		"it was never requested": func(*testing.T, *bundle) {},
		"its roster is lost": func(t *testing.T, b *bundle) {
			b.see(t, tuesday, there)
			b.lose(t, cache.Key{Class: dayClass, ID: b.store.Names(clinic).Day("7", tuesday)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, over := 0, false; !over; n++ {
				b := setup(t)
				b.see(t, monday, here)
				b.patient(t, Patient{ID: here.Patient, Practice: "7", First: "First"})
				before(t, b)
				if r := b.card(t, here.Patient); len(r.Card.Visits) != 1 {
					t.Fatalf("%d visits before the day is known", len(r.Card.Visits))
				}
				read := &between{n: n, do: func() { b.card(t, here.Patient) }}
				b.rdb.AddHook(read)
				b.see(t, tuesday, there)
				over, read.quiet = read.do != nil, true
				for range 2 {
					if r := b.card(t, here.Patient); len(r.Card.Visits) != 2 {
						t.Fatalf("read before command %d: hit %t, %d visits, %d days unknown", n, r.Hit, len(r.Card.Visits), r.Unknown)
					}
				}
				if r := b.card(t, here.Patient); !r.Hit {
					t.Fatal("the complete card is not stored")
				}
			}
		})
	}
}

// An answer that was refused has left a copy of a record, and views were stored without it. The
// next answer invalidates them.
func TestLostRecordInvalidatesViewsAfterARefusedAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	who := visit(0)
	who.Resources = []Resource{{ID: "70", Name: "Dr Zero"}}
	b.see(t, monday, who)
	lost, other := Patient{ID: who.Patient, Practice: "7", First: "First"}, Patient{ID: "5555", Practice: "7", First: "Other"}
	b.patient(t, lost)
	b.patient(t, other)
	b.lose(t, b.store.scope(clinic, "").documentKey(patientRecord(lost.ID)))
	read := func() ProviderDayRead {
		r, err := b.store.ProviderDay(t.Context(), clinic, "7", "70", monday)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := read(); r.Unknown != 1 {
		t.Fatalf("%d unknown, want the lost patient", r.Unknown)
	}
	since := b.begin(t)
	b.invalidate(t, Record{Noun: NounPatient, ID: other.ID})
	b.board(t, monday)
	other.First = "Changed"
	if _, err := b.store.ApplyPatients(t.Context(), clinic, since, lost, other); !errors.Is(err, cache.ErrConflict) {
		t.Fatalf("got %v, want a conflict", err)
	}
	if _, err := b.store.ApplyPatients(t.Context(), clinic, b.begin(t), lost, other); err != nil {
		t.Fatal(err)
	}
	if day, board := read(), b.board(t, monday); day.Unknown != 0 || board.Unknown != 0 {
		t.Errorf("%d unknown on the day and %d on the board, although both are known", day.Unknown, board.Unknown)
	}
}
