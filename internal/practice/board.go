package practice

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Board is the day board of one practice: every entry of the day in order of start.
type Board struct {
	Practice string     `json:"practice"`
	Date     civil.Date `json:"date"`
	Rows     []BoardRow `json:"rows"`
	// Incomplete lists why the day may have more visits than these, in the order of codes.
	Incomplete []Omission `json:"incomplete,omitempty"`
}

// Visits counts the rows that are patients' visits, and not blocked time or the like.
func Visits(rows []BoardRow) int {
	n := 0
	for _, row := range rows {
		if row.Type == Visit {
			n++
		}
	}
	return n
}

// BoardRow is one entry on the board. Without the patient's record, Known is false and the row has
// the name that the appointment itself carries: one missing record never empties a board.
type BoardRow struct {
	Appointment phi.Text  `json:"appointment"`
	Occurrence  string    `json:"occurrence,omitzero"` // that of the appointment
	Type        EntryType `json:"type,omitzero"`
	Start       time.Time `json:"start"` // before the day if the entry began earlier
	End         time.Time `json:"end"`   // after the day if the entry goes on
	AllDay      bool      `json:"all_day,omitzero"`
	Recurring   bool      `json:"recurring,omitzero"`
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

// buildBoard builds a board. Cancelled and rescheduled visits stay on it with their status, so that
// the front desk sees that these patients will not come.
func buildBoard(practice string, d civil.Date, visits []Appointment, patients map[phi.Text]Patient, info Info) Board {
	b := Board{Practice: practice, Date: d, Rows: make([]BoardRow, 0, len(visits))}
	for _, a := range visits {
		b.Rows = append(b.Rows, boardRow(a, patients, info))
	}
	slices.SortStableFunc(b.Rows, func(x, y BoardRow) int {
		return cmp.Or(x.Start.Compare(y.Start), cmp.Compare(x.Key(), y.Key()))
	})
	return b
}

// Key identifies the row among all of its practice, as Names.Appointment takes it: it is the
// vendor's ID, unless several rows have that ID.
func (r BoardRow) Key() phi.Text { return visitKey(r.Appointment, r.Occurrence) }

func boardRow(a Appointment, patients map[phi.Text]Patient, info Info) BoardRow {
	row := BoardRow{
		Appointment: a.ID, Occurrence: a.Occurrence, Type: a.Type, AllDay: a.AllDay, Recurring: a.Recurring, Start: a.Start, End: a.End, Status: a.Status, Patient: a.Patient, Name: a.PatientName,
		Known: a.Patient == "" && a.PatientName == "", Location: info.location(a.LocationID, a.Location),
	}
	if len(a.Reasons) > 0 {
		row.Reason = a.Reasons[0]
	}
	if len(a.Resources) > 0 {
		row.Provider = info.provider(a.Resources[0])
	}
	if p, ok := patients[a.Patient]; ok && a.Patient != "" {
		row.Known = true
		row.Name = p.FullName()
		row.Born = p.Born
		row.Phone = cmp.Or(p.Mobile, p.Home)
	}
	return row
}

// FullName returns the first, middle and last name with single spaces; "" if all three are empty.
func (p Patient) FullName() phi.Text {
	return phi.Text(strings.Join(strings.Fields(p.First.Reveal()+" "+p.Middle.Reveal()+" "+p.Last.Reveal()), " "))
}
