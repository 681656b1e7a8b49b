package practice

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// An appointment is its ID while the vendor gives that ID once. Rows that share an ID, and rows of
// several days, are occurrences: one for each row and day, "<day>.<row>". A row is named by the day
// on which it starts, and a digest of its start and patient.

// digestLength is how many characters of a ref distinguish the rows of one ID: 65 bits.
const digestLength = 13

// rowDays is the day from which rows count the days of their names, in base 36.
var rowDays = civil.DateOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))

// occurrenceSeparator is between an ID and an occurrence. No ID of the vendor contains it.
const occurrenceSeparator = "#"

// key identifies the visit: its ID, and its occurrence if it has one.
func (a *Appointment) key() phi.Text { return visitKey(a.ID, a.Occurrence) }

func (b *Booking) key() phi.Text { return visitKey(b.ID, b.Occurrence) }

func visitKey(id phi.Text, occurrence string) phi.Text {
	if occurrence == "" {
		return id
	}
	return id + phi.Text(occurrenceSeparator+occurrence)
}

func splitKey(key phi.Text) (id phi.Text, occurrence string) {
	text, occurrence, _ := strings.Cut(key.Reveal(), occurrenceSeparator)
	return phi.Text(text), occurrence
}

// idsOf returns the IDs of visits, in order. Unlike a visit's key, its ID does not depend on what
// else is known of the ID.
func idsOf(keys []phi.Text) []phi.Text {
	ids := make([]phi.Text, len(keys))
	for i, key := range keys {
		ids[i], _ = splitKey(key)
	}
	slices.Sort(ids)
	return ids
}

func occurrenceOn(d civil.Date, row string) string { return d.String() + "." + row }

// splitOccurrence returns the zero Date for a text that is not an occurrence.
func splitOccurrence(occurrence string) (on civil.Date, row string) {
	day, row, _ := strings.Cut(occurrence, ".")
	on, err := civil.ParseDate(day)
	if err != nil {
		return civil.Date{}, ""
	}
	return on, row
}

// row is one of the vendor's rows with the name that distinguishes it from others of its ID.
type row struct {
	*Appointment
	name string
}

// rowsOf returns the rows of one ID in a fixed order with their names. Rows that have the same
// start and patient are counted.
func (sc scope) rowsOf(all []*Appointment) ([]row, error) {
	if len(all) > 1 {
		var err error
		if all, err = inOrder(all); err != nil {
			return nil, err
		}
	}
	rows := make([]row, len(all))
	for i, a := range all {
		nth := 0
		for i > nth && all[i-nth-1].Start.Equal(a.Start) && all[i-nth-1].Patient == a.Patient {
			nth++
		}
		rows[i] = row{a, sc.rowName(a, nth)}
	}
	return rows, nil
}

// inOrder sorts rows of one ID by start, patient and content.
func inOrder(all []*Appointment) ([]*Appointment, error) {
	content := make(map[*Appointment]string, len(all))
	for _, a := range all {
		data, err := phi.Marshal(a)
		if err != nil {
			return nil, err
		}
		content[a] = string(data)
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(x, y *Appointment) int {
		return cmp.Or(x.Start.Compare(y.Start), cmp.Compare(x.Patient, y.Patient), cmp.Compare(content[x], content[y]))
	})
	return sorted, nil
}

func (sc scope) rowName(a *Appointment, nth int) string {
	parts := []string{sc.practice, strconv.FormatInt(a.Start.Unix(), 10), a.Patient.Reveal()}
	if nth > 0 {
		parts = append(parts, strconv.Itoa(nth))
	}
	digest := string(sc.names.ref("occurrence", strings.Join(parts, " ")))[:digestLength]
	return strconv.FormatInt(int64(rowDays.Days(a.Day)), 36) + "." + digest
}

// startOf returns the day on which a row starts, and the zero Date for a text that names no row.
func startOf(name string) civil.Date {
	days, _, _ := strings.Cut(name, ".")
	n, err := strconv.ParseInt(days, 36, 32)
	if err != nil {
		return civil.Date{}
	}
	return rowDays.Add(int(n))
}
