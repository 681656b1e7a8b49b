package work

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/practice"
)

// at is an hour of the n-th day after Monday.
func (b *bundle) at(n, hour int) time.Time {
	return monday.Add(n).In(b.clinic.Location()).Add(time.Duration(hour) * time.Hour)
}

// block enters time of several days without a patient.
func (b *bundle) block(from, to int) (id string) {
	return b.clinic.Enter(tebratest.Visit{Start: b.at(from, 8), End: b.at(to, 17), Type: "O", Notes: "Out of office"})
}

// spoil changes the row with the ID in every response.
func (b *bundle) spoil(id string, change func(row string) string) {
	b.line.answer = func(body string) string {
		rows := strings.SplitAfter(body, "</AppointmentData>")
		for i, row := range rows {
			if at := strings.Index(row, "<AppointmentData>"); at >= 0 && strings.Contains(row, "<ID>"+id+"</ID>") {
				rows[i] = row[:at] + change(row[at:])
			}
		}
		return strings.Join(rows, "")
	}
}

func shows(r practice.BoardRead, id string) bool {
	return slices.ContainsFunc(r.Board.Rows, func(row practice.BoardRow) bool { return row.Appointment.Reveal() == id })
}

// text returns a change of the value of a member.
func text(member, value string) func(string) string {
	whole := regexp.MustCompile("<" + member + ">[^<]*</" + member + ">")
	return func(row string) string { return whole.ReplaceAllString(row, "<"+member+">"+value+"</"+member+">") }
}

func both(one, other func(string) string) func(string) string {
	return func(row string) string { return other(one(row)) }
}

// spoiled are the ways in which the row of an entry cannot be read, with the code that says so.
var spoiled = map[string]struct {
	change func(string) string
	code   codes.Code
}{
	"no number":        {text("ID", "none"), codes.RowUnidentified},
	"two numbers":      {text("ID", "1</ID><ID>2"), codes.RowUnreadable},
	"two notes":        {text("Notes", "a</Notes><Notes>b"), codes.RowUnreadable},
	"no number, end":   {both(text("ID", "none"), both(text("EndDate", "soon"), text("AppointmentDuration", "long"))), codes.RowUnidentified},
	"two ends":         {text("EndDate", "soon</EndDate><EndDate>later"), codes.RowUnreadable},
	"no start":         {text("StartDate", "soon"), codes.RowUndated},
	"no row":           {func(row string) string { return strings.ReplaceAll(row, "AppointmentData>", "Appointment>") }, codes.RowUnreadable},
	"another's":        {both(text("PracticeID", "99"), text("PracticeName", "Another")), codes.RowForeign},
	"another's, end":   {both(text("PracticeID", "99"), both(text("EndDate", "soon"), text("AppointmentDuration", "long"))), codes.RowForeign},
	"an end":           {both(text("EndDate", "soon"), text("AppointmentDuration", "")), codes.RowOpenEnded},
	"an end, a length": {both(text("EndDate", "soon"), text("AppointmentDuration", "long")), codes.RowOpenEnded},
}

// A row that cannot be read costs its entry none of the days that are known of it, whichever days
// are read, and each of these days says that it is incomplete.
func TestUnreadableRowsOfSeveralDays(t *testing.T) {
	t.Parallel()
	spans := map[string][2]int{"a block": {0, 4}, "over night": {1, 2}}
	windows := map[string][][2]int{
		"all days": {{0, 4}}, "one by one": {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}}, "backward": {{4, 4}, {3, 3}, {2, 2}, {1, 1}, {0, 0}},
		"from Tuesday": {{1, 4}}, "Tuesday": {{1, 1}},
	}
	for entry, span := range spans {
		for order, reads := range windows {
			t.Run(entry+", "+order, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				id := b.block(span[0], span[1])
				b.done(t, days(monday, monday.Add(4)))
				for name, spoil := range spoiled {
					b.spoil(id, spoil.change)
					read := map[civil.Date]bool{}
					for range 2 {
						for _, w := range reads {
							b.done(t, days(monday.Add(w[0]), monday.Add(w[1])))
							for _, on := range civil.Range(monday.Add(w[0]), monday.Add(w[1])) {
								read[on] = true
							}
						}
					}
					for n := range 5 {
						on := monday.Add(n)
						r, has := b.board(t, on), span[0] <= n && n <= span[1]
						if shows(r, id) != has || r.Stale || r.Missing > 0 {
							t.Errorf("%s: %s shows the entry: %t, stale %t, missing %d", name, on, shows(r, id), r.Stale, r.Missing)
						}
						said := slices.Contains(r.Board.Incomplete, practice.Omission{Code: spoil.code, Rows: 1})
						if whole := spoil.code == codes.RowOpenEnded && n == span[0]; has && read[on] && said == whole {
							t.Errorf("%s: %s is incomplete: %v", name, on, r.Board.Incomplete)
						}
					}
					b.line.answer = nil
					b.done(t, days(monday, monday.Add(4)))
					for n := range 5 {
						if r := b.board(t, monday.Add(n)); shows(r, id) != (span[0] <= n && n <= span[1]) || r.Stale || len(r.Board.Incomplete) > 0 {
							t.Errorf("%s: day %d, read again: stale %t, incomplete %v", name, n, r.Stale, r.Board.Incomplete)
						}
					}
				}
			})
		}
	}
}
