package practice

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Errors of the mapping. They contain nothing of the row.
var (
	// ErrForeign means that the row belongs to another practice than the requested one. It must not
	// be cached.
	ErrForeign = errors.New("practice: row of another practice")
	// ErrRow means that the row lacks a field that every document needs.
	ErrRow = errors.New("practice: row without id or start")
)

// FromAppointment maps a row of one practice's schedule. A row that has no identifier or no start
// gives [codes.RowUnidentified] or [codes.RowUndated] as its error.
func FromAppointment(practice string, row tebra.Appointment, zone *time.Location) (Appointment, error) {
	if row.PracticeID != "" && row.PracticeID != practice {
		return Appointment{}, ErrForeign
	}
	switch {
	case row.ID == "":
		return Appointment{}, codes.RowUnidentified
	case row.Start.IsZero():
		return Appointment{}, codes.RowUndated
	}
	a := Appointment{
		ID: row.ID, Practice: practice, Day: dayOf(row.Day, row.Start, zone), Start: row.Start.UTC(), End: row.End.UTC(),
		AllDay: row.AllDay, Patient: row.PatientID, PatientName: row.PatientName, Status: ParseStatus(row.Status),
		LocationID: row.ServiceLocationID, Location: row.ServiceLocationName, Recurring: row.Recurring, Modified: row.LastModified,
		OpenEnded: row.EndUnread(),
	}
	if row.End.IsZero() || row.End.Before(row.Start) {
		a.End = a.Start
	}
	a.Last = lastDay(a.Day, a.Start, a.End, zone)
	for i, r := range row.Reasons {
		if i == 0 {
			a.ReasonID = r.ID
		}
		if r.Name != "" {
			a.Reasons = append(a.Reasons, r.Name)
		}
	}
	if a.Type = entryTypeOf(&row); a.Type != Visit && len(a.Reasons) == 0 {
		if note := noteOf(row.Notes); note != "" {
			a.Reasons = []phi.Text{note}
		}
	}
	resources := row.Providers()
	rooms := len(resources) == 0
	if rooms {
		resources = row.Resources
	}
	for _, r := range resources {
		a.Resources = append(a.Resources, Resource{ID: r.ID.Reveal(), Name: r.Name.Reveal(), Room: rooms})
	}
	return a, nil
}

// maxDays is how many days an entry is shown on. A later end is shown, and the days are not.
const maxDays = 366

// lastDay returns the day on which an entry ends if that is after the day on which it starts, else
// the zero Date.
func lastDay(first civil.Date, start, end time.Time, zone *time.Location) civil.Date {
	if last := LastDay(first, start, end, zone); last != first {
		return last
	}
	return civil.Date{}
}

// LastDay returns the last day of an entry that begins on a day. An entry that ends at midnight is
// not on the day that begins then.
func LastDay(first civil.Date, start, end time.Time, zone *time.Location) civil.Date {
	if !end.After(start) {
		return first
	}
	return civil.Max(first, civil.Min(civil.DateOf(end.Add(-time.Nanosecond).In(zone)), first.Add(maxDays-1)))
}

// DistinctRows returns the rows without those that equal another one in every field.
func DistinctRows(rows []tebra.Appointment) ([]tebra.Appointment, error) {
	byID := make(map[phi.Text]int, len(rows))
	for _, r := range rows {
		byID[r.ID]++
	}
	seen := map[string]bool{}
	var out []tebra.Appointment
	for _, r := range rows {
		if byID[r.ID] > 1 && r.ID != "" {
			data, err := phi.Marshal(struct {
				tebra.Appointment
				Duration int64 // in place of the row's own, for which JSON has no form
			}{r, int64(r.Duration)})
			if err != nil {
				return nil, fmt.Errorf("compare rows: %w", err)
			}
			if seen[string(data)] {
				continue
			}
			seen[string(data)] = true
		}
		out = append(out, r)
	}
	return out, nil
}

// dayOf returns the day under which the vendor lists an appointment. It is the day of its start if
// the row does not say.
func dayOf(listed, start time.Time, zone *time.Location) civil.Date {
	if listed.IsZero() {
		listed = start.In(zone)
	}
	return civil.DateOf(listed)
}

// Detail is an appointment that was read by itself. It has the ids of what it refers to, but no
// names.
type Detail struct {
	ID         phi.Text
	Day        civil.Date
	Last       civil.Date // if that is after Day
	Start, End time.Time
	Patient    phi.Text
	Status     Status
	Provider   string   // the only provider; empty if there is none
	Rooms      []string // what else it occupies
	ReasonID   string
	LocationID string
	Group      bool
}

