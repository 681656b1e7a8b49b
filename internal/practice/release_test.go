package practice

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// The documents and last-seen records of the release before entries had types and occurrences. They
// are read with phi.Unmarshal, as that release does.
type (
	earlierAppointment struct {
		ID          phi.Text   `json:"id"`
		Practice    string     `json:"practice"`
		Day         civil.Date `json:"day"`
		Start       time.Time  `json:"start"`
		End         time.Time  `json:"end"`
		AllDay      bool       `json:"all_day,omitzero"`
		Patient     phi.Text   `json:"patient,omitzero"`
		PatientName phi.Text   `json:"patient_name,omitzero"`
		Status      Status     `json:"status"`
		Reasons     []phi.Text `json:"reasons,omitempty"`
		ReasonID    string     `json:"reason_id,omitzero"`
		Resources   []Resource `json:"resources,omitempty"`
		LocationID  string     `json:"location_id,omitzero"`
		Location    string     `json:"location,omitzero"`
	}
	earlierDay struct {
		Practice string           `json:"practice"`
		Date     civil.Date       `json:"date"`
		Visits   []earlierBooking `json:"visits"`
	}
	earlierBooking struct {
		ID        phi.Text `json:"id"`
		Patient   phi.Text `json:"patient,omitzero"`
		Providers []string `json:"providers,omitempty"`
	}
	earlierBoard struct {
		Practice string            `json:"practice"`
		Date     civil.Date        `json:"date"`
		Rows     []earlierBoardRow `json:"rows"`
	}
	earlierBoardRow struct {
		Appointment phi.Text  `json:"appointment"`
		Start       time.Time `json:"start"`
		End         time.Time `json:"end"`
		Status      Status    `json:"status"`
		Patient     phi.Text  `json:"patient,omitzero"`
		Name        phi.Text  `json:"name,omitzero"`
		Born        phi.Text  `json:"born,omitzero"`
		Phone       phi.Text  `json:"phone,omitzero"`
		Known       bool      `json:"known"`
		Reason      phi.Text  `json:"reason,omitzero"`
		Provider    string    `json:"provider,omitzero"`
		Location    string    `json:"location,omitzero"`
	}
	earlierVisitSeen struct {
		Hash      phi.Ref    `json:"hash"`
		Practice  string     `json:"practice"`
		Day       civil.Date `json:"day"`
		Patient   phi.Text   `json:"patient,omitzero"`
		Providers []string   `json:"providers,omitempty"`
	}
	earlierDaySeen struct {
		Visits []phi.Text `json:"visits"`
		Doubt  phi.Ref    `json:"doubt,omitzero"`
	}
)

func earlier(a Appointment) earlierAppointment {
	return earlierAppointment{
		ID: a.ID, Practice: a.Practice, Day: a.Day, Start: a.Start, End: a.End, AllDay: a.AllDay, Patient: a.Patient,
		PatientName: a.PatientName, Status: a.Status, Reasons: a.Reasons, ReasonID: a.ReasonID, Resources: a.Resources,
		LocationID: a.LocationID, Location: a.Location,
	}
}

// seeEarlier stores what the earlier release stores of an answer about Monday.
func (b *bundle) seeEarlier(t *testing.T, vs ...Appointment) {
	t.Helper()
	sc := b.store.scope(clinic, "7")
	day := earlierDay{Practice: "7", Date: monday}
	var docs []document
	var records []cache.LastSeenUpdate
	var seen earlierDaySeen
	put := func(u cache.LastSeenUpdate, err error) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, u)
	}
	for _, a := range vs {
		doc := earlier(a)
		hash, err := contentHash(sc.names.sealer, doc)
		if err != nil {
			t.Fatal(err)
		}
		day.Visits = append(day.Visits, earlierBooking{ID: a.ID, Patient: a.Patient, Providers: a.Providers()})
		seen.Visits = append(seen.Visits, a.ID)
		docs = append(docs, document{Record{Noun: NounAppointment, ID: a.ID, Practice: "7"}, doc})
		last := lastSeen[earlierVisitSeen]{name: string(sc.names.Appointment(a.ID))}
		put(last.replace(sc.names.sealer, &earlierVisitSeen{Hash: hash, Practice: "7", Day: a.Day, Patient: a.Patient, Providers: a.Providers()}))
	}
	docs = append(docs, document{Record{Noun: NounDay, Practice: "7", Day: monday}, day})
	last := lastSeen[earlierDaySeen]{name: string(sc.names.Day("7", monday))}
	put(last.replace(sc.names.sealer, &seen))
	change := cache.Change{Tags: []cache.Tag{cache.TagOf("any")}, LastSeen: records, Event: events.Body{Kind: events.AppointmentChanged}}
	if _, err := b.store.cache.Invalidate(t.Context(), clinic, change); err != nil {
		t.Fatal(err)
	}
	if err := sc.fill(t.Context(), b.begin(t), docs...); err != nil {
		t.Fatal(err)
	}
}

