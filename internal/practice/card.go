package practice

import (
	"cmp"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// CardDays is how many days of visits a patient card shows, including the first: four weeks.
const CardDays = 28

// Card is what the front desk sees of one patient: the record, and the visits at one practice from
// one day on.
type Card struct {
	Practice string      `json:"practice"`
	From     civil.Date  `json:"from"`
	To       civil.Date  `json:"to"` // the last day, CardDays in all
	Patient  Patient     `json:"patient"`
	Visits   []CardVisit `json:"visits"` // in order of start
	// Incomplete lists why the days may have more visits of the patient than these, in the order of
	// days and codes: a row that is not shown may be this patient's.
	Incomplete []DayOmission `json:"incomplete,omitempty"`
}

// CardVisit is one visit on a card. Cancelled and rescheduled visits are shown with their status,
// as on boards.
type CardVisit struct {
	Appointment phi.Text   `json:"appointment"`
	Occurrence  string     `json:"occurrence,omitzero"` // that of the appointment
	Day         civil.Date `json:"day"`
	Start       time.Time  `json:"start"`
	End         time.Time  `json:"end"`
	AllDay      bool       `json:"all_day,omitzero"`
	Recurring   bool       `json:"recurring,omitzero"`
	Status      Status     `json:"status"`
	Reason      phi.Text   `json:"reason,omitzero"`
	Provider    string     `json:"provider,omitzero"`
	Location    string     `json:"location,omitzero"`
}

// Key identifies the visit, as that of a BoardRow does.
func (v CardVisit) Key() phi.Text { return visitKey(v.Appointment, v.Occurrence) }

// buildCard builds a card from the patient's record and visits.
func buildCard(practice string, from civil.Date, p Patient, visits []Appointment, info Info) Card {
	c := Card{
		Practice: practice, From: from, To: from.Add(CardDays - 1), Patient: p, Visits: make([]CardVisit, 0, len(visits)),
	}
	for _, a := range onceEach(visits) {
		row := boardRow(a, nil, info)
		c.Visits = append(c.Visits, CardVisit{
			Appointment: a.ID, Occurrence: a.Occurrence, Day: a.Day, Start: a.Start, End: a.End, Status: a.Status, Reason: row.Reason,
			Provider: row.Provider, Location: row.Location, AllDay: a.AllDay, Recurring: a.Recurring,
		})
	}
	slices.SortStableFunc(c.Visits, func(x, y CardVisit) int {
		return cmp.Or(x.Start.Compare(y.Start), cmp.Compare(x.Key(), y.Key()))
	})
	return c
}

// onceEach returns the visits without those that show the same row on another of its days.
func onceEach(visits []Appointment) []Appointment {
	seen := make(map[phi.Text]bool, len(visits))
	var out []Appointment
	for _, a := range visits {
		row := a.key()
		if _, name := splitOccurrence(a.Occurrence); name != "" {
			row = visitKey(a.ID, name)
		}
		if !seen[row] {
			seen[row] = true
			out = append(out, a)
		}
	}
	return out
}