// FromDetail maps an appointment that was read by itself. It returns nil and no error for one that
// the vendor deleted.
func FromDetail(practice string, row *tebra.AppointmentDetail, zone *time.Location) (*Detail, error) {
	switch {
	case row.PracticeID != "" && row.PracticeID != practice:
		return nil, ErrForeign
	case row.Deleted:
		return nil, nil
	case row.ID == "" || row.Start.IsZero():
		return nil, ErrRow
	}
	d := &Detail{
		ID: row.ID, Day: dayOf(row.Day, row.Start, zone), Start: row.Start.UTC(), End: row.End.UTC(), Patient: row.Patient,
		Status: ParseStatus(string(row.Status)), Provider: row.ProviderID.Reveal(), ReasonID: row.ReasonID,
		LocationID: row.ServiceLocationID, Group: row.Group,
	}
	if d.End.Before(d.Start) {
		d.End = d.Start
	}
	d.Last = lastDay(d.Day, d.Start, d.End, zone)
	for _, id := range append([]phi.Text{row.ResourceID}, row.ResourceIDs...) {
		if room := id.Reveal(); room != "" && room != d.Provider && !slices.Contains(d.Rooms, room) {
			d.Rooms = append(d.Rooms, room)
		}
	}
	return d, nil
}

// fits reports whether the detail agrees with a in everything that decides on which lists the visit
// is and under which names. A visit with attributes that cannot be compared between the two answers
// does not fit.
func (d *Detail) fits(a Appointment) bool {
	var taken []string
	for _, r := range a.Resources {
		taken = append(taken, r.ID)
	}
	alike := len(taken) == 1 && taken[0] == d.Provider
	if d.Provider == "" {
		rooms := slices.Sorted(slices.Values(d.Rooms))
		slices.Sort(taken)
		alike = len(a.Providers()) == 0 && slices.Equal(taken, rooms)
	}
	return alike && !d.Group && !a.AllDay && d.ID == a.ID && d.Day == a.Day && d.Last == a.Last && d.Patient == a.Patient &&
		d.ReasonID == a.ReasonID && d.LocationID == a.LocationID
}

// FromLocations maps a practice's places and sorts them, as FromProviders does.
func FromLocations(practice string, rows []tebra.ServiceLocation) Locations {
	l := Locations{Practice: practice, Locations: []Location{}}
	for _, r := range rows {
		if r.ID == "" || r.PracticeID != "" && r.PracticeID != practice {
			continue
		}
		l.Locations = append(l.Locations, Location{ID: r.ID, Name: r.Name})
	}
	slices.SortFunc(l.Locations, func(a, b Location) int { return strings.Compare(a.ID, b.ID) })
	return l
}

// FromPractices maps the account's practices and sorts them.
func FromPractices(rows []tebra.Practice) Practices {
	p := Practices{Practices: []Place{}}
	for _, r := range rows {
		if r.ID != "" {
			p.Practices = append(p.Practices, Place{ID: r.ID, Name: r.Name, Active: r.Active})
		}
	}
	slices.SortFunc(p.Practices, func(a, b Place) int { return strings.Compare(a.ID, b.ID) })
	return p
}

// FromPatient maps a patient's record.
func FromPatient(p *tebra.Patient) Patient {
	return Patient{
		ID: p.ID, Practice: p.PracticeID, First: p.FirstName, Middle: p.MiddleName, Last: p.LastName, Born: p.BirthDate,
		Gender: p.Gender, Mobile: p.MobilePhone, Home: p.HomePhone, Email: p.Email,
	}
}

// FromProviders maps a practice's providers and sorts them, so that the vendor's order cannot look
// like a change. It skips referring providers, who work elsewhere.
func FromProviders(practice string, rows []tebra.Provider) Directory {
	d := Directory{Practice: practice, Providers: []Provider{}}
	for _, r := range rows {
		if r.ID == "" || r.PracticeID != "" && r.PracticeID != practice || strings.Contains(r.Type, "Referring") {
			continue
		}
		d.Providers = append(d.Providers, Provider{
			ID: r.ID.Reveal(), Name: r.FullName.Reveal(), Specialty: r.Specialty, Active: r.Active,
		})
	}
	slices.SortFunc(d.Providers, func(a, b Provider) int { return strings.Compare(a.ID, b.ID) })
	return d
}

// contentHash returns a keyed digest of a document's content: equal content has equal digests, and
// the digest reveals nothing.
func contentHash(s *phi.Sealer, document any) (phi.Ref, error) {
	data, err := phi.Marshal(document)
	if err != nil {
		return "", err
	}
	return s.Ref("content", string(data)), nil
}