// What the earlier release has stored is shown, and an equal answer changes nothing. A visit that
// changes its provider leaves the day of the earlier one.
func TestDocumentsOfTheEarlierRelease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	vs := visits(3)
	for i := range vs {
		vs[i].Resources = []Resource{{ID: "70", Name: "Dr. Example"}}
	}
	b.seeEarlier(t, vs...)
	rows := func(provider string) int {
		t.Helper()
		r, err := b.store.ProviderDay(t.Context(), clinic, "7", provider, monday)
		if err != nil || r.Missing > 0 {
			t.Fatalf("%+v, %v", r.Freshness, err)
		}
		return len(r.ProviderDay.Rows)
	}
	if n := rows("70"); n != 3 {
		t.Errorf("%d visits of the provider", n)
	}
	if r := b.board(t, monday); len(r.Board.Rows) != 3 || r.Stale || r.Missing > 0 {
		t.Errorf("%d rows, %+v", len(r.Board.Rows), r.Freshness)
	}
	if got := b.see(t, monday, vs...); got.Any() || got.Doubtful {
		t.Errorf("an equal answer changed %+v", got)
	}
	vs[1].Resources = []Resource{{ID: "71", Name: "Dr. Other"}}
	if got := b.see(t, monday, vs...); got.Changed != 1 || got.Added+got.Removed > 0 {
		t.Errorf("another provider changed %+v", got)
	}
	if rows("70") != 2 || rows("71") != 1 {
		t.Errorf("%d and %d visits of the providers", rows("70"), rows("71"))
	}
}

// The earlier release reads an entry of this one in full or not at all, which it counts as missing.
func TestEarlierReleaseReadsAllOrNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	block := visit(5)
	block.Type, block.Patient, block.PatientName, block.Reasons = Other, "", "", []phi.Text{"Staff lunch"}
	series, night, member := visit(6), visit(7), visit(8)
	series.Recurring = true
	night.Last, night.End = monday.Add(1), night.End.AddDate(0, 0, 1)
	member.ID = visit(0).ID
	sc := b.store.scope(clinic, "7")
	for name, c := range map[string]struct {
		date   civil.Date
		visits []Appointment
		aside  map[codes.Code]int
		unread int // documents that the earlier release must not read
	}{
		"plain":         {monday, visits(2), nil, 0},
		"a block":       {monday.Add(7), []Appointment{block}, nil, 2},
		"a series":      {monday.Add(14), []Appointment{series}, nil, 2},
		"over night":    {monday.Add(21), []Appointment{night}, nil, 3},
		"a group":       {monday.Add(28), []Appointment{visit(0), member}, nil, 4},
		"an incomplete": {monday.Add(35), []Appointment{visit(9)}, map[codes.Code]int{codes.RowUndated: 1}, 2},
	} {
		for i := range c.visits {
			a := &c.visits[i]
			shift := monday.Days(c.date)
			a.ID += phi.Text(fmt.Sprint(shift))
			a.Day, a.Start, a.End = a.Day.Add(shift), a.Start.AddDate(0, 0, shift), a.End.AddDate(0, 0, shift)
			if !a.Last.IsZero() {
				a.Last = a.Last.Add(shift)
			}
		}
		_, err := b.store.ApplyDay(t.Context(), clinic, Answer{Practice: "7", Date: c.date, Visits: c.visits, SetAside: c.aside, Since: b.begin(t), Question: trusted})
		if err != nil {
			t.Fatal(err)
		}
		if r := b.board(t, c.date); len(r.Board.Rows) != len(c.visits) {
			t.Errorf("%s: %d rows", name, len(r.Board.Rows))
		}
		unread := 0
		count := func(k cache.Key, into any) {
			if !readsAllOrNothing(t, b, k, into) {
				unread++
			}
		}
		e, err := b.store.cache.Peek(t.Context(), sc.day(c.date))
		if err != nil {
			t.Fatal(err)
		}
		day, ok := decode[Day](t.Context(), e)
		if !ok {
			t.Fatalf("%s: no roster", name)
		}
		count(sc.day(c.date), &earlierDay{})
		count(sc.key(boardClass, sc.names.Board("7", c.date)), &earlierBoard{})
		for _, v := range day.Visits {
			count(sc.key(visitClass, sc.names.Appointment(v.key())), &earlierAppointment{})
		}
		if unread != c.unread {
			t.Errorf("%s: %d documents cannot be read, want %d", name, unread, c.unread)
		}
		for _, v := range day.Visits {
			seen, err := readLastSeenOf[earlierVisitSeen](t.Context(), sc, sc.names.Appointment(v.key()))
			if err != nil {
				t.Fatal(err)
			}
			if seen.raw == nil || seen.known && v.Occurrence == "" {
				t.Errorf("%s: a record that the earlier release knows: %t", name, seen.known)
			}
		}
	}
}

// readsAllOrNothing reports whether the earlier release reads the entry. It fails the test if that
// loses anything.
func readsAllOrNothing(t *testing.T, b *bundle, k cache.Key, into any) bool {
	t.Helper()
	e, err := b.store.cache.Peek(context.WithoutCancel(t.Context()), k)
	if err != nil || !exists(e) {
		t.Fatalf("%s: %s, %v", k.Class.Name, e.State, err)
	}
	if phi.Unmarshal(e.Value, into) != nil {
		return false
	}
	again, err := phi.Marshal(into)
	if err != nil || !bytes.Equal(again, e.Value) {
		t.Errorf("%s: the earlier release loses something, %v", k.Class.Name, err)
	}
	return true
}
